"""The event types that go out over MQTT."""

EVENT_TYPES = (
    "filter_frame_duration_high",
    "filter_cpu_utilization_high",
    "background_filter_started",
    "background_filter_config_selected",
    "background_filter_failed",
    "camera_lost",
    "camera_back",
    "delegate_lost",
    "delegate_back",
    "level_changed",
    "placeholder_shown",
    "placeholder_gone",
    "memory_high",
    "config_rejected",
)
"""Those of the core, and ``config_rejected``, which tells that a request over MQTT was refused."""

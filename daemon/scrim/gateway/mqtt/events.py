"""The event types that go out over MQTT."""

from scrim.local.status import EVENT_NAMES

EVENT_TYPES = (*EVENT_NAMES, "config_rejected")
"""Those of the core, and ``config_rejected``, which tells that a request over MQTT was refused."""

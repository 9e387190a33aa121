"""From what core and gateway say to Prometheus' families of metrics.

Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for counters. Every label
has a fixed list of values, or is the name of a device that the settings name, of which there are at most 16.
What is not known is left out; while the core is gone nothing is said of it but ``scrim_up 0``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from scrim.gateway.figures import Broker, GatewayFigures
from scrim.local.status import EVENT_NAMES, Counters, Status

STATES = ("starting", "running", "placeholder", "off")
CAMERA_STATES = ("starting", "live", "lost", "off", "idle")
PLACEHOLDER_REASONS = (
    "starting",
    "camera_lost",
    "no_safe_picture",
    "effect_off",
    "nobody",
    "stopping",
    "privacy",
    "idle",
    "safe_mode",
)
STAGES = ("capture", "segment", "matte", "composite", "total")
DROPS = ("camera", "late", "no_mask", "no_buffer", "sink")
RESULTS = ("made", "refused", "superseded", "failed")
QUALITY_REASONS = ("time", "temperature", "under-voltage")
ACCELERATORS = ("cpu", "edgetpu")
OTHER = "other"
"""Stands for every value that a later core may have and this gateway does not know."""

MOST_DEVICES = 16


@dataclass(frozen=True, slots=True)
class CoreFigures:
    """What the core answered.

    Attributes:
        status: see :class:`scrim.local.status.Status`.
        metrics: see docs/events-and-metrics.md.
        settings: in effect.
        counters: see :class:`scrim.local.status.Counters`.
    """

    status: Status
    metrics: Mapping[str, Any]
    settings: Mapping[str, Any]
    counters: Counters


@dataclass(frozen=True, slots=True)
class _Row:
    """A metric without labels: its name, its meaning, where the core says it and in which unit."""

    name: str
    meaning: str
    key: str
    scale: float = 1.0


_GAUGES = (
    _Row("scrim_quality_level", "Step of the time budget's ladder; 0 is full quality.", "quality_level"),
    _Row("scrim_overlapping", "1 while two frames are worked on at once.", "is_overlapping"),
    _Row("scrim_matte_coverage_ratio", "Share of the picture that is person.", "matte_coverage"),
    _Row("scrim_picture_age_seconds", "Age of the camera picture that goes out.", "picture_age_ms", 1e-3),
    _Row("scrim_config_revision", "Counts up with each change of settings.", "settings_revision"),
    _Row("scrim_soc_temperature_celsius", "Of the processor's warmest sensor.", "temperature_c"),
    _Row("scrim_cpu_frequency_hertz", "Of the fastest processor core.", "cpu_frequency_mhz", 1e6),
    _Row("scrim_core_resident_memory_bytes", "Resident memory of the core.", "resident_memory_bytes"),
    _Row("scrim_core_uptime_seconds", "Since the core was started.", "uptime_s"),
    _Row(
        "scrim_model_load_duration_seconds",
        "Until the model was ready.",
        "initialization_duration_ms",
        1e-3,
    ),
)
_COUNTERS = (
    _Row("scrim_segmentations_total", "Frames for which the model ran.", "frames_segmented"),
    _Row("scrim_errors_total", "Errors that the core logged.", "error_count"),
)


def families(core: CoreFigures | None, gateway: GatewayFigures) -> Iterator[Metric]:
    """Everything there is to say.

    Args:
        core: None while it is gone.
        gateway: what its parts count.
    """
    yield _gauge("scrim_up", "Whether the core answers.", core is not None)
    if core is not None:
        yield from _of_core(core)
    yield _gauge("scrim_preview_viewers", "Who watches the live picture.", gateway.viewed.viewers)
    yield _count("scrim_preview_encoded_total", "JPEGs made for viewers.", gateway.viewed.encoded)
    if gateway.broker is not None:
        yield from _of_broker(gateway.broker)
    if gateway.streamed is not None:
        yield from _of_stream(gateway.streamed.url is not None, gateway.of_stream)


def _of_broker(broker: Broker) -> Iterator[Metric]:
    yield _gauge("scrim_mqtt_connected", "Whether there is a connection to the broker.", broker.is_up)
    yield _count("scrim_mqtt_reconnects_total", "Connections after the first.", max(0, broker.reconnects))
    yield _count("scrim_mqtt_messages_dropped_total", "Messages without room, both ways.", broker.dropped)


def _of_stream(is_up: bool, figures: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge("scrim_rtsp_up", "Whether the RTSP stream is there.", is_up)
    yield _gauge("scrim_rtsp_clients", "Who watches it.", figures.get("clients") or 0)
    yield _count("scrim_rtsp_encoded_total", "Pictures encoded for it.", figures.get("encoded") or 0)
    yield _count(
        "scrim_rtsp_dropped_total", "Pictures that came too fast for it.", figures.get("dropped") or 0
    )


def _of_core(core: CoreFigures) -> Iterator[Metric]:
    status, metrics = core.status, core.metrics
    yield _build_info(status, metrics)
    yield from _plain(_GAUGES, GaugeMetricFamily, metrics)
    yield from _plain(_COUNTERS, CounterMetricFamily, metrics)
    yield from _frames(status)
    yield from _counted(core.counters)
    yield from _states(status)
    yield from _budget(status, core.settings)
    yield from _machine(metrics)
    yield from _sinks(status, metrics)


def _build_info(status: Status, metrics: Mapping[str, Any]) -> Metric:
    delegate = metrics.get("delegate")
    info = {
        "version": status["version"],
        "model": status["model"]["name"],
        "accelerator": delegate if delegate in ACCELERATORS else OTHER,
    }
    return InfoMetricFamily("scrim_build", "What runs here.", value=info)


def _plain(
    rows: Sequence[_Row], kind: type[GaugeMetricFamily | CounterMetricFamily], metrics: Mapping[str, Any]
) -> Iterator[Metric]:
    for row in rows:
        value = metrics.get(row.key)
        if value is not None:
            yield kind(row.name, row.meaning, value=value * row.scale)


def _frames(status: Status) -> Iterator[Metric]:
    frames = status["frames"]
    counts = {"captured": frames["captured"], "output": frames["delivered"]}
    rates = {"captured": frames["rate_in_hz"], "output": frames["rate_out_hz"]}
    yield _labelled(
        CounterMetricFamily, "scrim_frames_total", "Frames taken and pictures made.", "stage", counts
    )
    yield _labelled(GaugeMetricFamily, "scrim_frame_rate_hertz", "Frames a second, over 2 s.", "stage", rates)


def _counted(counters: Counters) -> Iterator[Metric]:
    yield _durations(counters)
    for name, meaning, label, known, counts in (
        (
            "scrim_frames_dropped_total",
            "Pictures that were lost.",
            "reason",
            DROPS,
            counters["frames_dropped"],
        ),
        ("scrim_events_total", "Events.", "type", EVENT_NAMES, counters["events"]),
        ("scrim_config_changes_total", "Changes asked for.", "result", RESULTS, counters["settings_changes"]),
    ):
        yield _labelled(CounterMetricFamily, name, meaning, label, _known(cast("Any", counts), known))
    meaning = "Frames for which the model did not run because time was short."
    yield _count("scrim_segmentations_skipped_total", meaning, counters["segmentations_skipped"])


def _durations(counters: Counters) -> Metric:
    family = HistogramMetricFamily(
        "scrim_stage_duration_seconds", "Time that one frame spends in a stage.", labels=["stage"]
    )
    bounds = [*(repr(bound) for bound in counters["bounds_s"]), "+Inf"]
    for stage in STAGES:
        found = counters["stages"].get(stage)
        if found is not None:
            buckets = list(zip(bounds, found["counts"], strict=True))
            family.add_metric([stage], buckets, found["sum_s"])
    return family


def _known(counts: Mapping[str, float], known: Sequence[str]) -> dict[str, float]:
    """The counts of all that is known, and the rest together."""
    rest = sum(count for name, count in counts.items() if name not in known)
    return {name: counts.get(name, 0) for name in known} | {OTHER: rest}


def _states(status: Status) -> Iterator[Metric]:
    yield _one_of("scrim_state", "What the core does.", "state", STATES, status["state"])
    camera = status["camera"]["state"]
    yield _one_of("scrim_camera_state", "What the camera does.", "state", CAMERA_STATES, camera)
    yield _gauge("scrim_camera_enabled", "0 where somebody wants the camera closed.", camera != "off")
    meaning = "Whether the placeholder goes out, and why."
    reason = status["placeholder_reason"]
    yield _one_of("scrim_placeholder", meaning, "reason", PLACEHOLDER_REASONS, reason)
    there = status.get("is_somebody_there")
    if there is not None:
        yield _gauge("scrim_person_present", "Whether somebody is before the camera.", there)


def _budget(status: Status, settings: Mapping[str, Any]) -> Iterator[Metric]:
    reason = status["quality"]["reason"]
    meaning = "Why the quality is lowered; none where it is not."
    yield _one_of("scrim_quality_reason", meaning, "reason", QUALITY_REASONS, reason)
    stages = status["stages_ms"]
    busy_ms = (stages["segment"] + stages["matte"] + stages["composite"]) * status["frames"]["rate_out_hz"]
    yield _gauge("scrim_filter_cpu_ratio", "Share of the time that filtering takes.", busy_ms / 1000)
    allowed_percent = settings.get("processing_budget_per_frame")
    if allowed_percent is not None:
        meaning = "Share of a frame's interval that filtering may take."
        yield _gauge("scrim_processing_budget_ratio", meaning, allowed_percent / 100)


def _machine(metrics: Mapping[str, Any]) -> Iterator[Metric]:
    kinds = {
        "throttled": metrics.get("is_throttled"),
        "undervoltage": metrics.get("is_under_voltage"),
    }
    known = {kind: float(value) for kind, value in kinds.items() if value is not None}
    if known:
        meaning = "Whether the processor is held down, and whether the supply is too weak."
        yield _labelled(GaugeMetricFamily, "scrim_throttled", meaning, "kind", known)


def _sinks(status: Status, metrics: Mapping[str, Any]) -> Iterator[Metric]:
    sinks = status["sinks"][:MOST_DEVICES]
    up = {sink["name"]: float(sink["state"] == "open") for sink in sinks}
    if up:
        yield _labelled(GaugeMetricFamily, "scrim_sink_up", "Whether the sink takes pictures.", "sink", up)
        for name, meaning, key in (
            ("scrim_sink_frames_total", "Pictures that the sink took.", "delivered"),
            ("scrim_sink_dropped_total", "Pictures that came too fast for the sink.", "dropped"),
        ):
            counts = {sink["name"]: float(sink[key]) for sink in sinks}  # type: ignore[literal-required]
            yield _labelled(CounterMetricFamily, name, meaning, "sink", counts)
    if (consumers := metrics.get("consumers")) is not None:
        yield _gauge("scrim_sink_consumers", "Readers of all sinks whose readers can be counted.", consumers)


def _one_of(name: str, meaning: str, label: str, values: Sequence[str], value: str | None) -> Metric:
    """1 at the value that holds, 0 at all others; none holds where ``value`` is None."""
    found = value if value is None or value in values else OTHER
    flags = {each: float(each == found) for each in (*values, OTHER)}
    return _labelled(GaugeMetricFamily, name, meaning, label, flags)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _count(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value=float(value))


def _labelled(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    meaning: str,
    label: str,
    values: Mapping[str, float],
) -> Metric:
    family = kind(name, meaning, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


class Scrape:
    """One answer, in the shape in which prometheus-client writes it."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._metrics

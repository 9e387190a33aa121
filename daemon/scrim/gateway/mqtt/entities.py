"""Every entity that Home Assistant is told of: the table of docs/mqtt.md, in code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scrim.gateway.home_assistant import Entity
from scrim.gateway.mqtt.choices import CUSTOM
from scrim.gateway.mqtt.events import EVENT_TYPES

CONFIG, DIAGNOSTIC = "config", "diagnostic"

EFFECTS = ("off", "blur", "image", "color")
STRENGTHS = ("low", "medium", "high")
QUALITIES = ("full", "reduced", "minimum")
ACCELERATORS = ("cpu", "edgetpu", "other")
PIPELINES = ("starting", "running", "degraded", "idle", "privacy", "no_camera", "error")

KEPT_INTERVALS = 3.5
"""Figures are true for so many intervals."""

_COLOR = {"pattern": r"^(#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})|[A-Za-z]{3,20})$", "min": 3, "max": 20}
_PERCENT = {"min": 1, "max": 100, "step": 1, "mode": "slider", "unit_of_measurement": "%"}
_MS = {"unit_of_measurement": "ms", "device_class": "duration"}
_S = {"unit_of_measurement": "s", "device_class": "duration"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be chosen and what is measured.

    Attributes:
        backgrounds: names of images.
        sizes: of the picture.
        rates: of the picture.
        models: that find the person; empty leaves the choice out.
        measures: names of telemetry that this machine has; sensors of others are left out.
        interval_s: between two messages of telemetry.
        snapshots: whether stills may be sent.
    """

    backgrounds: Sequence[str]
    sizes: Sequence[str]
    rates: Sequence[str]
    models: Sequence[str]
    measures: frozenset[str]
    interval_s: float
    snapshots: bool


ALL_MEASURES = frozenset(
    {"fps", "frame_ms", "segment_ms", "latency_ms", "dropped_total", "filter_cpu", "cpu", "mem_mb"}
    | {"soc_temp", "rssi"}
)

EVERYTHING = Offer((), (), (), ("any",), ALL_MEASURES, interval_s=10, snapshots=True)
"""What a device offers that has all there can be."""


def entities(offer: Offer) -> Iterator[Entity]:
    """All of them."""
    yield from _primary(offer)
    yield from _settings(offer)
    yield from _buttons(offer)
    yield from _problems()
    yield from _figures(offer)
    yield from _states()


def _primary(offer: Offer) -> Iterator[Entity]:
    yield _set("output", "switch", "Camera", "mdi:webcam", category=None)
    yield _choice("effect", "Effect", "mdi:account-box-outline", EFFECTS, category=None)
    yield _choice("blur_strength", "Blur strength", "mdi:blur", STRENGTHS, category=None)
    backgrounds = (*offer.backgrounds, CUSTOM)
    yield _choice("background", "Background", "mdi:image-outline", backgrounds, category=None)
    yield _set("background_color", "text", "Background colour", "mdi:palette", _COLOR, category=None)
    yield Entity("in_use", "binary_sensor", "In use", icon="mdi:record-rec", more=_told("in_use"))
    yield Entity("person", "binary_sensor", "Person", more=_told("person", device_class="occupancy"))
    if offer.snapshots:
        still = {"image_topic": "snapshot", "content_type": "image/jpeg"}
        yield Entity("snapshot", "image", "Snapshot", icon="mdi:image-frame", more=still)


def _settings(offer: Offer) -> Iterator[Entity]:
    yield _set("background_image", "text", "Background image URL", "mdi:link-variant", {"max": 255})
    yield _set("processing_budget", "number", "Processing budget", "mdi:speedometer", _PERCENT)
    yield _set("cpu_limit", "number", "Filter CPU limit", "mdi:gauge", _PERCENT)
    period = {"min": 200, "max": 60000, "step": 100, "mode": "box", **_MS}
    yield _set(
        "reporting_period", "number", "Reporting period", "mdi:timer-outline", period, is_enabled=False
    )
    interval = {"min": 2, "max": 3600, "step": 1, "mode": "box", **_S}
    name, icon = "Telemetry interval", "mdi:timer-sync-outline"
    yield _set("telemetry_interval", "number", name, icon, interval, is_enabled=False)
    yield _choice("resolution", "Resolution", "mdi:video-image", offer.sizes)
    yield _choice("frame_rate", "Frame rate limit", "mdi:filmstrip", offer.rates)
    if offer.models:
        yield _choice("model", "Segmentation model", "mdi:brain", offer.models, is_enabled=False)
    yield _set("adaptive", "switch", "Adapt quality to load", "mdi:auto-fix")


def _buttons(offer: Offer) -> Iterator[Entity]:
    if offer.snapshots:
        yield _button("snapshot_take", "Take snapshot", None, icon="mdi:camera", is_enabled=False)
    yield _button("restart", "Restart", CONFIG, device_class="restart")
    yield _button("identify", "Identify", DIAGNOSTIC, device_class="identify")
    yield _button("reset_statistics", "Reset statistics", CONFIG, icon="mdi:counter", is_enabled=False)


def _problems() -> Iterator[Entity]:
    attributes = {
        "json_attributes_topic": "state",
        "json_attributes_template": "{{ {'last_error': value_json.last_error,"
        " 'pipeline': value_json.pipeline} | tojson }}",
    }
    for key, name, icon, more in (
        ("problem", "Problem", None, attributes),
        ("throttled", "Throttled", "mdi:thermometer-alert", {}),
        ("undervoltage", "Under-voltage", "mdi:flash-alert", {}),
    ):
        told = {**_told(key, device_class="problem"), **more}
        yield Entity(key, "binary_sensor", name, DIAGNOSTIC, icon, more=told)
    types = {"event_types": list(EVENT_TYPES), "state_topic": "event"}
    yield Entity("event", "event", "Performance", DIAGNOSTIC, "mdi:alert-decagram-outline", more=types)


@dataclass(frozen=True, slots=True)
class _Sensor:
    """A figure of the telemetry."""

    key: str
    name: str
    unit: str
    device_class: str | None = None
    icon: str | None = None
    precision: int | None = 0
    is_enabled: bool = True
    state_class: str = "measurement"


_SENSORS = (
    _Sensor("fps", "Frame rate", "fps", icon="mdi:filmstrip", precision=1),
    _Sensor("frame_ms", "Frame time", "ms", "duration", precision=1),
    _Sensor("segment_ms", "Segmentation time", "ms", "duration", precision=1),
    _Sensor("latency_ms", "Latency", "ms", "duration", is_enabled=False),
    _Sensor(
        "dropped_total",
        "Dropped frames",
        "frames",
        icon="mdi:filmstrip-off",
        precision=None,
        state_class="total_increasing",
    ),
    _Sensor("filter_cpu", "Filter CPU", "%", icon="mdi:cpu-64-bit"),
    _Sensor("cpu", "Processor use", "%", icon="mdi:chip", is_enabled=False),
    _Sensor("mem_mb", "Memory used", "MB", "data_size", is_enabled=False),
    _Sensor("soc_temp", "SoC temperature", "°C", "temperature"),
    _Sensor("rssi", "Wi-Fi signal", "dBm", "signal_strength", precision=None, is_enabled=False),
)


def _figures(offer: Offer) -> Iterator[Entity]:
    expiry = {"state_topic": "telemetry", "expire_after": round(KEPT_INTERVALS * offer.interval_s)}
    for sensor in _SENSORS:
        if sensor.key not in offer.measures:
            continue
        more: dict[str, Any] = {
            **expiry,
            "value_template": _template(sensor.key),
            "unit_of_measurement": sensor.unit,
            "state_class": sensor.state_class,
        }
        if sensor.device_class is not None:
            more["device_class"] = sensor.device_class
        if sensor.precision is not None:
            more["suggested_display_precision"] = sensor.precision
        yield Entity(sensor.key, "sensor", sensor.name, DIAGNOSTIC, sensor.icon, sensor.is_enabled, more)
    quality = {**expiry, "value_template": _template("quality"), **_enum(QUALITIES)}
    yield Entity("quality", "sensor", "Quality", DIAGNOSTIC, "mdi:quality-high", more=quality)


def _states() -> Iterator[Entity]:
    for key, name, icon, more in (
        ("accelerator", "Accelerator", "mdi:expansion-card-variant", _enum(ACCELERATORS)),
        ("pipeline", "Status", "mdi:state-machine", _enum(PIPELINES)),
        ("last_error", "Last error", "mdi:alert-circle-outline", {}),
        ("started", "Started", None, {"device_class": "timestamp"}),
    ):
        yield Entity(key, "sensor", name, DIAGNOSTIC, icon, more={**_told(key), **more})
    update = {"device_class": "firmware", "state_topic": "update"}
    yield Entity("update", "update", "Software", DIAGNOSTIC, more=update)


def _set(
    key: str,
    platform: str,
    name: str,
    icon: str,
    more: Mapping[str, Any] | None = None,
    *,
    category: str | None = CONFIG,
    is_enabled: bool = True,
) -> Entity:
    """Something that can be set."""
    topics = {**_told(key), "command_topic": f"set/{key}"}
    return Entity(key, platform, name, category, icon, is_enabled, {**topics, **(more or {})})


def _choice(
    key: str,
    name: str,
    icon: str,
    options: Sequence[str],
    *,
    category: str | None = CONFIG,
    is_enabled: bool = True,
) -> Entity:
    more = {"options": list(options)}
    return _set(key, "select", name, icon, more, category=category, is_enabled=is_enabled)


def _button(
    key: str,
    name: str,
    category: str | None,
    *,
    icon: str | None = None,
    device_class: str | None = None,
    is_enabled: bool = True,
) -> Entity:
    more: dict[str, Any] = {"command_topic": f"cmd/{key}", "payload_press": "{}"}
    if device_class is not None:
        more["device_class"] = device_class
    return Entity(key, "button", name, category, icon, is_enabled, more)


def _told(key: str, **more: str) -> dict[str, Any]:
    """Something that the state tells."""
    return {"state_topic": "state", "value_template": _template(key), **more}


def _template(key: str) -> str:
    return f"{{{{ value_json.{key} }}}}"


def _enum(options: Sequence[str]) -> dict[str, Any]:
    return {"device_class": "enum", "options": list(options)}

"""The metrics: one flat object of plain values, for the page, MQTT and Prometheus."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from scrim.core.health import HealthReader, ProcessReader

Value = str | int | float | bool | None

MOST_DEVICES = 16
"""No snapshot has figures of more capture devices, nor of more sinks."""

_MOST_NAME = 48
_MOST_TEXT = 255
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """A capture device or a sink.

    Attributes:
        name: as in the settings, such as ``v4l2loopback:/dev/video10``.
        state: one word, such as live, lost, open or failed.
        consumers: how many read a sink; None where nobody can count them.
    """

    name: str
    state: str
    consumers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the core's parts counted up to one moment. Counters run since the start; None is not known.

    Attributes:
        frames_submitted: taken by the pipeline.
        frames_segmented: for which the model ran.
        frames_dropped: late, without a usable mask, or without a buffer.
        frame_rate_in_hz: from the camera.
        frame_rate_out_hz: of fresh safe pictures.
        segmentation_duration_ms: for one frame, averaged.
        effect_render_duration_ms: for one frame, averaged: matte and composite.
        latency_p50_ms: from capture to delivery.
        latency_p95_ms: the same, exceeded by one frame in twenty.
        picture_age_ms: since the camera took the picture that goes out, also while it is repeated; None while
            the placeholder is shown.
        captures: capture devices.
        sinks: sinks.
        model: its name.
        delegate: what does the inference, such as cpu.
        initialization_duration_ms: until the model was ready.
        initialization_failure: why it is not.
        error_count: see :class:`ErrorCount`.
        quality_level: 0 is full quality.
        quality_reason: time, temperature or under-voltage; None at full quality.
        is_overlapping: the person is found in one frame while the one before is composited.
        matte_coverage: share of the picture that is person, 0 to 1.
        settings_revision: counts up with each change.
    """

    frames_submitted: int = 0
    frames_segmented: int = 0
    frames_dropped: int = 0
    frame_rate_in_hz: float = 0.0
    frame_rate_out_hz: float = 0.0
    segmentation_duration_ms: float | None = None
    effect_render_duration_ms: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    picture_age_ms: float | None = None
    captures: Sequence[DeviceFigures] = ()
    sinks: Sequence[DeviceFigures] = ()
    model: str | None = None
    delegate: str | None = None
    initialization_duration_ms: float | None = None
    initialization_failure: str | None = None
    error_count: int = 0
    quality_level: int = 0
    quality_reason: str | None = None
    is_overlapping: bool = False
    matte_coverage: float | None = None
    settings_revision: int = 0


class Metrics:
    """Makes snapshots, adding to the core's figures what machine and process say; one thread makes them.

    Args:
        health: of the machine.
        process: this one.
        started_s: when the core was started, on the monotonic clock.
    """

    def __init__(self, health: HealthReader, process: ProcessReader, started_s: float) -> None:
        self._health = health
        self._process = process
        self._started_s = started_s
        self._before = (0, 0)

    def snapshot(self, figures: Figures, now_s: float) -> dict[str, Value]:
        """All metrics at ``now_s``: snake_case names to JSON values, at most 255 characters a text.

        ``frames_per_segmentation`` and ``estimated_cpu_usage_percent`` (100 is one core) hold for the time
        since the last snapshot; the former is None when nothing was segmented. Each capture device has
        ``capture_<name>_state``, each sink ``sink_<name>_state`` and ``sink_<name>_consumers``, where
        ``<name>`` is its name with ``_`` for all that is no letter or digit.
        """
        metrics: dict[str, Value] = {
            name: getattr(figures, name) for name in Figures.__slots__ if name not in ("captures", "sinks")
        }
        metrics["frames_per_segmentation"] = self._frames_per_segmentation(figures)
        metrics |= _devices("capture", figures.captures) | _devices("sink", figures.sinks)
        metrics["consumers"] = _sum(sink.consumers for sink in figures.sinks)
        metrics |= self._surroundings(now_s)
        return {name: _plain(value) for name, value in metrics.items()}

    def _frames_per_segmentation(self, figures: Figures) -> float | None:
        now = (figures.frames_submitted, figures.frames_segmented)
        submitted, segmented = (after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        return submitted / segmented if segmented > 0 else None

    def _surroundings(self, now_s: float) -> dict[str, Value]:
        health = self._health.read()
        return {
            "temperature_c": health.temperature_c,
            "is_throttled": health.is_throttled,
            "is_under_voltage": health.is_under_voltage,
            "cpu_frequency_mhz": health.cpu_frequency_mhz,
            "resident_memory_bytes": self._process.rss_bytes(),
            "estimated_cpu_usage_percent": self._process.cpu_percent(),
            "uptime_s": now_s - self._started_s,
        }


class ErrorCount(logging.Handler):
    """Counts what is logged as an error or worse; add it to the logger ``scrim``.

    Attributes:
        total: since the start.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.total = 0

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        """Count one; called under the handler's lock."""
        self.total += 1


def _devices(kind: str, devices: Sequence[DeviceFigures]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for device in devices[:MOST_DEVICES]:
        name = _unused(f"{kind}_{_slug(device.name)}", found)
        found[f"{name}_state"] = device.state
        if kind == "sink":
            found[f"{name}_consumers"] = device.consumers
    return found


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_MOST_NAME] or "unnamed"


def _unused(name: str, found: Mapping[str, Value]) -> str:
    names = (name, *(f"{name}_{number}" for number in range(2, MOST_DEVICES + 1)))
    return next(free for free in names if f"{free}_state" not in found)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _plain(value: Value) -> Value:
    if isinstance(value, float):
        return round(value, _DECIMALS) if isfinite(value) else None
    return value[:_MOST_TEXT] if isinstance(value, str) else value

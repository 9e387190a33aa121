"""The figures that go out at an interval: gauges are means over it, totals count since the core's start."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scrim.gateway.mqtt.payloads import SCHEMA
from scrim.local.status import Status

_WIRELESS = Path("/proc/self/net/wireless")
"""Also where systemd hides all of /proc that is no process."""

_LAST_REDUCED = 2
"""The levels after matte refinement and blur cost the smaller model or frames: docs/budget.md."""

Counters = dict[str, int]


class Telemetry:
    """Gathers samples and makes one message of them.

    Args:
        clock_s: monotonic clock.
        wall_s: seconds since 1970.
        wireless: where the kernel tells of Wi-Fi.
    """

    def __init__(
        self,
        clock_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
        wireless: Path = _WIRELESS,
    ) -> None:
        self._clock_s = clock_s
        self._wall_s = wall_s
        self._wireless = wireless
        self._samples: dict[str, list[float]] = {}
        self._measures: set[str] = set()
        self._latest: dict[str, Any] = {}
        self._counters: Counters = {}
        self._before: tuple[Counters, float] = ({}, clock_s())
        self._zero: Counters = {}
        self._events = 0
        self._sequence = 0

    def sample(self, status: Status, metrics: Mapping[str, Any]) -> None:
        """Take what the core says now."""
        counters = _counters(status, metrics)
        if any(value < self._counters.get(name, 0) for name, value in counters.items()):
            self._before, self._zero = ({}, self._clock_s()), {}  # another core counts from 0
        self._counters = counters
        self._latest = _latest(status, metrics)
        if (rssi := _rssi(self._wireless)) is not None:
            self._latest["rssi"] = rssi
        for name, value in _gauges(status, metrics).items():
            if value is not None:
                self._samples.setdefault(name, []).append(value)
        self._measures |= {*self._samples, *self._counters, *self._latest}

    def count_event(self) -> None:
        """One more event of the core."""
        self._events += 1

    def reset(self) -> None:
        """Let every total start from 0 again."""
        self._zero = dict(self._counters)
        self._events = 0

    @property
    def measures(self) -> frozenset[str]:
        """Names of what this machine has told so far; empty before the first sample."""
        return frozenset(self._measures)

    def message(self, interval_s: float, dropped: int) -> dict[str, Any] | None:
        """The figures since the last message; None when the core has told none.

        Args:
            interval_s: until the next one.
            dropped: MQTT messages that there was no room for.
        """
        if not self._samples:
            return None
        counters, since_s = self._before
        now_s, self._sequence = self._clock_s(), self._sequence + 1
        passed_s = now_s - since_s
        delivered = self._counters["frames_total"] - counters.get(
            "frames_total", self._counters["frames_total"]
        )
        means = {name: round(sum(values) / len(values), 1) for name, values in self._samples.items()}
        rate_hz = round(delivered / passed_s, 1) if counters and passed_s > 0 else means["fps"]
        self._before, self._samples = (dict(self._counters), now_s), {}
        return {
            "v": SCHEMA,
            "seq": self._sequence,
            "ts": round(self._wall_s(), 3),
            "interval_s": interval_s,
            **means,
            "fps": rate_hz,
            **{name: value - self._zero.get(name, 0) for name, value in self._counters.items()},
            **self._latest,
            "mqtt_dropped_total": dropped,
            "events_total": self._events,
        }


def _counters(status: Status, metrics: Mapping[str, Any]) -> Counters:
    submitted, segmented = (int(metrics.get(f"frames_{name}") or 0) for name in ("submitted", "segmented"))
    return {
        "frames_total": status["frames"]["delivered"],
        "dropped_total": status["frames"]["dropped"],
        "skipped_segment_total": max(0, submitted - segmented),
    }


def _gauges(status: Status, metrics: Mapping[str, Any]) -> dict[str, float | None]:
    stages = status["stages_ms"]
    frame_ms = stages["segment"] + stages["matte"] + stages["composite"]
    memory = metrics.get("resident_memory_bytes")
    return {
        "fps": status["frames"]["rate_out_hz"],
        "frame_ms": frame_ms,
        "segment_ms": stages["segment"],
        "composite_ms": stages["matte"] + stages["composite"],
        "latency_ms": status["latency_ms"]["p50"],
        "latency_ms_p95": status["latency_ms"]["p95"],
        "filter_cpu": frame_ms * status["frames"]["rate_in_hz"] / 10,
        "cpu": metrics.get("estimated_cpu_usage_percent"),
        "mem_mb": None if memory is None else memory / 1e6,
        "soc_temp": metrics.get("temperature_c"),
        "freq_mhz": metrics.get("cpu_frequency_mhz"),
        "segment_every": metrics.get("frames_per_segmentation"),
    }


def _latest(status: Status, metrics: Mapping[str, Any]) -> dict[str, Any]:
    _, _, rate = status["camera"]["caps"].partition("@")
    return {
        "target_fps": float(rate) if rate else None,
        "throttled": int(bool(metrics.get("is_throttled"))),
        "quality": quality(status["quality"]["level"]),
        "quality_level": status["quality"]["level"],
        "consumers": metrics.get("consumers"),
    }


def quality(level: int) -> str:
    """The budget's level in one of three words: from the fourth step on the picture comes less often."""
    if level <= 0:
        return "full"
    return "reduced" if level <= _LAST_REDUCED else "minimum"


def _rssi(path: Path) -> int | None:
    """Signal of the first Wi-Fi card in dBm; None without one."""
    try:
        lines = path.read_text().splitlines()[2:]
        return round(float(lines[0].split()[3].rstrip(".")))
    except (OSError, ValueError, IndexError):
        return None

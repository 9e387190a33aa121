"""Figures: means over the interval, totals since the core's start."""

from pathlib import Path
from typing import Any

import pytest

from scrim.gateway.mqtt.telemetry import Telemetry, quality


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def status(delivered: int, **changes: Any) -> Any:
    return {
        "camera": {"caps": "1280x720@30"},
        "frames": {"rate_in_hz": 30.0, "rate_out_hz": 29.0, "delivered": delivered, "dropped": 3},
        "latency_ms": {"p50": 40.0, "p95": 60.0},
        "stages_ms": {"capture": 1.0, "segment": 8.0, "matte": 2.0, "composite": 2.0},
        "quality": {"level": 0},
    } | changes


METRICS = {
    "frames_submitted": 300,
    "frames_segmented": 290,
    "frames_per_segmentation": 1.0,
    "estimated_cpu_usage_percent": 80.0,
    "resident_memory_bytes": 109_400_000,
    "temperature_c": 52.0,
    "cpu_frequency_mhz": None,
    "is_throttled": True,
    "consumers": 1,
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry(clock: Clock, tmp_path: Path) -> Telemetry:
    return Telemetry(clock, lambda: 1795212931.6904, tmp_path / "wireless")


def told(telemetry: Telemetry) -> dict[str, Any]:
    message = telemetry.message(10, 4)
    assert message is not None
    return message


def test_before_the_core_has_told_there_is_nothing_to_tell(telemetry: Telemetry) -> None:
    assert telemetry.message(10, 0) is None
    assert telemetry.measures == frozenset()


def test_gauges_are_means_and_the_rate_is_counted(telemetry: Telemetry, clock: Clock) -> None:
    telemetry.sample(status(1000), METRICS)
    told(telemetry)
    for temperature_c, delivered in ((50.0, 1100), (54.0, 1295)):
        telemetry.sample(status(delivered), METRICS | {"temperature_c": temperature_c})
    clock.now_s += 10
    message = told(telemetry)
    assert message["soc_temp"] == 52.0
    assert message["fps"] == 29.5
    assert (message["seq"], message["v"], message["ts"], message["interval_s"]) == (2, 1, 1795212931.69, 10)
    assert message["frame_ms"] == 12.0
    assert message["filter_cpu"] == 36.0
    assert message["mem_mb"] == 109.4
    assert message["throttled"] == 1
    assert (message["frames_total"], message["skipped_segment_total"], message["dropped_total"]) == (
        1295,
        10,
        3,
    )
    assert message["mqtt_dropped_total"] == 4
    assert "freq_mhz" not in message, "what is not known is left out"
    assert "rssi" not in message


def test_another_core_counts_from_zero(telemetry: Telemetry, clock: Clock) -> None:
    telemetry.sample(status(1000), METRICS)
    told(telemetry)
    telemetry.reset()
    clock.now_s += 10
    telemetry.sample(status(20), METRICS | {"frames_submitted": 20, "frames_segmented": 20})
    message = told(telemetry)
    assert message["frames_total"] == 20
    assert message["fps"] == 29.0, "there is nothing to count from yet"


def test_totals_may_start_anew(telemetry: Telemetry) -> None:
    telemetry.sample(status(1000), METRICS)
    telemetry.count_event()
    telemetry.reset()
    telemetry.sample(status(1010), METRICS)
    message = told(telemetry)
    assert (message["frames_total"], message["dropped_total"], message["events_total"]) == (10, 0, 0)


def test_wireless_is_read_where_there_is_any(telemetry: Telemetry, tmp_path: Path) -> None:
    head = "Inter-| sta-|   Quality\n face | tus | link level noise\n"
    (tmp_path / "wireless").write_text(head + " wlan0: 0000   54.  -58.  -256        0\n")
    telemetry.sample(status(1), METRICS)
    assert told(telemetry)["rssi"] == -58
    assert {"rssi", "soc_temp", "fps", "quality"} <= telemetry.measures
    assert "freq_mhz" not in telemetry.measures


@pytest.mark.parametrize(
    ("level", "word"), [(0, "full"), (1, "reduced"), (2, "reduced"), (3, "minimum"), (9, "minimum")]
)
def test_quality_in_a_word(level: int, word: str) -> None:
    assert quality(level) == word

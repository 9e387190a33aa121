"""The metrics, and what machine and process say about themselves."""

import json
import logging
import os
import re
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.core.health import Health, HealthReader, ProcessReader
from scrim.core.metrics import MOST_DEVICES, DeviceFigures, ErrorCount, Figures, Metrics

PROMISED = {
    "segmentation_duration_ms",
    "effect_render_duration_ms",
    "frames_per_segmentation",
    "frames_submitted",
    "frames_segmented",
    "estimated_cpu_usage_percent",
    "model",
    "delegate",
    "initialization_duration_ms",
    "initialization_failure",
    "error_count",
    "frame_rate_in_hz",
    "frame_rate_out_hz",
    "frames_dropped",
    "latency_p50_ms",
    "latency_p95_ms",
    "picture_age_ms",
    "quality_level",
    "quality_reason",
    "is_overlapping",
    "matte_coverage",
    "consumers",
    "temperature_c",
    "is_throttled",
    "is_under_voltage",
    "cpu_frequency_mhz",
    "resident_memory_bytes",
    "uptime_s",
    "settings_revision",
}


class Machine:
    """A sysfs tree of one's own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: object) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def zone(self, number: int, kind: str, milli_c: object) -> None:
        self.write(f"class/thermal/thermal_zone{number}/type", kind)
        self.write(f"class/thermal/thermal_zone{number}/temp", milli_c)

    def cooler(self, number: int, kind: str, state: int) -> None:
        self.write(f"class/thermal/cooling_device{number}/type", kind)
        self.write(f"class/thermal/cooling_device{number}/cur_state", state)

    def alarm(self, number: int, name: str, state: int) -> None:
        self.write(f"class/hwmon/hwmon{number}/name", name)
        self.write(f"class/hwmon/hwmon{number}/in0_lcrit_alarm", state)

    def clock(self, policy: int, now_khz: int, limit_khz: int) -> None:
        folder = f"devices/system/cpu/cpufreq/policy{policy}"
        self.write(f"{folder}/scaling_cur_freq", now_khz)
        self.write(f"{folder}/scaling_max_freq", limit_khz)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "sys")


@pytest.fixture
def pi(machine: Machine) -> Machine:
    """As a Raspberry Pi 5 has it."""
    machine.zone(0, "cpu-thermal", 52_400)
    machine.cooler(0, "pwm-fan", 2)
    machine.cooler(1, "cpufreq-cpu0", 0)
    machine.alarm(0, "cpu_thermal", 1)
    machine.alarm(1, "rpi_volt", 0)
    machine.clock(0, 1_500_000, 2_400_000)
    return machine


def test_a_machine_that_says_nothing(machine: Machine) -> None:
    assert HealthReader(machine.root).read() == Health()


def test_a_cool_pi(pi: Machine) -> None:
    assert HealthReader(pi.root).read() == Health(52.4, False, False, 1500.0)


def test_heat_and_under_voltage_are_seen_at_once(pi: Machine) -> None:
    reader = HealthReader(pi.root)
    reader.read()
    pi.zone(0, "cpu-thermal", 81_250)
    pi.alarm(1, "rpi_volt", 1)
    pi.cooler(1, "cpufreq-cpu0", 3)
    assert reader.read() == Health(81.25, True, True, 1500.0)
    pi.cooler(1, "cpufreq-cpu0", 0)
    pi.alarm(1, "rpi_volt", 0)
    assert reader.read() == Health(81.25, False, False, 1500.0)


def test_a_lowered_clock_limit_is_throttling_but_the_owners_own_is_not(pi: Machine) -> None:
    pi.clock(0, 1_000_000, 1_800_000)
    reader = HealthReader(pi.root)
    assert reader.read().is_throttled is False
    pi.clock(0, 1_000_000, 1_000_000)
    assert reader.read().is_throttled is True
    pi.clock(0, 1_000_000, 2_400_000)
    assert reader.read().is_throttled is False


def test_the_processors_zone_counts_and_else_the_warmest(machine: Machine) -> None:
    machine.zone(0, "acpitz", 30_000)
    machine.zone(1, "iwlwifi_1", 71_000)
    assert HealthReader(machine.root).read().temperature_c == 71
    machine.zone(2, "x86_pkg_temp", 45_000)
    assert HealthReader(machine.root).read().temperature_c == 45


@pytest.mark.parametrize("nonsense", ["", "hot", "-274000", "9" * 5000, "\x00", "1.5", "²"])
def test_nonsense_is_not_known(pi: Machine, nonsense: str) -> None:
    for path in ("class/thermal/thermal_zone0/temp", "class/hwmon/hwmon1/in0_lcrit_alarm"):
        pi.write(path, nonsense)
    health = HealthReader(pi.root).read()
    assert health.temperature_c is None
    assert health.is_throttled is False


def test_a_sensor_may_vanish(pi: Machine) -> None:
    reader = HealthReader(pi.root)
    (pi.root / "class/thermal/thermal_zone0/temp").unlink()
    assert reader.read().temperature_c is None


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder


def spend(proc: Path, user_ticks: int, system_ticks: int) -> None:
    before = " ".join(["S"] + ["0"] * 10)
    (proc / "stat").write_text(f"77 (a) S (b) {before} {user_ticks} {system_ticks} 0 0 20\n")


def test_cpu_time_is_counted_between_calls(proc: Path) -> None:
    now_s = 10.0
    tick_hz = os.sysconf("SC_CLK_TCK")
    spend(proc, 5 * tick_hz, tick_hz)
    reader = ProcessReader(lambda: now_s, proc)
    assert reader.cpu_percent() is None, "no time has passed"
    now_s = 12.0
    spend(proc, 6 * tick_hz, 2 * tick_hz)
    assert reader.cpu_percent() == pytest.approx(100)
    assert reader.cpu_percent() == pytest.approx(100), "no time has passed"
    now_s = 16.0
    assert reader.cpu_percent() == 0


def test_resident_memory(proc: Path) -> None:
    (proc / "statm").write_text("9000 1234 500 1 0 2000 0\n")
    assert ProcessReader(lambda: 0.0, proc).rss_bytes() == 1234 * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("text", ["", "77 (a", "77 (a) S 1 2", "x y z", "7 (²) S 0 0 0 0 0 0 0 0 0 0 ² ²"])
def test_a_strange_proc_is_not_known(proc: Path, text: str) -> None:
    for name in ("stat", "statm"):
        (proc / name).write_text(text)
    now_s = iter(range(100))
    reader = ProcessReader(lambda: float(next(now_s)), proc)
    assert reader.cpu_percent() is None
    assert reader.rss_bytes() is None


def test_this_process_is_real() -> None:
    now_s = iter(range(100))
    reader = ProcessReader(lambda: float(next(now_s)))
    rss_bytes, percent = reader.rss_bytes(), reader.cpu_percent()
    assert rss_bytes is not None
    assert 1 << 20 < rss_bytes < 1 << 36
    assert percent is not None
    assert percent >= 0


@pytest.fixture
def metrics(pi: Machine, proc: Path) -> Metrics:
    (proc / "statm").write_text("9000 1000 500 1 0 2000 0\n")
    spend(proc, 0, 0)
    return Metrics(HealthReader(pi.root), ProcessReader(iter((0.0, 1.0, 2.0, 3.0)).__next__, proc), 100.0)


def test_everything_promised_is_there(metrics: Metrics) -> None:
    snapshot = metrics.snapshot(Figures(), 107.25)
    assert snapshot.keys() == PROMISED
    assert snapshot["uptime_s"] == 7.25
    assert snapshot["temperature_c"] == 52.4
    assert snapshot["frames_per_segmentation"] is None
    assert snapshot["estimated_cpu_usage_percent"] == 0


def test_frames_per_segmentation_is_that_of_the_period(metrics: Metrics) -> None:
    for submitted, segmented, expected in ((100, 100, 1), (160, 120, 3), (170, 120, None)):
        figures = Figures(frames_submitted=submitted, frames_segmented=segmented)
        assert metrics.snapshot(figures, 101)["frames_per_segmentation"] == expected


def test_each_device_has_its_figures(metrics: Metrics) -> None:
    figures = Figures(
        captures=[DeviceFigures("v4l2:/dev/video0", "live")],
        sinks=[
            DeviceFigures("feed", "open", 2),
            DeviceFigures("file:/a/ü.mkv", "failed"),
            DeviceFigures("file:/a/-.mkv", "open", 1),
            DeviceFigures("/", "open"),
        ],
    )
    snapshot = metrics.snapshot(figures, 101)
    assert {name: value for name, value in snapshot.items() if name not in PROMISED} == {
        "capture_v4l2_dev_video0_state": "live",
        "sink_feed_state": "open",
        "sink_feed_consumers": 2,
        "sink_file_a_mkv_state": "failed",
        "sink_file_a_mkv_consumers": None,
        "sink_file_a_mkv_2_state": "open",
        "sink_file_a_mkv_2_consumers": 1,
        "sink_unnamed_state": "open",
        "sink_unnamed_consumers": None,
    }
    assert snapshot["consumers"] == 3


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(
    devices=st.lists(st.builds(DeviceFigures, st.text(), st.text(), st.none() | st.integers(0, 9))),
    average=numbers,
    coverage=numbers,
    why=st.none() | st.text(max_size=400),
)
def test_snapshots_are_bounded_flat_json(
    tmp_path_factory: pytest.TempPathFactory, devices: list[Any], average: float, coverage: float, why: Any
) -> None:
    nowhere = tmp_path_factory.getbasetemp() / "nowhere"
    metrics = Metrics(HealthReader(nowhere), ProcessReader(lambda: 0.0, nowhere), 0)
    figures = Figures(
        captures=devices,
        sinks=devices,
        segmentation_duration_ms=average,
        matte_coverage=coverage,
        initialization_failure=why,
    )
    snapshot = metrics.snapshot(figures, 5)
    assert len(snapshot) == len(PROMISED) + 3 * min(len(devices), MOST_DEVICES)
    assert len(json.dumps(snapshot, allow_nan=False)) < 64 * 1024
    for name, value in snapshot.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
        assert value is None or isinstance(value, str | int | float)
        assert not isinstance(value, str) or len(value) <= 255


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_not_known(metrics: Metrics, value: float) -> None:
    assert metrics.snapshot(Figures(latency_p50_ms=value), 101)["latency_p50_ms"] is None


def test_errors_are_counted() -> None:
    count = ErrorCount()
    logger = logging.getLogger("scrim.of_its_own")
    logger.addHandler(count)
    logger.warning("not yet")
    logger.error("one")
    logger.critical("two")
    logger.removeHandler(count)
    assert count.total == 2

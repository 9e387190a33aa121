"""The level follows the time that frames take, the board's health and the settings. Time moves when told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrim.config import Settings
from scrim.core import regulator as module
from scrim.core.composite.placeholder import PlaceholderPainter
from scrim.core.composite.replace import PictureBackground, color_picture
from scrim.core.events import Event, StateWatch
from scrim.core.health import HealthReader
from scrim.core.ladder import Level, ladder
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look, Pipeline
from scrim.core.regulator import Regulator
from scrim.core.segment.constant import ConstantSegmenter
from scrim.frame import FramePool

SIZE = (96, 64)
RATE = 30.0


class Clock:
    """Stands where it is put; takes the place of the module ``time``."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


class NotingPipeline(Pipeline):
    level = Level(0)

    def degrade(self, level: Level) -> None:
        self.level = level
        super().degrade(level)


class NotingOutlet(Outlet):
    interval_s = 0.0

    def expect(self, frame_interval_s: float) -> None:
        self.interval_s = frame_interval_s
        super().expect(frame_interval_s)


class Rig:
    """A regulator, what it moves and what it says; frames take as long as a level makes them."""

    def __init__(
        self, clock: Clock, sysfs: Path, patch: Mapping[str, Any], *, has_small_model: bool, cores: int
    ) -> None:
        self.clock = clock
        self.settings = Settings().patched(patch)
        look = Look(1, PictureBackground(color_picture("#008080", SIZE)))
        self.pipeline = NotingPipeline(SIZE, ConstantSegmenter(0, (48, 32)), look, FramePool(SIZE, 2))
        self.outlet = NotingOutlet(PlaceholderPainter(SIZE), 1 / RATE)
        self.events: list[Event] = []
        self.regulator = Regulator(
            self.settings,
            RATE,
            self.pipeline,
            self.outlet,
            StateWatch(self.events.append, clock.monotonic, lambda: 0.0),
            self.events.append,
            has_small_model=has_small_model,
            health=HealthReader(sysfs),
            cores=cores,
        )

    def run(self, seconds: float, full_ms: float) -> None:
        """Frames come at the camera's rate; one takes ``full_ms`` at full quality, less on lower levels."""
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            level = self.pipeline.level
            left = (1.0 if level.refine else 0.8) * (0.9 if level.blur_coarser else 1)
            self.regulator.processed(full_ms * left * (0.5 if level.small_model else 1))
            self.regulator.step()
            self.clock.now_s += level.every / RATE

    def follow(self, patch: Mapping[str, Any]) -> None:
        self.settings = self.settings.patched(patch)
        self.regulator.follow(self.settings)

    def said(self, name: str) -> list[Mapping[str, Any]]:
        return [event.payload for event in self.events if event.name == name]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def heat(tmp_path: Path) -> Path:
    """Of the processor, in thousandths of a degree."""
    zone = tmp_path / "class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("50000\n")
    return zone / "temp"


@pytest.fixture
def supply(tmp_path: Path) -> Path:
    """Whether it is too weak."""
    monitor = tmp_path / "class/hwmon/hwmon0"
    monitor.mkdir(parents=True)
    (monitor / "name").write_text("rpi_volt\n")
    (monitor / "in0_lcrit_alarm").write_text("0\n")
    return monitor / "in0_lcrit_alarm"


def make(
    clock: Clock, sysfs: Path, patch: Mapping[str, Any] | None = None, *, small: bool = False, cores: int = 1
) -> Rig:
    return Rig(clock, sysfs, patch or {}, has_small_model=small, cores=cores)


def test_with_time_enough_nothing_changes(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(40, 8)
    assert rig.regulator.level == rig.pipeline.level == Level(0)
    assert rig.regulator.reason is None
    assert rig.events == []


def test_a_slow_segmenter_lowers_the_level_within_two_seconds(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(2, 40)
    assert rig.pipeline.level.number > 0
    assert rig.regulator.level == rig.pipeline.level
    assert rig.regulator.reason == "time"
    first = rig.said("level_changed")[0]
    assert (first["previous_level"], first["reason"]) == (0, "time")
    rig.run(5, 40)
    settled = rig.pipeline.level
    assert settled.every > 1
    assert rig.said("level_changed")[-1]["level"] == settled.number
    rig.run(20, 40)
    assert rig.pipeline.level == settled


def test_the_outlet_expects_frames_as_often_as_they_are_processed(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(7, 60)
    assert rig.pipeline.level.every > 1
    assert rig.outlet.interval_s == pytest.approx(rig.pipeline.level.every / RATE)


def test_with_leave_to_reuse_masks_frames_are_expected_at_the_camera_s_rate(
    clock: Clock, tmp_path: Path
) -> None:
    rig = make(clock, tmp_path, {"budget": {"reuse_masks": True}})
    rig.run(7, 60)
    assert rig.pipeline.level.every > 1
    assert rig.outlet.interval_s == pytest.approx(1 / RATE)


def test_when_there_is_time_again_quality_comes_back(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(7, 40)
    rig.run(200, 5)
    assert rig.pipeline.level == Level(0)
    assert rig.regulator.reason is None
    assert rig.said("level_changed")[-1]["level"] == 0


def test_the_small_model_is_taken_only_where_there_is_one(clock: Clock, tmp_path: Path) -> None:
    for small in (False, True):
        rig = make(clock, tmp_path, small=small)
        rig.run(10, 200)
        assert rig.pipeline.level.every > 1
        assert rig.pipeline.level.small_model is small


def test_without_leave_to_adapt_nothing_changes(clock: Clock, tmp_path: Path, heat: Path) -> None:
    heat.write_text("95000\n")
    rig = make(clock, tmp_path, {"budget": {"is_adaptive": False}})
    rig.run(20, 100)
    rig.follow({"matte": {"refine": False}})
    rig.run(20, 100)
    assert rig.pipeline.level.number == 0
    assert rig.regulator.level.number == 0
    assert rig.regulator.reason is None
    assert rig.said("level_changed") == []
    assert rig.said("filter_frame_duration_high") != []


def test_a_smaller_budget_lowers_the_level_and_a_larger_one_gives_it_back(
    clock: Clock, tmp_path: Path
) -> None:
    rig = make(clock, tmp_path)
    rig.run(5, 12)
    assert rig.pipeline.level == Level(0)
    rig.follow({"processing_budget_per_frame": 10})
    rig.run(5, 12)
    assert rig.pipeline.level.number > 0
    rig.follow({"processing_budget_per_frame": 90})
    rig.run(200, 12)
    assert rig.pipeline.level == Level(0)


def test_another_wish_for_refinement_is_another_ladder(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(7, 60)
    lowered = rig.pipeline.level.number
    assert lowered > 0
    rig.follow({"matte": {"refine": False}})
    assert rig.pipeline.level == ladder(refine=False, has_small_model=False)[0]
    last = rig.said("level_changed")[-1]
    assert (last["level"], last["previous_level"], last["reason"]) == (0, lowered, None)
    rig.run(7, 60)
    assert rig.said("level_changed")[-1]["level"] == rig.pipeline.level.number > 0


def test_leave_to_adapt_may_be_taken_and_given_while_it_runs(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(7, 60)
    assert rig.pipeline.level.number > 0
    rig.follow({"budget": {"is_adaptive": False}})
    assert rig.regulator.level == rig.pipeline.level == Level(0)
    rig.run(20, 60)
    assert rig.pipeline.level == Level(0)
    rig.follow({"budget": {"is_adaptive": True}})
    rig.run(7, 60)
    assert rig.pipeline.level.number > 0


def test_settings_of_no_concern_change_nothing(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(7, 60)
    before, said = rig.pipeline.level, len(rig.events)
    rig.follow({"strength": "high"})
    assert rig.pipeline.level == before
    assert len(rig.events) == said


def test_heat_takes_a_level_and_gives_it_back(clock: Clock, tmp_path: Path, heat: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(5, 5)
    heat.write_text("82000\n")
    rig.run(3, 5)
    assert rig.pipeline.level.number == 1
    assert rig.regulator.reason == "temperature"
    assert rig.said("level_changed")[-1]["reason"] == "temperature"
    rig.run(31, 5)
    assert rig.pipeline.level.number == 2
    heat.write_text("60000\n")
    rig.run(400, 5)
    assert rig.pipeline.level == Level(0)


def test_a_weak_supply_halves_the_rate(clock: Clock, tmp_path: Path, supply: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(2, 5)
    supply.write_text("1\n")
    rig.run(2, 5)
    assert rig.pipeline.level.every == 2
    assert rig.regulator.reason == "under-voltage"


def test_heavy_filtering_is_reported_once_a_period(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path, {"budget": {"is_adaptive": False}})
    rig.run(5.5, 30)
    assert len(rig.said("filter_frame_duration_high")) == 5
    assert len(rig.said("filter_cpu_utilization_high")) == 5
    rig.follow({"reporting_period_ms": 2000})
    rig.run(6.5, 30)
    reports = rig.said("filter_frame_duration_high")[5:]
    assert len(reports) == 3
    assert all(report["period_ms"] == pytest.approx(2000, abs=40) for report in reports)


def test_what_counts_as_heavy_follows_the_settings(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(5.5, 5)
    assert rig.events == []
    rig.follow({"filter_cpu_utilization": 10})
    rig.run(5.5, 5)
    assert len(rig.said("filter_cpu_utilization_high")) == 5


def test_a_rate_below_one_per_second_is_never_chosen(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.run(60, 5000)
    assert rig.pipeline.level.every == 24
    assert np.isclose(rig.outlet.interval_s, 24 / RATE)


def test_a_camera_that_delivers_less_than_was_asked_is_judged_by_what_it_delivers(
    clock: Clock, tmp_path: Path
) -> None:
    rig = make(clock, tmp_path, {"budget": {"is_adaptive": False}, "filter_cpu_utilization": 100.0})
    rig.regulator.retime(15.0)
    for _ in range(45):  # three seconds of 15 frames that take 40 ms: slow at 30 per second, not at 15
        rig.regulator.processed(40)
        rig.regulator.step()
        clock.now_s += 1 / 15
    assert rig.events == []
    for _ in range(45):
        rig.regulator.processed(60)
        rig.regulator.step()
        clock.now_s += 1 / 15
    payloads = rig.said("filter_frame_duration_high")
    assert payloads
    assert all(payload["frame_rate"] == 15 for payload in payloads)
    assert all(abs(payload["frames_dropped"]) <= 1 for payload in payloads)


def test_the_budget_and_the_outlet_follow_what_the_camera_delivers(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path)
    rig.regulator.retime(4.0)
    assert rig.outlet.interval_s == 0.25
    for _ in range(40):  # half of 250 ms is allowed
        rig.regulator.processed(100)
        clock.now_s += 0.25
    assert rig.pipeline.level == Level(0)
    rig.regulator.retime(RATE)
    assert rig.outlet.interval_s == pytest.approx(1 / RATE)
    rig.run(2, 100)
    assert rig.pipeline.level.number > 0
    level = rig.pipeline.level
    rig.regulator.retime(RATE)
    assert rig.pipeline.level == level, "the same rate is no news"


def two_halves(rig: Rig, seconds: float, finding_ms: float, composing_ms: float) -> None:
    end_s = rig.clock.now_s + seconds
    while rig.clock.now_s < end_s:
        rig.regulator.processed(finding_ms, composing_ms)
        rig.clock.now_s += rig.pipeline.level.every / RATE


def test_on_two_cores_frames_overlap_before_quality_gives_way(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path, cores=2)
    two_halves(rig, 120, 15, 12)
    assert rig.regulator.is_overlapping
    assert rig.pipeline.level == Level(0)
    assert rig.events == []


def test_on_one_core_quality_gives_way_at_once(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path, cores=1)
    two_halves(rig, 5, 15, 12)
    assert not rig.regulator.is_overlapping
    assert rig.pipeline.level.number > 0


def test_while_frames_overlap_the_longer_half_is_held_against_the_budget(
    clock: Clock, tmp_path: Path
) -> None:
    for finding_ms, composing_ms in ((30, 12), (12, 30)):
        rig = make(clock, tmp_path, cores=2)
        two_halves(rig, 3, finding_ms, composing_ms)
        assert rig.regulator.is_overlapping
        assert rig.pipeline.level.number > 0
        assert rig.said("level_changed")[0]["reason"] == "time"


def test_what_is_reported_as_heavy_is_both_halves(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path, {"processing_budget_per_frame": 100}, cores=2)
    for _ in range(4):
        two_halves(rig, 1.1, 15, 14)
        rig.regulator.step()
    assert rig.regulator.is_overlapping
    assert rig.pipeline.level == Level(0)
    assert rig.said("filter_frame_duration_high")[-1]["avg_filter_duration_ms"] == pytest.approx(29)


def test_overlapping_ends_when_there_is_time_enough(clock: Clock, tmp_path: Path) -> None:
    rig = make(clock, tmp_path, cores=2)
    two_halves(rig, 5, 12, 12)
    assert rig.regulator.is_overlapping
    two_halves(rig, 15, 2, 2)
    assert not rig.regulator.is_overlapping
    two_halves(rig, 60, 7, 7)
    assert not rig.regulator.is_overlapping
    assert rig.pipeline.level == Level(0)


@pytest.mark.parametrize(("mode", "is_on"), [("on", True), ("off", False)])
def test_the_settings_say_whether_frames_overlap(
    clock: Clock, tmp_path: Path, mode: str, is_on: bool
) -> None:
    rig = make(clock, tmp_path, {"budget": {"overlap": mode}}, cores=2)
    for finding_ms in (1, 60, 1):
        two_halves(rig, 20, finding_ms, 1)
        assert rig.regulator.is_overlapping == is_on

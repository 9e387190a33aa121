"""The budget: down in time, calmly, and back up; readings of the board; refusals."""

import random
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrim.core.budget import Budget, Change, Level, ladder

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from budget_simulation import scenarios

LADDER = ladder(refine=True, has_small_model=True)
PLAIN = scenarios.FrameCost(fixed=2, segment=5, refine=3, blur=2)


class Camera:
    """Feeds a budget at a steady rate; each level's cost and the load can be set."""

    def __init__(self, budget: Budget, rate: float = 30.0, cost: scenarios.FrameCost = PLAIN) -> None:
        self.budget, self.rate, self.cost = budget, rate, cost
        self.now_s, self.load = 100.0, 1.0
        self.changes: list[Change] = []

    def run(self, seconds: float) -> list[Change]:
        """Process frames; the changes that this brought."""
        begin, end_s = len(self.changes), self.now_s + seconds
        while self.now_s < end_s:
            spent_ms = self.load * self.cost.at(self.budget.level)
            self.now_s += max(self.budget.level.every / self.rate, spent_ms / 1000)
            self.note(self.budget.add(spent_ms, self.now_s))
        return self.changes[begin:]

    def note(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append(change)

    def read(self, seconds: int, temperature_c: float | None = None, is_under_voltage: bool = False) -> None:
        """Process frames, with a reading of the board each second."""
        for _ in range(seconds):
            self.note(self.budget.limit(self.now_s, temperature_c, is_under_voltage=is_under_voltage))
            self.run(1)

    def gone(self, seconds: float) -> None:
        """No frames for a while."""
        self.now_s += seconds


@pytest.fixture
def camera() -> Camera:
    return Camera(Budget(LADDER, 50, 1000 / 30))


# ── the ladder ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cheapest_loss_comes_first():
    refine, blur, small, half = LADDER[1:5]
    assert LADDER[0] == Level(0, refine=True, blur_coarser=0, small_model=False, every=1)
    assert not refine.refine
    assert (refine.blur_coarser, blur.blur_coarser) == (0, 1)
    assert (blur.small_model, small.small_model) == (False, True)
    assert (small.every, half.every) == (1, 2)


def test_each_level_keeps_what_was_given_up_before():
    for above, below in pairwise(LADDER):
        assert below.number == above.number + 1
        assert below.refine <= above.refine
        assert below.blur_coarser >= above.blur_coarser
        assert below.small_model >= above.small_model
        assert below.every >= above.every


def test_what_is_not_there_is_no_step():
    short = ladder(refine=False, has_small_model=False)
    assert not any(level.refine or level.small_model for level in short)
    assert [level.every for level in short[:4]] == [1, 1, 2, 3]


@pytest.mark.parametrize(("rate", "slowest"), [(5, 4), (15, 12), (30, 24), (60, 48)])
def test_the_picture_changes_at_least_once_per_second(rate, slowest):
    assert ladder(True, True, rate)[-1].every == slowest


# ── up and down ─────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_happens_within_the_budget(camera):
    assert camera.run(60) == []
    assert (camera.budget.level.number, camera.budget.reason) == (0, None)


def test_an_overload_costs_quality_within_two_seconds_and_says_why(camera):
    camera.run(20)
    step_s, camera.load = camera.now_s, 2.0
    first = camera.run(2)[0]
    assert first.since_s - step_s <= 2
    assert (first.previous.number, first.reason) == (0, "time")
    assert first.load == pytest.approx(2 * PLAIN.full_ms / (0.5 * 1000 / 30), rel=0.01)
    assert (camera.budget.level, camera.budget.reason) == (camera.changes[-1].level, "time")


def test_times_of_another_measure_are_judged_by_themselves(camera):
    camera.run(20)
    camera.load = 1.3
    camera.run(0.4)
    camera.budget.measure_anew(camera.now_s)
    camera.load = 0.9
    assert camera.run(60) == [], "what was measured before says nothing"
    camera.load = 2.0
    camera.budget.measure_anew(camera.now_s)
    begin_s = camera.now_s
    assert camera.run(5)[0].since_s - begin_s <= 2


def test_full_quality_comes_back_after_half_a_minute_of_room(camera):
    camera.run(20)
    camera.load = 5.0
    camera.run(40)
    eased_s, camera.load = camera.now_s, 1.0
    changes = camera.run(45)
    assert [change.level.number for change in changes] == [0]
    assert changes[0].reason is None
    assert 20 <= changes[0].since_s - eased_s <= 35
    assert camera.run(300) == []


def test_a_burst_that_ends_with_the_change_does_not_cost_quality_for_ever(camera):
    camera.run(40)
    camera.load = 2.0
    while not camera.changes:
        camera.run(0.01)
    camera.load = 1.0  # the lever seems to have saved what the end of the burst has
    camera.run(400)
    assert camera.budget.level.number == 0
    assert camera.run(600) == []


def test_a_little_room_is_not_enough(camera):
    camera.load = 1.5
    camera.run(60)
    down = camera.budget.level.number
    assert down > 0
    camera.load = 0.97 * 0.5 * 1000 / 30 / PLAIN.full_ms
    assert camera.run(600) == []
    assert camera.budget.level.number == down


def test_single_slow_frames_do_not_count(camera):
    for _ in range(30):
        camera.run(2)
        camera.now_s += 0.4
        assert camera.budget.add(400.0, camera.now_s) is None
    assert camera.changes == []


def test_a_level_that_fails_is_tried_ever_less_often(camera):
    camera.run(40)
    for _ in range(60):  # calm for long enough to step up, overloaded soon after, for an hour
        camera.load = 2.0
        camera.run(5)
        camera.load = 1.0
        camera.run(55)
    climbs = [change.since_s for change in camera.changes if change.level.number < change.previous.number]
    middle_s = camera.now_s - 1800
    early, late = [at for at in climbs if at < middle_s], [at for at in climbs if at >= middle_s]
    assert 3 <= len(early) <= 10
    assert len(late) <= len(early) / 3


def test_frames_that_stop_and_come_back_are_no_reason(camera):
    camera.run(20)
    camera.gone(600)
    assert camera.run(20) == []


def test_an_overload_from_before_a_pause_is_forgotten(camera):
    camera.run(20)
    camera.load = 2.0
    camera.run(0.3)
    camera.gone(60)
    camera.load = 1.0
    assert camera.run(20) == []


def test_a_smaller_budget_is_kept_and_a_larger_one_used(camera):
    camera.run(10)
    camera.budget.retarget(25)
    assert camera.run(5)[0].reason == "time"
    camera.budget.retarget(90)
    assert camera.run(60)[-1].level.number == 0


def test_the_bottom_of_the_ladder_is_the_end():
    camera = Camera(Budget(LADDER, 1, 1000 / 30))
    camera.load = 100
    camera.run(60)
    assert camera.budget.level == LADDER[-1]
    assert camera.run(60) == []


def test_a_ladder_of_one_level_never_changes():
    camera = Camera(Budget((Level(0),), 50, 1000 / 30))
    camera.load = 50
    camera.read(60, temperature_c=90, is_under_voltage=True)
    assert camera.changes == []


def test_a_lever_that_saves_nothing_is_passed_over():
    camera = Camera(
        Budget(LADDER, 50, 1000 / 30), cost=scenarios.FrameCost(fixed=5, segment=25, refine=0, blur=0)
    )
    camera.run(20)
    assert camera.budget.level.every == 2
    assert camera.run(300) == []


# ── heat and under-voltage ──────────────────────────────────────────────────────────────────────────────────


def test_heat_takes_one_level_at_a_time(camera):
    camera.read(70, temperature_c=82)
    assert [(change.level.number, change.reason) for change in camera.changes] == [
        (1, "temperature"), (2, "temperature"), (3, "temperature"),
    ]  # fmt: skip
    assert camera.budget.reason == "temperature"


def test_between_hot_and_cool_nothing_changes(camera):
    camera.read(10, temperature_c=80)
    camera.read(600, temperature_c=77)
    assert [change.level.number for change in camera.changes] == [1]


def test_quality_comes_back_when_it_is_cool(camera):
    camera.read(10, temperature_c=85)
    camera.read(120, temperature_c=70)
    assert (camera.budget.level.number, camera.budget.reason) == (0, None)


def test_heat_that_returns_is_given_twice_the_time(camera):
    cool_s = []
    for _ in range(4):
        camera.read(2, temperature_c=81)
        assert camera.budget.level.number == 1
        begin_s = camera.now_s
        while camera.budget.level.number:
            camera.read(1, temperature_c=70)
        cool_s.append(camera.now_s - begin_s)
    assert [round(later / earlier) for earlier, later in pairwise(cool_s)] == [2, 2, 2]


def test_an_unknown_temperature_changes_nothing(camera):
    camera.read(10, temperature_c=85)
    camera.read(300, temperature_c=None)
    assert camera.budget.level.number == 1


def test_under_voltage_halves_the_output_rate_at_once(camera):
    camera.run(5)
    change = camera.budget.limit(camera.now_s, is_under_voltage=True)
    assert change is not None
    assert (change.level.every, change.reason) == (2, "under-voltage")
    camera.read(30, is_under_voltage=True)
    assert camera.budget.level == change.level
    camera.read(120)
    assert camera.budget.level.number == 0


def test_under_an_overload_heat_gives_nothing_back(camera):
    camera.load = 5.0
    camera.run(20)
    by_time = camera.budget.level
    camera.read(20, temperature_c=85)
    assert (camera.budget.level, camera.budget.reason) == (by_time, "time")


def test_time_goes_below_the_floor_and_returns_to_it(camera):
    camera.read(10, temperature_c=82)
    camera.load = 6.0
    camera.read(20, temperature_c=77)
    assert camera.budget.reason == "time"
    camera.load = 1.0
    camera.read(60, temperature_c=77)
    assert (camera.budget.level.number, camera.budget.reason) == (1, "temperature")


def test_when_the_heat_has_gone_but_not_the_load_the_reason_says_so(camera):
    camera.run(20)
    camera.read(100, temperature_c=82)
    camera.load = 2.2
    camera.read(150, temperature_c=60)
    assert camera.budget.level.number > 0
    assert camera.budget.reason == "time"


# ── refusals, and whatever comes ────────────────────────────────────────────────────────────────────────────

NO_TIMES = [float("nan"), float("inf"), float("-inf"), -0.001]


@pytest.mark.parametrize("bad", NO_TIMES)
def test_what_is_no_time_is_refused(camera, bad):
    with pytest.raises(ValueError, match="processing_ms"):
        camera.budget.add(bad, 1.0)
    with pytest.raises(ValueError, match="now_s"):
        camera.budget.add(1.0, bad)
    with pytest.raises(ValueError, match="now_s"):
        camera.budget.limit(bad)


def test_time_does_not_run_backwards(camera):
    camera.run(1)
    with pytest.raises(ValueError, match="not before"):
        camera.budget.add(1.0, camera.now_s - 1)


def test_a_temperature_that_is_none_is_refused(camera):
    with pytest.raises(ValueError, match="temperature_c"):
        camera.budget.limit(1.0, float("nan"))


@pytest.mark.parametrize("percent", [0, 0.99, 100.01, -5, float("nan"), float("inf")])
def test_a_budget_outside_1_to_100_is_refused(camera, percent):
    with pytest.raises(ValueError, match="from 1 to 100"):
        Budget(LADDER, percent, 33.3)
    with pytest.raises(ValueError, match="from 1 to 100"):
        camera.budget.retarget(percent)


@pytest.mark.parametrize("interval_ms", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(interval_ms):
    with pytest.raises(ValueError, match="frame_interval_ms"):
        Budget(LADDER, 50, interval_ms)


@pytest.mark.parametrize("levels", [(), LADDER[1:], LADDER[::-1]])
def test_a_ladder_out_of_order_is_refused(levels):
    with pytest.raises(ValueError, match="numbered from 0"):
        Budget(levels, 50, 33.3)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_ladder_needs_a_frame_rate(rate):
    with pytest.raises(ValueError, match="frame_rate"):
        ladder(True, True, rate)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    frames=st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 20)), max_size=300),
    readings=st.lists(st.tuples(st.floats(-40, 150) | st.none(), st.booleans()), min_size=1, max_size=20),
    percent=st.floats(1, 100),
)
def test_whatever_comes_the_level_is_on_the_ladder(frames, readings, percent):
    budget, now_s = Budget(LADDER, percent, 33.3), 0.0
    for number, (spent_ms, pause_s) in enumerate(frames):
        now_s += pause_s
        temperature_c, is_under_voltage = readings[number % len(readings)]
        before = budget.level
        change = budget.add(spent_ms, now_s)
        if change is None and number % 7 == 0:
            change = budget.limit(now_s, temperature_c, is_under_voltage=is_under_voltage)
        if change is not None:
            assert (change.level, change.previous, change.reason) == (budget.level, before, budget.reason)
            assert change.since_s == now_s
        assert budget.level in LADDER
        assert (budget.reason is None) == (budget.level.number == 0)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_a_load_that_wanders_does_not_make_it_nervous(seed):
    chance, camera = random.Random(seed), Camera(Budget(LADDER, 50, 1000 / 30))
    for _ in range(300):
        camera.load = min(6.0, max(0.3, camera.load * chance.lognormvariate(0, 0.15)))
        camera.run(1)
    climbs = [change.since_s for change in camera.changes if change.level.number < change.previous.number]
    assert all(later - earlier >= 30 for earlier, later in pairwise(climbs))
    assert len(camera.changes) <= 300 / 30 * 5


def test_the_state_is_bounded(camera):
    camera.run(400)
    times = camera.budget._times
    sizes = [len(times._frames), len(times._jumps), len(times._seconds), len(times._second)]
    camera.run(400)
    assert [len(times._frames), len(times._jumps), len(times._seconds)] == sizes[:3]
    assert max(sizes) <= 320

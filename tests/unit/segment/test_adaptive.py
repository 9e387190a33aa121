"""How many threads an inference has: as many as the machine is free for, by a scripted clock."""

import threading
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from scrim.core.segment.adaptive import AdaptiveSegmenter, ThreadChoice
from scrim.errors import ModelError, SegmentError
from scrim.frame import Mask, Plane

FAST_MS, COLLAPSED_MS = 2.0, 60.0
RGB: Plane = np.zeros((4, 8, 3), np.uint8)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Scripted:
    """A model of which each inference takes what the script says."""

    def __init__(self, clock: Clock, value: int, spent_ms: Callable[[], float]) -> None:
        self._clock, self._spent_ms = clock, spent_ms
        self._mask: Mask = np.full((4, 8), value, np.uint8)
        self.input_size = (8, 4)
        self.calls = 0
        self.is_closed = False
        self.error: SegmentError | None = None

    def segment(self, rgb: Plane) -> Mask:
        self.calls += 1
        self._clock.now_s += self._spent_ms() / 1000
        if self.error is not None:
            raise self.error
        return self._mask

    def close(self) -> None:
        self.is_closed = True


class Machine:
    """A camera of 30 frames a second on a machine that is free, or busy."""

    def __init__(self, *, fails: bool = False) -> None:
        self.clock = Clock()
        self.is_busy = False
        self.made = threading.Event()
        self.may_make = threading.Event()
        self.may_make.set()
        self.fails = fails
        self.several = Scripted(self.clock, 2, lambda: COLLAPSED_MS if self.is_busy else FAST_MS)
        self.single = Scripted(self.clock, 1, lambda: 1.6 * FAST_MS)
        choice = ThreadChoice(self.clock)
        self.segmenter = AdaptiveSegmenter(self.several, self._make, choice, self.clock)

    def _make(self) -> Scripted:
        self.may_make.wait(180)
        self.made.set()
        if self.fails:
            raise ModelError("out of memory")
        return self.single

    def run(self, seconds: float) -> list[int]:
        """Which of the two answered each frame."""
        answers = []
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            next_s = self.clock.now_s + 1 / 30
            answers.append(int(self.segmenter.segment(RGB)[0, 0]))
            if self.segmenter._making is not None and self.may_make.is_set():
                self.segmenter._making.join(180)
            self.clock.now_s = max(next_s, self.clock.now_s)
        return answers


def test_on_a_free_machine_several_threads_work():
    machine = Machine()
    assert set(machine.run(120)) == {2}
    assert not machine.made.is_set(), "and the other is not even loaded"


def test_on_a_busy_machine_one_thread_takes_over_within_two_seconds():
    machine = Machine()
    machine.run(5)
    machine.is_busy = True
    machine.run(2)
    assert machine.segmenter.is_single
    assert set(machine.run(20)) == {1}


def test_several_are_tried_again_and_stay_where_the_machine_is_free():
    machine = Machine()
    machine.run(5)
    machine.is_busy = True
    machine.run(2)
    machine.is_busy = False
    machine.run(31)
    assert set(machine.run(180)) == {2}


def test_where_it_stays_busy_they_are_tried_ever_less_often():
    machine = Machine()
    machine.run(5)
    machine.is_busy = True
    answers = machine.run(1800)
    tries = sum(1 for before, after in pairwise(answers) if (before, after) == (1, 2))
    assert 3 <= tries <= 8
    assert answers.count(2) < 0.02 * len(answers)


def test_a_machine_that_is_busy_from_the_start_is_known_by_what_was_timed_before():
    clock = Clock()
    knowing, ignorant = ThreadChoice(clock, best_ms=FAST_MS), ThreadChoice(clock)
    for _ in range(20):
        clock.now_s += 1 / 30
        for choice in (knowing, ignorant):
            choice.took(COLLAPSED_MS)
    assert knowing.is_single
    assert not ignorant.is_single


def test_a_single_slow_inference_changes_nothing():
    machine = Machine()
    machine.run(5)
    for _ in range(20):
        machine.is_busy = True
        machine.segmenter.segment(RGB)
        machine.is_busy = False
        machine.run(1)
    assert not machine.segmenter.is_single


def test_until_the_other_is_loaded_frames_have_their_masks():
    machine = Machine()
    machine.run(5)
    machine.may_make.clear()
    machine.is_busy = True
    assert set(machine.run(5)) == {2}, "nobody waited"
    machine.may_make.set()
    assert machine.run(1)[-1] == 1


def test_where_it_cannot_be_loaded_several_go_on(caplog: pytest.LogCaptureFixture):
    machine = Machine(fails=True)
    machine.run(5)
    machine.is_busy = True
    assert set(machine.run(10)) == {2}
    assert "out of memory" in caplog.text


def test_an_error_of_either_is_an_error():
    machine = Machine()
    machine.several.error = SegmentError("broken")
    with pytest.raises(SegmentError, match="broken"):
        machine.segmenter.segment(RGB)


def test_both_are_closed_also_one_that_is_still_being_made():
    machine = Machine()
    machine.run(5)
    machine.is_busy = True
    machine.run(2)
    machine.segmenter.close()
    assert machine.several.is_closed
    assert machine.single.is_closed
    late = Machine()
    late.run(5)
    late.may_make.clear()
    late.is_busy = True
    late.run(2)
    making = late.segmenter._making
    late.segmenter.close()
    late.may_make.set()
    assert making is not None
    making.join(180)
    assert late.single.is_closed

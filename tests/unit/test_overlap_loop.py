"""Both halves of a frame in two threads: order, counts, faults, and what may still go out."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.waiting import until

from scrim.core import pipeline_loop
from scrim.core.composite.base import CoarsePlanes
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.composite.replace import PictureBackground, color_picture
from scrim.core.found import Found
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look, Pipeline
from scrim.core.pipeline_loop import PipelineLoop
from scrim.core.pyramid import Pyramid
from scrim.core.segment.constant import ScriptedSegmenter
from scrim.core.workers import Handover, Latest, running
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Matte, Planes, SafeFrame

SIZE = (96, 64)
MODEL = (48, 32)
NOBODY = np.zeros((32, 48), np.uint8)
PATIENCE_S = 60.0
NOW_NS = 10**12


class NotingOutlet(Outlet):
    """Remembers what it let in, and lets go of it."""

    def __init__(self) -> None:
        super().__init__(PlaceholderPainter(SIZE), 1 / 30, lambda: NOW_NS)
        self.let_in: list[tuple[int, str, Reason | None]] = []

    def put(self, frame: SafeFrame, reason: Reason | None = None) -> None:
        if self._may_go_out(frame):
            self.let_in.append((frame.sequence, frame.origin, reason))


class HeldBackground(PictureBackground):
    """Waits in the second half until it may go on."""

    def __init__(self) -> None:
        super().__init__(color_picture("#008080", SIZE))
        self.may_go_on, self.is_inside = threading.Event(), threading.Event()
        self.fault: Exception | None = None

    def planes(self, pyramid: Pyramid, matte: Matte) -> CoarsePlanes:
        self.is_inside.set()
        assert self.may_go_on.wait(PATIENCE_S)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        return super().planes(pyramid, matte)


class Rig:
    """A pipeline loop that overlaps while it is told to, before an outlet for which time stands still."""

    def __init__(self, *script: NDArray[np.uint8] | Exception, buffers: int = 4) -> None:
        self.background = HeldBackground()
        self.look = Look(1, self.background)
        self.pool = FramePool(SIZE, buffers)
        self.camera = FramePool(SIZE, 6)
        self.pipeline = Pipeline(SIZE, ScriptedSegmenter(script or [NOBODY], MODEL), self.look, self.pool)
        self.mailbox: Latest[Frame] = Latest()
        self.outlet = NotingOutlet()
        self.spent_ms: list[tuple[float, float]] = []
        self.failures: list[SegmentError] = []
        self.overlaps = True
        self.loop = PipelineLoop(
            self.pipeline,
            self.mailbox,
            self.outlet,
            lambda *spent: self.spent_ms.append(spent),
            self.failures.append,
            lambda: self.overlaps,
        )

    def shoot(self, sequence: int) -> None:
        i420 = self.camera.lease()
        assert i420 is not None
        i420[:] = 77
        self.mailbox.put(Frame(Planes.of(i420), sequence, sequence))

    def step(self, sequence: int) -> None:
        self.shoot(sequence)
        self.loop.step()

    @contextmanager
    def threads(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(running("composite", self.loop.finish, self.loop.close))
            stack.enter_context(running("pipeline", self.loop.step, self.mailbox.close))
            yield
            self.background.may_go_on.set()

    def shoot_and_wait(self, sequence: int) -> None:
        submitted = self.loop.submitted
        self.shoot(sequence)
        until(lambda: self.loop.submitted > submitted)

    def keep_both_halves_busy(self) -> None:
        """Frame 1 is being composited then, and the person of frame 2 is found."""
        self.shoot_and_wait(1)
        assert self.background.is_inside.wait(PATIENCE_S)
        self.shoot_and_wait(2)
        until(lambda: self.pipeline.clock.count.get("segment") == 2)


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.background.may_go_on.set()
    return rig


def test_a_frame_waits_for_its_second_half_and_no_third_is_begun(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline_loop, "_PATIENCE_S", 0.01)
    rig.step(1)
    rig.step(2)
    assert rig.outlet.let_in == []
    assert rig.loop.submitted == 2
    rig.step(3)
    assert rig.loop.submitted == 2, "the newest frame stays where a newer one may displace it"
    assert not rig.mailbox.is_empty
    rig.loop.finish()
    assert rig.outlet.let_in == [(1, "effect", None)]
    rig.loop.step()
    rig.loop.finish()
    rig.loop.finish()
    assert [sequence for sequence, _, _ in rig.outlet.let_in] == [1, 2, 3]
    assert rig.camera.free == 6


def test_without_overlap_a_frame_is_finished_at_once_and_no_thread_is_asked(rig: Rig):
    rig.overlaps = False
    rig.step(1)
    assert rig.outlet.let_in == [(1, "effect", None)]
    assert len(rig.pipeline._between) == 1


def test_when_overlapping_ends_what_waits_is_finished_first(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline_loop, "_PATIENCE_S", 0.01)
    rig.step(1)
    rig.overlaps = False
    rig.step(2)
    assert rig.outlet.let_in == []
    rig.loop.finish()
    rig.loop.step()
    assert [sequence for sequence, _, _ in rig.outlet.let_in] == [1, 2]


def test_two_threads_keep_the_order_and_lose_nothing():
    rig = Rig(*[NOBODY, NOBODY, SegmentError("planted"), NOBODY] * 50)
    rig.background.may_go_on.set()
    with rig.threads():
        for sequence in range(200):
            rig.overlaps = sequence // 10 % 3 != 0
            rig.shoot_and_wait(sequence)
        until(lambda: len(rig.spent_ms) == 200)
        until(lambda: rig.camera.free == 6)
    assert [sequence for sequence, _, _ in rig.outlet.let_in] == [n for n in range(200) if n % 4 != 2]
    assert (rig.loop.submitted, rig.loop.without_mask, rig.loop.without_buffer) == (200, 50, 0)
    assert len(rig.failures) == 50
    assert rig.pool.free == 4
    assert rig.loop.clock.histogram("total").cumulative()[-1] == 200


def test_the_next_person_is_found_while_a_picture_is_composited():
    rig = Rig()
    with rig.threads():
        rig.keep_both_halves_busy()
        assert rig.outlet.let_in == []
        rig.background.may_go_on.set()
        until(lambda: len(rig.outlet.let_in) == 2)


def change_settings(rig: Rig) -> None:
    rig.pipeline.swap(Look(2, PictureBackground(color_picture("#ff0000", SIZE))))
    rig.outlet.require(2)


def switch_the_effect_off(rig: Rig) -> None:
    rig.pipeline.swap(Look(2, None))
    rig.outlet.require(2)
    rig.outlet.hide(Reason.EFFECT_OFF)


def switch_the_camera_off(rig: Rig) -> None:
    rig.outlet.set_private(True)
    rig.pipeline.forget()


def blink(rig: Rig) -> None:
    switch_the_camera_off(rig)
    rig.outlet.set_private(False)


@pytest.mark.parametrize("deed", [change_settings, switch_the_effect_off, switch_the_camera_off, blink])
def test_nothing_of_before_goes_out_once_it_is_said(deed: Callable[[Rig], None]):
    """One frame is being composited then, and another one's person is found."""
    rig = Rig()
    with rig.threads():
        rig.keep_both_halves_busy()
        deed(rig)
        rig.background.may_go_on.set()
        until(lambda: rig.pipeline.ended == 2)
        until(lambda: len(rig.spent_ms) == (0 if deed is switch_the_effect_off else 2))
        until(lambda: rig.camera.free == 6)
    assert rig.outlet.let_in == []
    assert rig.pool.free == 4


def test_a_model_stays_until_both_frames_of_it_are_done_with():
    rig = Rig()
    with rig.threads():
        rig.keep_both_halves_busy()
        assert (rig.pipeline.begun, rig.pipeline.ended) == (2, 0)
        rig.background.may_go_on.set()
        until(lambda: rig.pipeline.ended == 2)


def test_no_free_buffer_is_counted_and_ends_nothing():
    rig = Rig(buffers=1)
    rig.background.may_go_on.set()
    held = rig.pool.lease()
    rig.step(1)
    rig.loop.finish()
    assert rig.loop.without_buffer == rig.loop.dropped == 1
    del held
    rig.step(2)
    rig.loop.finish()
    assert rig.outlet.let_in == [(2, "effect", None)]


def test_the_reason_of_a_placeholder_goes_with_its_own_picture(rig: Rig):
    rig.pipeline.swap(Look(1, None))
    rig.step(1)
    rig.pipeline.swap(rig.look)
    rig.step(2)
    rig.loop.finish()
    rig.loop.finish()
    assert rig.outlet.let_in == [(-1, "placeholder", Reason.EFFECT_OFF), (2, "effect", None)]


def test_what_breaks_in_either_half_is_logged_and_the_next_frame_is_shown(caplog: pytest.LogCaptureFixture):
    rig = Rig(NOBODY, ValueError("broken model"), NOBODY, NOBODY)
    rig.background.may_go_on.set()
    with caplog.at_level(logging.ERROR), rig.threads():
        for sequence in range(1, 4):
            rig.background.fault = OSError("broken compositor") if sequence == 3 else None
            rig.shoot_and_wait(sequence)
            until(lambda done=sequence: rig.pipeline.ended == done)  # type: ignore[misc]
        rig.shoot_and_wait(4)
        until(lambda: len(rig.outlet.let_in) == 2)
        until(lambda: len(rig.spent_ms) == 4)
    assert [sequence for sequence, _, _ in rig.outlet.let_in] == [1, 4]
    assert {"pipeline: ValueError: broken model", "composite: OSError: broken compositor"} <= {
        record.getMessage() for record in caplog.records
    }


@pytest.mark.parametrize("fault", [SegmentError("planted"), ValueError("planted")])
def test_a_frame_that_fails_gives_its_buffer_back_at_once(fault: Exception):
    rig = Rig(fault, NOBODY)
    rig.background.may_go_on.set()
    gc.disable()
    try:
        try:
            rig.step(1)
            rig.loop.finish()
        except ValueError:
            fault.__traceback__ = None
        assert rig.camera.free == 6
    finally:
        gc.enable()


def test_both_threads_end_soon_whatever_they_wait_for():
    rig = Rig()
    rig.background.may_go_on.set()
    begin_s = time.monotonic()
    with rig.threads():
        rig.shoot_and_wait(1)
    assert time.monotonic() - begin_s < PATIENCE_S
    assert not [thread for thread in threading.enumerate() if thread.name in ("pipeline", "composite")]


def test_what_both_halves_took_is_told_apart():
    rig = Rig()
    rig.background.may_go_on.set()
    for overlaps in (True, False):
        rig.overlaps = overlaps
        rig.step(1)
        rig.loop.finish() if overlaps else None
    assert len(rig.spent_ms) == 2
    assert all(finding_ms > 0 and composing_ms > 0 for finding_ms, composing_ms in rig.spent_ms)


def test_where_the_second_half_is_longer_a_frame_is_taken_no_sooner_than_needed():
    """Else it would grow old between the halves; a second half that is done early ends the wait."""
    rig = Rig()
    rig.loop._lead_s = PATIENCE_S
    with rig.threads():
        rig.shoot_and_wait(1)
        assert rig.background.is_inside.wait(PATIENCE_S)
        rig.loop._lead_s = PATIENCE_S
        rig.shoot(2)
        assert rig.loop.submitted == 1
        rig.background.may_go_on.set()
        until(lambda: len(rig.outlet.let_in) == 2)


# The handing over itself.


def test_work_is_taken_in_order_and_counts_until_it_is_finished():
    handover: Handover[int] = Handover()
    handover.put(1)
    handover.put(2)
    assert handover.wait_for_room(2, 0)
    assert not handover.wait_for_room(1, 0)
    with handover.take(0) as first:
        assert first == 1
        assert not handover.wait_for_room(1, 0)
    assert handover.wait_for_room(1, 0)
    with suppress(ValueError), handover.take(0) as second:
        assert second == 2
        raise ValueError("planted")
    assert handover.wait_for_room(0, 0)
    with handover.take(0) as nothing:
        assert nothing is None
    assert handover.wait_for_room(0, 0)


def test_a_closed_handover_keeps_nobody_waiting():
    handover: Handover[Found] = Handover()
    waiting = [
        threading.Thread(target=lambda: handover.take(PATIENCE_S).__enter__()),
        threading.Thread(target=lambda: handover.wait_for_room(-1, PATIENCE_S)),
    ]
    for thread in waiting:
        thread.start()
    handover.close()
    for thread in waiting:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()

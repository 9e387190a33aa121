"""What goes out when no fresh safe frame comes. Time stands still unless a test moves it."""

import threading
import time

import numpy as np
import pytest

from scrim.core import outlet as outlet_module
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.placeholder import CAPTIONS, PlaceholderPainter, Reason
from scrim.core.outlet import HOLD_S, Outlet
from scrim.frame import Frame, FramePool, Planes, SafeFrame

SIZE = (96, 64)
MS_NS = 1_000_000


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000 * MS_NS

    def __call__(self) -> int:
        return self.now_ns

    def pass_ms(self, ms: float) -> None:
        self.now_ns += round(ms * MS_NS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outlet(clock: Clock) -> Outlet:
    return Outlet(PlaceholderPainter(SIZE), 1 / 30, clock)


def picture(revision: int = 1, sequence: int = 0, taken_ns: int = 0) -> SafeFrame:
    frame = Frame(Planes.of(np.zeros((96, 96), np.uint8)), taken_ns, sequence)
    safe = Compositor(SIZE, FramePool(SIZE, 1)).pass_raw(frame, revision)
    assert safe is not None
    return safe


def origin(outlet: Outlet) -> str:
    taken = outlet.take()
    return "nothing" if taken is None else taken.origin


def test_the_first_thing_that_goes_out_is_the_placeholder(outlet: Outlet):
    taken = outlet.take()
    assert taken is not None
    assert taken.origin == "placeholder"
    assert outlet.reason is Reason.STARTING


def test_a_fresh_picture_goes_out_at_once(outlet: Outlet):
    fresh = picture()
    outlet.put(fresh)
    assert outlet.take() is fresh


def test_the_newest_of_two_goes_out_and_the_other_is_counted(outlet: Outlet):
    outlet.put(picture())
    newest = picture()
    outlet.put(newest)
    assert outlet.take() is newest
    assert outlet.displaced == 1


def test_whoever_waits_gets_the_picture_that_comes(clock: Clock):
    outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30, clock)
    got: list[SafeFrame | None] = []
    fresh = picture()
    thread = threading.Thread(target=lambda: got.append(outlet.take()))
    outlet.put(fresh)
    thread.start()
    thread.join(180)
    assert got == [fresh]


def test_the_last_picture_is_repeated_for_200_ms_and_no_longer(outlet: Outlet, clock: Clock):
    last = picture()
    outlet.put(last)
    outlet.take()
    for ms in (0, 100, 99):
        clock.pass_ms(ms)
        assert outlet.take() is last
    clock.pass_ms(1)
    assert HOLD_S == 0.2
    assert origin(outlet) == "placeholder"


def test_repeating_does_not_make_it_younger(outlet: Outlet, clock: Clock):
    outlet.put(picture())
    outlet.take()
    shown = []
    for _ in range(4):
        clock.pass_ms(60)
        shown.append(origin(outlet))
    assert shown == ["raw", "raw", "raw", "placeholder"]


def test_after_the_placeholder_the_old_picture_does_not_come_back(outlet: Outlet, clock: Clock):
    outlet.put(picture())
    outlet.take()
    clock.pass_ms(200)
    assert origin(outlet) == "placeholder"
    clock.pass_ms(-100)
    assert origin(outlet) != "raw"


def test_with_a_slow_camera_the_placeholder_waits_for_the_next_frame(clock: Clock):
    outlet = Outlet(PlaceholderPainter(SIZE), 1 / 5, clock)
    outlet.put(picture())
    outlet.take()
    clock.pass_ms(199)
    assert origin(outlet) == "raw"
    clock.pass_ms(2)
    assert origin(outlet) == "nothing"
    clock.pass_ms(98)
    assert origin(outlet) == "nothing"
    clock.pass_ms(2)
    assert origin(outlet) == "placeholder"


def test_nothing_older_than_the_required_revision_goes_out(outlet: Outlet):
    outlet.put(picture(revision=1))
    outlet.require(2)
    assert origin(outlet) == "placeholder"
    outlet.put(picture(revision=1))
    assert origin(outlet) == "placeholder"
    fresh = picture(revision=2)
    outlet.put(fresh)
    assert outlet.take() is fresh


def test_nothing_is_repeated_across_a_change_of_settings(outlet: Outlet, clock: Clock):
    outlet.put(picture(revision=1))
    outlet.take()
    outlet.require(2)
    assert origin(outlet) == "nothing"
    clock.pass_ms(200)
    assert origin(outlet) == "placeholder"


def test_a_picture_made_under_the_new_settings_already_stays(outlet: Outlet):
    fresh = picture(revision=2)
    outlet.put(fresh)
    outlet.require(2)
    assert outlet.take() is fresh


def test_revisions_never_go_back(outlet: Outlet):
    outlet.require(3)
    outlet.require(2)
    outlet.put(picture(revision=2))
    assert origin(outlet) == "placeholder"


def test_the_placeholder_bears_the_revision_in_effect(outlet: Outlet):
    outlet.require(4)
    taken = outlet.take()
    assert taken is not None
    assert taken.revision == 4


def test_dropping_shows_the_placeholder_at_once(outlet: Outlet):
    outlet.put(picture())
    outlet.take()
    outlet.put(picture())
    outlet.drop()
    assert origin(outlet) == "placeholder"


def test_a_drop_while_the_last_picture_is_on_its_way_to_the_sinks_is_not_waited_out(
    outlet: Outlet, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outlet_module, "REPEAT_INTERVAL_S", 3600)
    outlet.put(picture())
    outlet.take()
    outlet.drop()
    taker = threading.Thread(target=outlet.take, daemon=True)
    taker.start()
    taker.join(60)
    assert not taker.is_alive()


class Interrupted(PlaceholderPainter):
    """While it paints, another thread closes the camera."""

    outlet: Outlet
    is_waited_for = False

    def paint(self, reason: Reason, revision: int) -> SafeFrame:
        other = threading.Thread(target=self.outlet.set_private, args=[True], daemon=True)
        other.start()
        other.join(60)
        self.is_waited_for = other.is_alive()
        return super().paint(reason, revision)


def test_nobody_waits_for_the_placeholder_to_be_drawn(clock: Clock):
    painter = Interrupted(SIZE)
    painter.outlet = Outlet(painter, 1 / 30, clock)
    taken = painter.outlet.take()
    assert taken is not None
    assert taken.origin == "placeholder"
    assert not painter.is_waited_for


def test_what_was_forgotten_does_not_come_out_when_it_is_finished(outlet: Outlet, clock: Clock):
    outlet.put(picture())
    outlet.forget()
    outlet.put(picture(taken_ns=clock.now_ns))
    assert origin(outlet) == "placeholder"
    clock.pass_ms(1)
    outlet.put(picture(taken_ns=clock.now_ns))
    assert origin(outlet) != "placeholder"


def test_while_hidden_only_the_placeholder_goes_out(outlet: Outlet):
    outlet.put(picture())
    outlet.take()
    outlet.hide(Reason.EFFECT_OFF)
    outlet.put(picture())
    assert origin(outlet) == "placeholder"
    assert outlet.reason is Reason.EFFECT_OFF
    outlet.because(Reason.CAMERA_LOST)
    assert outlet.reason is Reason.EFFECT_OFF
    outlet.hide(None)
    assert origin(outlet) == "placeholder"
    assert outlet.reason is Reason.CAMERA_LOST
    outlet.put(picture())
    assert origin(outlet) == "raw"


def test_each_reason_has_a_placeholder_of_its_own(outlet: Outlet):
    shown = set()
    for reason in Reason:
        outlet.because(reason)
        taken = outlet.take()
        assert taken is not None
        shown.add(taken.i420.tobytes())
    assert len(shown) == len(CAPTIONS) == len(Reason)


def test_something_goes_out_about_ten_times_a_second_when_nothing_comes():
    outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30)
    begin_s = time.monotonic()
    for _ in range(3):
        assert origin(outlet) == "placeholder"
    assert time.monotonic() - begin_s >= 0.25


def test_what_is_handed_over_as_placeholder_says_why_while_it_plays(outlet: Outlet, clock: Clock):
    outlet.because(Reason.NO_SAFE_PICTURE)
    outlet.put(PlaceholderPainter(SIZE).paint(Reason.NOBODY, 1), Reason.NOBODY)
    assert outlet.reason is Reason.NO_SAFE_PICTURE
    assert origin(outlet) == "placeholder"
    assert outlet.reason is Reason.NOBODY
    clock.pass_ms(100)
    outlet.take()
    assert outlet.reason is Reason.NOBODY
    outlet.put(picture())
    outlet.take()
    assert outlet.reason is Reason.NO_SAFE_PICTURE


def test_nobody_is_no_reason_any_more_when_the_camera_is_lost(outlet: Outlet, clock: Clock):
    outlet.put(PlaceholderPainter(SIZE).paint(Reason.NOBODY, 1), Reason.NOBODY)
    outlet.take()
    outlet.because(Reason.CAMERA_LOST)
    clock.pass_ms(200)
    assert origin(outlet) == "placeholder"
    assert outlet.reason is Reason.CAMERA_LOST
    outlet.put(PlaceholderPainter(SIZE).paint(Reason.NOBODY, 1), Reason.NOBODY)
    outlet.take()
    outlet.drop()
    assert outlet.reason is Reason.CAMERA_LOST


def test_when_frames_come_seldom_the_placeholder_waits_and_repeats_end_all_the_same(
    outlet: Outlet, clock: Clock
):
    outlet.expect(1.0)
    outlet.put(picture())
    outlet.take()
    shown = []
    for ms in (199, 2, 1298, 2):
        clock.pass_ms(ms)
        shown.append(origin(outlet))
    assert shown == ["raw", "nothing", "nothing", "placeholder"]
    outlet.put(picture())
    outlet.take()
    outlet.expect(1 / 30)
    clock.pass_ms(200)
    assert origin(outlet) == "placeholder"

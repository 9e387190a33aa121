"""Who watches, and when the camera may be closed for want of anybody."""

import time
from pathlib import Path

import numpy as np
import pytest

from scrim.core.capture_loop import CaptureLoop
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.demand import LINGER_S, Demand
from scrim.core.loops import OutletLoop, SinkLoop, wait_for_placeholder
from scrim.core.outlet import Outlet
from scrim.core.privacy import Privacy
from scrim.core.sinks.v4l2loopback import V4L2LoopbackSink
from scrim.core.videodev2_fake import FakeLoopback
from scrim.core.workers import Latest
from scrim.frame import Caps, Frame, FramePool, Planes, SafeFrame


class Watched:
    def __init__(self, *, is_on: bool = True) -> None:
        self.now_s = 50.0
        self.changes: list[bool] = []
        self.demand = Demand(is_on=is_on, clock_s=lambda: self.now_s)
        self.demand.follow(lambda: self.changes.append(self.demand.is_there))

    def look(self, *consumers: int | None, after_s: float = 0.25) -> bool:
        self.now_s += after_s
        self.demand.look(consumers)
        return self.demand.is_there


def test_without_the_setting_somebody_is_always_there() -> None:
    watched = Watched(is_on=False)
    assert watched.look(0, after_s=1000)
    assert watched.changes == []


def test_nobody_is_there_until_somebody_is_seen() -> None:
    watched = Watched()
    assert not watched.demand.is_there
    assert not watched.look(0, 0)
    assert watched.look(0, 1)
    assert watched.changes == [True]


def test_one_output_of_which_nobody_can_tell_keeps_the_camera_open() -> None:
    watched = Watched()
    assert watched.look(0, None)
    assert watched.look(0, None, after_s=1000)


def test_the_camera_stays_open_for_a_while_after_the_last_one_left() -> None:
    watched = Watched()
    watched.look(1)
    assert watched.look(0, after_s=LINGER_S)
    assert watched.look(1)
    assert watched.look(0, after_s=LINGER_S)
    assert not watched.look(0)
    assert watched.changes == [True, False]


@pytest.mark.parametrize("count", [1, 3])
def test_coming_and_going_is_told_once_each(count: int) -> None:
    watched = Watched()
    for _ in range(3):
        watched.look(count)
    for _ in range(3):
        watched.look(0, after_s=LINGER_S)
    assert watched.changes == [True, False]


CAPS = Caps(96, 64, 30)


class Painter(PlaceholderPainter):
    """Counts what it paints."""

    painted = 0

    def paint(self, reason: Reason, revision: int) -> SafeFrame:
        self.painted += 1
        return super().paint(reason, revision)


class Webcam:
    """A camera, and a loopback device that programs read; the steps of each thread are done by hand.

    Attributes:
        seen_at_closing: the device's newest picture when the camera is closed.
        painted_at_closing: how often the placeholder was painted before the outlet's thread came to it.
        waited: the camera's state whenever somebody waited for the placeholder.
    """

    def __init__(self) -> None:
        self.watched = Watched()
        self.painter = Painter(CAPS.size)
        self.outlet = Outlet(self.painter, CAPS.frame_interval_s)
        self.node = FakeLoopback()
        sink = V4L2LoopbackSink("/dev/video10", lambda _: self.node, Path("/nonexistent"))
        self.sink = SinkLoop("webcam", sink, CAPS, PlaceholderPainter(CAPS.size))
        self.outgoing = OutletLoop(self.outlet, [self.sink.mailbox])
        self.privacy = Privacy(self.outlet)
        self.capture = CaptureLoop(
            "camera",
            self,
            Latest(),
            self.outlet,
            privacy=self.privacy,
            demand=self.watched.demand,
            hidden=self.wait,
        )
        self.capture.stop()  # so that it makes no pauses
        self.seen_at_closing = b""
        self.painted_at_closing = 0
        self.waited: list[str] = []

    def open(self) -> Caps:
        return CAPS

    def read(self) -> Frame:
        return Frame(Planes.of(np.full((96, 96), 77, np.uint8)), time.monotonic_ns(), 0)

    def close(self) -> None:
        """The other threads have their turn meanwhile."""
        self.painted_at_closing = self.painter.painted
        self.deliver()
        self.seen_at_closing = self.node.written[-1]

    def wait(self, since_ns: int) -> None:
        """For the placeholder, which takes its time."""
        self.waited.append(self.capture.state)
        self.deliver()
        wait_for_placeholder([self.sink], since_ns, 3600)

    def deliver(self) -> None:
        self.outgoing.step()
        self.sink.step()

    def play(self) -> SafeFrame:
        """One picture, filtered and delivered."""
        self.capture.step()
        safe = Compositor(CAPS.size, FramePool(CAPS.size, 1)).pass_raw(self.read(), 1)
        assert safe is not None
        self.outlet.put(safe)
        self.deliver()
        return safe


def test_at_rest_the_webcam_shows_the_placeholder_before_the_camera_is_closed() -> None:
    """Who comes next is handed the newest picture that the device has."""
    webcam = Webcam()
    webcam.watched.look(1)
    last = webcam.play()
    assert webcam.node.written[-1] == last.i420.tobytes()
    webcam.watched.look(0, after_s=2 * LINGER_S)
    webcam.capture.step()
    assert webcam.capture.state == "idle"
    placeholder = PlaceholderPainter(CAPS.size).paint(Reason.IDLE, 0)
    assert webcam.seen_at_closing == placeholder.i420.tobytes()
    assert webcam.painted_at_closing, "drawing it takes time: it is done before the last picture is dropped"


@pytest.mark.parametrize("state", ["idle", "off"])
def test_the_camera_is_said_to_be_closed_once_the_webcam_shows_the_placeholder(state: str) -> None:
    webcam = Webcam()
    webcam.watched.look(1)
    last = webcam.play()
    if state == "off":
        webcam.privacy.switch("button").set_private(True)
    else:
        webcam.watched.look(0, after_s=2 * LINGER_S)
    webcam.capture.step()
    assert webcam.waited == ["live"]
    assert webcam.capture.state == state
    assert webcam.node.written[-1] != last.i420.tobytes()

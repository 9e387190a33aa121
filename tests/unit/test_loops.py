"""What each thread repeats, one step at a time."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import pytest

from scrim.core import outlet as outlet_module
from scrim.core.capture_loop import CaptureLoop
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.composite.replace import PictureBackground, color_picture
from scrim.core.demand import LINGER_S, Demand
from scrim.core.event_log import EventLog
from scrim.core.events import Event, Observers, StateWatch
from scrim.core.ladder import Level
from scrim.core.loops import OutletLoop, SinkLoop, wait_for_placeholder
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look, Pipeline
from scrim.core.pipeline_loop import PipelineLoop
from scrim.core.privacy import Privacy
from scrim.core.segment.constant import ScriptedSegmenter
from scrim.core.sinks.memory import MemorySink
from scrim.core.subject import Wishes
from scrim.core.workers import Backoff, Latest
from scrim.errors import SegmentError, SinkError, SourceError
from scrim.frame import Caps, Frame, FramePool, Planes, SafeFrame

CAPS = Caps(96, 64, 30)


def raw(sequence: int = 0, pts_ns: int = 0) -> Frame:
    return Frame(Planes.of(np.full((96, 96), 77, np.uint8)), pts_ns, sequence)


class ScriptedSource:
    """Each open and each read takes the next line of its script: a frame, None, or an error to raise.

    Nothing within a read lasts a second on the clock; what is to happen meanwhile is done in ``meanwhile``.
    """

    def __init__(self, *script: Frame | Caps | Exception | None) -> None:
        self._script: Iterator[Frame | Caps | Exception | None] = iter(script)
        self.opened = self.closed = 0
        self.now_s = 100.0
        self.meanwhile: Callable[[], None] = lambda: None

    def open(self) -> Caps:
        caps = self._next()
        assert isinstance(caps, Caps)
        self.opened += 1
        return caps

    def read(self) -> Frame | None:
        frame = self._next()
        assert not isinstance(frame, Caps)
        if frame is None:
            self.now_s += 1
        self.meanwhile()
        return frame

    def close(self) -> None:
        self.closed += 1

    def _next(self) -> Frame | Caps | None:
        line = next(self._script)
        if isinstance(line, Exception):
            raise line
        return line


class ScriptedDevice(ScriptedSource):
    """A source that can be replugged: after so many looks it is back."""

    details = None

    def __init__(self, *script: Frame | Caps | Exception | None) -> None:
        super().__init__(*script)
        self.looks = 0
        self.returns_after = 1 << 30

    def has_returned(self) -> bool:
        self.looks += 1
        return self.looks >= self.returns_after


class Capture:
    """A capture loop that does not wait before it tries again."""

    def __init__(self, *script: Frame | Caps | Exception | None, is_on_demand: bool = False) -> None:
        self.source = ScriptedSource(*script)
        self.mailbox: Latest[Frame] = Latest()
        self.outlet = Outlet(PlaceholderPainter(CAPS.size), CAPS.frame_interval_s)
        self.privacy = Privacy(self.outlet)
        self.button = self.privacy.switch("button")
        self.demand = Demand(is_on=is_on_demand, clock_s=lambda: self.source.now_s)
        self.events: list[Event] = []
        self.observers = Observers()
        self.observers.add(EventLog())
        self.loop = CaptureLoop(
            "scripted",
            self.source,
            self.mailbox,
            self.outlet,
            StateWatch(self._notify),
            self.privacy,
            lambda: self.source.now_s,
            demand=self.demand,
        )
        self.loop.stop()

    def _notify(self, event: Event) -> None:
        self.events.append(event)
        self.observers.notify(event)

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop.step()


GONE = SourceError("/dev/video9: is gone; plug it in again")


def test_frames_reach_the_mailbox():
    frame = raw()
    capture = Capture(CAPS, frame)
    assert capture.loop.state == "starting"
    capture.step()
    assert capture.loop.state == "live"
    assert capture.loop.caps == CAPS
    assert capture.mailbox.get(0) is frame
    assert capture.outlet.reason is Reason.NO_SAFE_PICTURE


def test_a_camera_that_is_gone_is_lost_closed_opened_and_live_again():
    capture = Capture(CAPS, raw(), GONE, GONE, CAPS, raw(1))
    capture.step(2)
    assert capture.loop.state == "lost"
    assert capture.loop.error == str(GONE)
    assert capture.loop.caps is None
    assert capture.outlet.reason is Reason.CAMERA_LOST
    assert capture.source.closed == 1
    capture.step()
    assert capture.loop.state == "lost"
    capture.step()
    assert capture.loop.state == "live"
    assert capture.loop.error is None
    assert capture.source.opened == 2
    assert capture.outlet.reason is Reason.NO_SAFE_PICTURE


def test_a_frame_of_before_the_loss_is_not_processed_after_it():
    capture = Capture(CAPS, raw(), GONE)
    capture.step(2)
    assert capture.mailbox.get(0) is None


def test_a_camera_that_says_nothing_is_lost_and_stays_open():
    capture = Capture(CAPS, raw(), None, None, raw(1))
    capture.step(2)
    assert capture.loop.state == "lost"
    assert capture.outlet.reason is Reason.CAMERA_LOST
    assert capture.mailbox.is_empty
    capture.step(2)
    assert capture.loop.state == "live"
    assert capture.source.opened == 1
    assert capture.source.closed == 0


def test_a_silence_shorter_than_a_second_is_no_loss():
    capture = Capture(CAPS, raw(), None, None)
    capture.source.meanwhile = lambda: setattr(capture.source, "now_s", capture.source.now_s - 0.6)
    capture.step(3)
    assert capture.loop.state == "live"
    capture.source.meanwhile = lambda: None


def test_a_slow_camera_has_more_than_a_second():
    capture = Capture(Caps(96, 64, 1), raw(), None, raw(1), None, None)
    capture.step(4)
    assert capture.loop.state == "live"
    capture.step()
    assert capture.loop.state == "lost"


def test_a_camera_that_is_plugged_in_again_is_opened_at_once():
    device = ScriptedDevice(GONE, GONE, CAPS, raw())
    device.returns_after = 3
    outlet = Outlet(PlaceholderPainter(CAPS.size), CAPS.frame_interval_s)
    loop = CaptureLoop("scripted", device, Latest(), outlet, device=device)
    loop.step()
    assert device.looks == 3
    device.looks, device.returns_after = 0, 1
    loop.step()
    loop.step()
    assert loop.state == "live"
    assert device.looks == 1


def test_while_nobody_watches_the_camera_stays_closed():
    capture = Capture(CAPS, raw(), CAPS, raw(1), is_on_demand=True)
    capture.loop.open()
    capture.step(2)
    assert (capture.loop.state, capture.source.opened) == ("idle", 0)
    assert capture.outlet.reason is Reason.IDLE
    capture.demand.look([0, 1])
    capture.step()
    assert (capture.loop.state, capture.source.opened) == ("live", 1)
    capture.source.now_s += LINGER_S + 1
    capture.demand.look([0, 0])
    capture.step(2)
    assert (capture.loop.state, capture.loop.caps, capture.source.closed) == ("idle", None, 2)
    assert capture.mailbox.is_empty
    late = Compositor(CAPS.size, FramePool(CAPS.size, 1)).pass_raw(raw(1), 1)
    assert late is not None
    capture.outlet.put(late)
    taken = capture.outlet.take()
    assert taken is not None
    assert taken.origin == "placeholder", "a picture that was under way is not kept for the next viewer"
    capture.demand.look([2])
    capture.step()
    assert (capture.loop.state, capture.source.opened) == ("live", 2)
    assert capture.events == []


def test_privacy_beats_a_viewer():
    capture = Capture(CAPS, raw(), is_on_demand=True)
    capture.button.set_private(True)
    capture.demand.look([1])
    capture.step()
    assert (capture.loop.state, capture.source.opened) == ("off", 0)
    capture.button.set_private(False)
    capture.step()
    assert capture.loop.state == "live"


@pytest.mark.parametrize("error", [ValueError("planted"), KeyError("planted"), MemoryError()])
def test_a_camera_that_fails_in_an_unknown_way_is_lost_logged_once_and_opened_again(
    error: Exception, caplog: pytest.LogCaptureFixture
):
    capture = Capture(CAPS, raw(), error, error, CAPS, raw(1))
    with caplog.at_level(logging.WARNING):
        capture.step(3)
    assert capture.loop.state == "lost"
    assert type(error).__name__ in (capture.loop.error or "")
    assert capture.outlet.reason is Reason.CAMERA_LOST
    assert len(caplog.records) == 1
    capture.step()
    assert capture.loop.state == "live"
    assert capture.source.opened == 2
    assert [event.name for event in capture.events] == ["camera_lost", "camera_back"]


def test_a_camera_that_is_not_there_at_start_is_waited_for():
    capture = Capture(GONE, GONE, CAPS, raw())
    capture.step(2)
    assert capture.loop.state == "lost"
    assert capture.outlet.reason is Reason.CAMERA_LOST
    capture.step()
    assert capture.loop.state == "live"


def test_loss_and_return_are_each_logged_once(caplog: pytest.LogCaptureFixture):
    capture = Capture(CAPS, raw(), GONE, GONE, GONE, CAPS, raw(), raw(), raw())
    with caplog.at_level(logging.INFO):
        capture.step(7)
    texts = [record.getMessage() for record in caplog.records]
    assert texts.count(f"camera: lost: {GONE}") == 1
    assert sum(text.startswith("camera: back after ") for text in texts) == 1


def test_frames_nobody_took_are_counted():
    capture = Capture(CAPS, raw(0), raw(1), raw(2))
    capture.step(3)
    assert capture.loop.dropped == 2
    assert capture.loop.meter.total == 3


def test_opening_beforehand_tells_what_is_wrong():
    with pytest.raises(SourceError, match="plug it in"):
        Capture(GONE).loop.open()


def test_the_pause_before_a_device_is_tried_again_grows_to_10_s():
    backoff = Backoff()
    assert [backoff.next_s() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.next_s() == 1


def test_what_an_opened_camera_delivers_is_told_each_time():
    capture = Capture(CAPS, raw(), GONE, Caps(96, 64, 15), raw(1))
    told: list[Caps] = []
    capture.loop._opened = told.append
    capture.step(3)
    assert told == [CAPS, Caps(96, 64, 15)]


def test_what_is_to_be_done_between_two_frames_is_done_once_and_no_frame_of_before_is_left():
    capture = Capture(CAPS, raw(), raw(1))
    capture.step()
    done: list[str] = []
    capture.loop.between_frames(lambda: done.append("first"))
    capture.loop.between_frames(lambda: done.append("second"))
    assert done == []
    capture.source.meanwhile = lambda: done.append("read" if capture.mailbox.is_empty else "left over")
    capture.step()
    assert done == ["second", "read"]


# The camera switched off and on.


def test_switched_off_the_camera_is_closed_at_the_next_step_and_not_read_again():
    capture = Capture(CAPS, raw(), raw(1), CAPS, raw(2))
    capture.step(2)
    capture.button.set_private(True)
    capture.step(3)
    assert capture.loop.state == "off"
    assert capture.loop.caps is None
    assert capture.source.closed == 1
    assert capture.mailbox.get(0) is None
    assert capture.outlet.reason is Reason.PRIVACY
    capture.button.set_private(False)
    capture.step()
    assert capture.loop.state == "live"
    assert capture.source.opened == 2
    assert capture.events == []


def test_a_frame_that_was_read_across_the_switch_goes_nowhere():
    """Nor does one that was read while it was turned off and on again: the camera is opened anew."""
    for is_blink in (False, True):
        capture = Capture(CAPS, raw(), raw(1), CAPS, raw(2))
        capture.step()
        capture.mailbox.clear()
        capture.source.meanwhile = partial(_turn, capture, is_blink=is_blink)
        capture.step()
        capture.source.meanwhile = lambda: None
        assert capture.mailbox.get(0) is None
        capture.step()
        assert capture.source.closed == 1
        capture.button.set_private(False)
        capture.step()
        newest = capture.mailbox.get(0)
        assert newest is not None
        assert newest.sequence == 2


def _turn(capture: Capture, *, is_blink: bool) -> None:
    capture.button.set_private(True)
    if is_blink:
        capture.button.set_private(False)


def test_switched_off_from_the_start_the_camera_is_never_opened():
    capture = Capture(CAPS, raw())
    capture.button.set_private(True)
    capture.loop.open()
    capture.step(2)
    assert capture.source.opened == 0
    assert capture.loop.state == "off"
    capture.button.set_private(False)
    assert capture.outlet.reason is Reason.STARTING
    capture.step()
    assert capture.loop.state == "live"


def test_a_lost_camera_that_is_switched_off_and_on_is_back_when_it_gives_frames():
    capture = Capture(CAPS, raw(), GONE, CAPS, raw(1))
    capture.step(2)
    capture.button.set_private(True)
    capture.step()
    assert (capture.loop.state, capture.loop.error) == ("off", None)
    capture.button.set_private(False)
    capture.step()
    assert [event.name for event in capture.events] == ["camera_lost", "camera_back"]


def test_a_switch_that_is_turned_ends_the_pause_before_the_camera_is_tried_again():
    outlet = Outlet(PlaceholderPainter(CAPS.size), CAPS.frame_interval_s)
    privacy = Privacy(outlet)
    source = ScriptedSource(GONE, CAPS, raw())
    loop = CaptureLoop("scripted", source, Latest(), outlet, None, privacy)
    loop._backoff._next_s = 3600.0
    thread = threading.Thread(target=lambda: [loop.step() for _ in range(3)])
    thread.start()
    switch = privacy.switch("button")
    switch.set_private(True)
    while loop.state != "off":
        assert thread.is_alive()
    switch.set_private(False)
    thread.join(180)
    assert not thread.is_alive()


# The pipeline's thread.


class Processing:
    """A pipeline loop whose model does as the script says, before an outlet for which time stands still."""

    def __init__(self, *script: np.ndarray | Exception, buffers: int = 4) -> None:
        look = Look(1, PictureBackground(color_picture("#008080", CAPS.size)))
        self.pipeline = Pipeline(
            CAPS.size, ScriptedSegmenter(script, (48, 32)), look, FramePool(CAPS.size, buffers)
        )
        self.mailbox: Latest[Frame] = Latest()
        self.outlet = Outlet(PlaceholderPainter(CAPS.size), CAPS.frame_interval_s, lambda: 10**12)
        self.failures: list[SegmentError] = []
        self.loop = PipelineLoop(self.pipeline, self.mailbox, self.outlet, failed=self.failures.append)

    def step(self, sequence: int = 0) -> None:
        self.mailbox.put(raw(sequence))
        self.loop.step()


NOBODY = np.zeros((32, 48), np.uint8)


def test_a_frame_goes_through_the_pipeline_into_the_outlet():
    processing = Processing(NOBODY)
    processing.step(5)
    taken = processing.outlet.take()
    assert taken is not None
    assert taken.origin == "effect"
    assert taken.sequence == 5
    assert processing.loop.dropped == 0


def test_a_frame_without_a_mask_puts_nothing_out_and_the_next_may_work():
    fault = SegmentError("planted")
    processing = Processing(fault, fault, NOBODY)
    processing.step()
    processing.step()
    assert processing.loop.dropped == 2
    assert processing.failures == [fault]
    first = processing.outlet.take()
    assert first is not None
    assert first.origin == "placeholder"
    processing.step()
    second = processing.outlet.take()
    assert second is not None
    assert second.origin == "effect"


def test_a_frame_is_dropped_when_every_buffer_is_out():
    processing = Processing(NOBODY, buffers=1)
    processing.step()
    held = processing.outlet.take()
    assert held is not None
    processing.step()
    assert processing.loop.dropped == 1


def test_without_a_frame_nothing_happens():
    processing = Processing(NOBODY)
    processing.mailbox.close()
    processing.loop.step()
    assert processing.loop.dropped == 0


class Slow:
    """A pipeline loop at a level that processes one frame of ``every``, on a clock that frames move."""

    def __init__(self, every: int, look: Look | None = None) -> None:
        self.now_ns = 10**12
        self.taken_ms: list[float] = []
        look = look or Look(1, PictureBackground(color_picture("#008080", CAPS.size)))
        self.pipeline = Pipeline(
            CAPS.size, ScriptedSegmenter([NOBODY], (48, 32)), look, FramePool(CAPS.size, 4)
        )
        self.mailbox: Latest[Frame] = Latest()
        self.outlet = Outlet(PlaceholderPainter(CAPS.size), CAPS.frame_interval_s, lambda: self.now_ns)
        self.loop = PipelineLoop(self.pipeline, self.mailbox, self.outlet, self._take)
        self.slow_down(every)

    def _take(self, finding_ms: float, composing_ms: float) -> None:
        self.taken_ms.append(finding_ms + composing_ms)

    def slow_down(self, every: int) -> None:
        self.pipeline.degrade(Level(4, refine=False, every=every))
        self.outlet.expect(every * CAPS.frame_interval_s)

    def play(self, sequences: Iterable[int]) -> list[tuple[str, int] | None]:
        """Origin and number of what goes out after each frame."""
        shown: list[tuple[str, int] | None] = []
        for sequence in sequences:
            self.now_ns += 33_333_333
            self.mailbox.put(raw(sequence, self.now_ns))
            self.loop.step()
            taken = self.outlet.take()
            shown.append(None if taken is None else (taken.origin, taken.sequence))
            del taken
        return shown


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty outlet is asked without waiting in real time."""
    monkeypatch.setattr(outlet_module, "REPEAT_INTERVAL_S", 0.0)


@pytest.mark.usefixtures("no_waiting")
def test_of_three_frames_one_is_processed_and_stands_in_for_the_others():
    slow = Slow(3)
    assert slow.play(range(9)) == [("effect", n // 3 * 3) for n in range(9)]
    assert slow.pipeline.clock.count["segment"] == 3
    assert len(slow.taken_ms) == 3
    assert slow.loop.dropped == 0


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("every", [2, 6, 12, 24])
def test_between_two_processed_frames_the_placeholder_never_plays(every: int):
    shown = Slow(every).play(range(100))
    assert all(one is None or one[0] == "effect" for one in shown)
    assert len({one for one in shown if one is not None}) == len(range(0, 100, every))


def test_frames_that_are_lost_on_the_way_count_as_left_out():
    slow = Slow(3)
    slow.play([0, 4, 5, 6, 7, 20])
    assert slow.pipeline.clock.count["segment"] == 4


def test_back_at_full_rate_the_very_next_frame_is_processed():
    slow = Slow(24)
    slow.play([0, 1])
    slow.slow_down(1)
    assert slow.play([2, 3]) == [("effect", 2), ("effect", 3)]


def test_a_camera_that_counts_anew_is_not_left_out():
    slow = Slow(6)
    slow.play([1000])
    assert slow.play([0]) == [("effect", 0)]


def test_where_masks_may_be_reused_no_frame_is_left_out():
    look = Look(1, PictureBackground(color_picture("#008080", CAPS.size)), reuse_masks=True)
    slow = Slow(3, look)
    assert slow.play(range(6)) == [("effect", n) for n in range(6)]
    assert slow.pipeline.clock.count["segment"] == 2


def test_raw_is_shown_at_the_camera_s_rate_whatever_the_level_was():
    slow = Slow(24, Look(1, None, is_raw=True))
    assert slow.play(range(4)) == [("raw", n) for n in range(4)]
    assert slow.taken_ms == []


def test_the_placeholder_for_nobody_is_delivered_and_says_so():
    wishes = Wishes(nobody="placeholder", placeholder_after_s=0)
    slow = Slow(1, Look(1, PictureBackground(color_picture("#008080", CAPS.size)), wishes=wishes))
    events: list[Event] = []
    outgoing = OutletLoop(slow.outlet, [], StateWatch(events.append))
    slow.mailbox.put(raw())
    slow.loop.step()
    outgoing.step()
    assert outgoing.showing == "placeholder"
    assert [event.payload["reason"] for event in events] == ["nobody"]


# The outlet's thread.


def test_what_goes_out_reaches_every_sink_s_mailbox():
    outlet = Outlet(PlaceholderPainter(CAPS.size), CAPS.frame_interval_s)
    mailboxes: list[Latest[SafeFrame]] = [Latest(), Latest()]
    loop = OutletLoop(outlet, mailboxes)
    loop.step()
    first, second = (mailbox.get(0) for mailbox in mailboxes)
    assert first is second
    assert first is not None
    assert first.origin == "placeholder"
    assert loop.showing == "placeholder"


def test_only_new_pictures_are_counted_as_delivered():
    processing = Processing(NOBODY)
    loop = OutletLoop(processing.outlet, [])
    loop.step()
    assert loop.meter.total == 0
    processing.step(1)
    for _ in range(3):
        loop.step()
    assert loop.showing == "effect"
    assert loop.meter.total == 1


# A sink's thread.


class FaultySink(MemorySink):
    """Fails as often as it is told to, at opening and at writing."""

    def __init__(self, at_open: int = 0, at_write: int = 0) -> None:
        super().__init__()
        self._left = {"open": at_open, "write": at_write}
        self.closed = 0

    def open(self, caps: Caps) -> None:
        self._fail("open")
        super().open(caps)

    def write(self, frame: SafeFrame) -> None:
        self._fail("write")
        super().write(frame)

    def close(self) -> None:
        self.closed += 1
        super().close()

    def _fail(self, where: str) -> None:
        if self._left[where]:
            self._left[where] -= 1
            raise SinkError(f"planted at {where}; mend it")


def sink_loop(sink: MemorySink) -> SinkLoop:
    loop = SinkLoop("faulty", sink, CAPS, PlaceholderPainter(CAPS.size))
    loop.stop()
    return loop


def put(loop: SinkLoop) -> None:
    loop.mailbox.put(PlaceholderPainter(CAPS.size).paint(Reason.CAMERA_LOST, 1))


def test_a_sink_is_opened_and_fed_the_placeholder_first():
    """However late it opens, and whatever waits for it by then."""
    sink = FaultySink()
    loop = sink_loop(sink)
    put(loop)
    assert not loop.tried.is_set()
    loop.step()
    assert loop.tried.is_set()
    assert loop.is_open
    assert (loop.delivered, sink.count) == (1, 2)
    assert np.array_equal(sink.frames[0].i420, PlaceholderPainter(CAPS.size).paint(Reason.STARTING, 1).i420)
    assert not np.array_equal(sink.frames[1].i420, sink.frames[0].i420)


@pytest.mark.parametrize("faults", [{"at_open": 3}, {"at_write": 1}])
def test_a_sink_that_fails_is_closed_and_tried_again(
    faults: dict[str, int], caplog: pytest.LogCaptureFixture
):
    sink = FaultySink(**faults)
    loop = sink_loop(sink)
    with caplog.at_level(logging.ERROR):
        for _ in range(sum(faults.values())):
            put(loop)
            loop.step()
    assert not loop.is_open
    assert loop.tried.is_set()
    assert loop.error is not None
    assert "planted" in loop.error
    assert sink.closed == sum(faults.values())
    assert len(caplog.records) == 1
    put(loop)
    loop.step()
    assert loop.is_open
    assert loop.error is None
    assert sink.count == 2


def test_a_sink_that_cannot_be_opened_keeps_nobody_waiting():
    loop = sink_loop(FaultySink(at_open=1))
    put(loop)
    loop.step()
    assert gives_up(loop, since_ns=1 << 62, limit_s=3600)


def gives_up(loop: SinkLoop, since_ns: int, limit_s: float) -> bool:
    """Whether who waits for the placeholder need not wait for ever."""
    waiting = threading.Thread(target=wait_for_placeholder, args=([loop], since_ns, limit_s), daemon=True)
    waiting.start()
    waiting.join(60)
    return not waiting.is_alive()


def test_whoever_waits_for_the_placeholder_waits_until_the_sink_took_one_painted_since():
    painter, loop = PlaceholderPainter(CAPS.size), sink_loop(MemorySink())
    old, since_ns = painter.paint(Reason.IDLE, 1), time.monotonic_ns()
    live = Compositor(CAPS.size, FramePool(CAPS.size, 1)).pass_raw(raw(pts_ns=since_ns + 1), 1)
    assert live is not None
    for frame in (old, live):
        loop.mailbox.put(frame)
        loop.step()
        begin_s = time.monotonic()
        wait_for_placeholder([loop], since_ns, 0.02)
        assert time.monotonic() - begin_s >= 0.02
    loop.mailbox.put(painter.paint(Reason.IDLE, 1))
    loop.step()
    assert gives_up(loop, since_ns, 3600)

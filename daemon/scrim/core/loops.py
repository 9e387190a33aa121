"""What each thread repeats: capture, pipeline, outlet and one loop per sink."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from scrim.core.capture.base import Camera, CameraDetails, Source
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.demand import Demand
from scrim.core.events import StateWatch
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.privacy import Privacy
from scrim.core.sinks.base import Sink, Watched
from scrim.core.stats import Percentiles, RateMeter, StageClock
from scrim.core.workers import Latest
from scrim.errors import CameraHangsError, DeviceError, SegmentError
from scrim.frame import Caps, Frame, Origin, SafeFrame

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 10.0

_OFF_PAUSE_S = 0.5
_LOOK_AGAIN_S = 0.2
"""How often a camera that is gone is looked for."""

_SILENCE = "no frame for a second"

CameraState = Literal["starting", "live", "lost", "off", "idle"]
"""``off``: closed, because somebody wants it closed; ``idle``: closed, because nobody watches."""


class Backoff:
    """How long to wait before a device is tried again: 1 s, doubling up to 10 s."""

    def __init__(self) -> None:
        self._next_s = FIRST_RETRY_S

    def next_s(self) -> float:
        """The pause to make now."""
        now_s, self._next_s = self._next_s, min(LAST_RETRY_S, self._next_s * 2)
        return now_s

    def reset(self) -> None:
        """It worked: start over at 1 s."""
        self._next_s = FIRST_RETRY_S


class CaptureLoop:
    """Keeps the camera open and its newest frame in the mailbox, unless somebody wants the camera closed.

    Args:
        name: what people call the camera.
        source: delivers frames of the pipeline's size.
        mailbox: where they go.
        outlet: is told why no picture comes.
        watch: is told when the camera is lost and when it is back.
        privacy: says whether the camera may be open; default: always.
        clock_s: monotonic clock, for how long no frame has come.
        hangs: is called when only a new process can bring the camera back.
        device: the camera itself, below whatever ``source`` makes of its frames.
        demand: says whether anybody watches; default: always.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        mailbox: Latest[Frame],
        outlet: Outlet,
        watch: StateWatch | None = None,
        privacy: Privacy | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        hangs: Callable[[], None] = lambda: None,
        device: Source | None = None,
        demand: Demand | None = None,
    ) -> None:
        self.name = name
        self._hangs = hangs
        self._watch = watch
        self._source = source
        self._device = device if isinstance(device, Camera) else None
        self._mailbox = mailbox
        self._outlet = outlet
        self._privacy = privacy if privacy is not None else Privacy(outlet)
        self._clock_s = clock_s
        self._epoch = self._privacy.epoch
        self._wake = threading.Event()
        self._is_stopping = False
        self._demand = demand if demand is not None else Demand(is_on=False)
        self._privacy.follow(self._wake.set)
        self._demand.follow(self._wake.set)
        self._backoff = Backoff()
        self._newest_s = clock_s()
        self.clock = StageClock()
        self.caps: Caps | None = None
        self.state: CameraState = "starting"
        self.error: str | None = None
        self.meter = RateMeter()

    @property
    def dropped(self) -> int:
        """Frames that a newer one displaced before the pipeline took them."""
        return self._mailbox.dropped

    @property
    def details(self) -> CameraDetails | None:
        """What the camera says of itself; None for a source that is none, and before it was opened."""
        return self._device.details if self._device is not None else None

    def open(self) -> None:
        """Open the camera, unless it is open, somebody wants it closed or nobody watches.

        Raises:
            SourceError: it cannot be used.
        """
        if self.caps is None and not self._privacy.is_private and self._demand.is_there:
            self.caps = self._source.open()
            self._newest_s = self._clock_s()
            logger.info("camera: open, %s", self.caps)

    def step(self) -> None:
        """Open the camera, or take one frame from it; or keep it closed for a moment."""
        epoch = self._privacy.epoch
        if self._privacy.is_private or epoch != self._epoch:
            self._stay_closed(epoch)
            return
        if not self._demand.is_there:
            self._rest()
            return
        if self.state in ("off", "idle"):
            self._come_back()
        try:
            self.open()
            frame = self._source.read() if self.caps is not None else None
        except Exception as error:  # noqa: BLE001  a camera that fails in a new way is lost as in an old one
            self._fail(error)
            return
        if self._privacy.epoch != epoch:
            return
        if frame is not None:
            self._live(frame)
        elif self._clock_s() - self._newest_s >= self._patience_s():
            self._lose(_SILENCE)

    def stop(self) -> None:
        """Wake the thread from a pause; it is to end."""
        self._is_stopping = True
        self._wake.set()

    def close(self) -> None:
        """Let the camera go."""
        self.caps = None
        self._source.close()

    def _stay_closed(self, epoch: int) -> None:
        """Close the camera, and wait a moment while it is to stay closed."""
        if self.state != "off" or self.caps is not None:
            self.close()
            self._mailbox.clear()
            logger.info("camera: off, closed for %s", ", ".join(self._privacy.parties) or "a moment")
            self._turn("off")
        self._epoch = epoch
        if self._privacy.is_private:
            self._pause(_OFF_PAUSE_S)

    def _rest(self) -> None:
        """Close the camera until somebody watches."""
        if self.state != "idle":
            self.close()
            self._mailbox.clear()
            self._outlet.because(Reason.IDLE)
            self._outlet.drop()
            logger.info("camera: closed, nobody watches")
            self._turn("idle")
        self._pause(_OFF_PAUSE_S)

    def _come_back(self) -> None:
        self._outlet.because(Reason.STARTING)
        self._turn("starting")
        self._backoff.reset()

    def _live(self, frame: Frame) -> None:
        if self.state != "live":
            self._backoff.reset()
            self._outlet.because(Reason.NO_SAFE_PICTURE)
            self._turn("live")
        self._newest_s = self._clock_s()
        now_ns = time.monotonic_ns()
        self.meter.tick(now_ns)
        self.clock.add("capture", (now_ns - frame.pts_ns) / 1e6)
        self._mailbox.put(frame)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, DeviceError):
            self._lose(str(error))
            if isinstance(error, CameraHangsError):
                self._hangs()
        else:
            logger.debug("camera: failed", exc_info=error)
            self._lose(f"failed in a way nobody expected: {type(error).__name__}: {error}")
        self.close()
        self._await_return(self._backoff.next_s())

    def _await_return(self, seconds: float) -> None:
        """Pause, but no longer than until the camera is plugged in again."""
        left_s = seconds
        while left_s > 0:
            if self._device is not None and self._device.has_returned():
                self._backoff.reset()
                return
            if self._pause(min(left_s, _LOOK_AGAIN_S)):
                return
            left_s -= _LOOK_AGAIN_S

    def _lose(self, why: str) -> None:
        if self.state == "lost" and self.error == why:
            return
        if self.state == "lost":
            logger.info("camera: still lost: %s", why)
        self._mailbox.clear()
        self._outlet.because(Reason.CAMERA_LOST)
        self._turn("lost", why)

    def _turn(self, state: CameraState, error: str | None = None) -> None:
        self.state, self.error = state, error
        if self._watch is not None:
            self._watch.camera(state, error)

    def _patience_s(self) -> float:
        """How long a camera may say nothing: slow ones have more time."""
        return max(1.0, 1.5 * self.caps.frame_interval_s) if self.caps is not None else 1.0

    def _pause(self, seconds: float) -> bool:
        """Wait, but not for the thread's end nor for a switch that somebody turned; whether there was one."""
        is_woken = self._wake.wait(seconds)
        if not self._is_stopping:
            self._wake.clear()
        return is_woken


class PipelineLoop:
    """Takes the newest frame, makes it safe and puts it into the outlet.

    Args:
        pipeline: makes frames safe.
        mailbox: where frames come from.
        outlet: where safe frames go.
        processed: is told how many ms each filtered frame took.
        failed: is told when filtering begins to fail.

    Attributes:
        submitted: frames handed to the pipeline.
        dropped: frames without a usable mask, or without a free buffer to put the result in.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        mailbox: Latest[Frame],
        outlet: Outlet,
        processed: Callable[[float], None] = lambda _: None,
        failed: Callable[[SegmentError], None] = lambda _: None,
    ) -> None:
        self._pipeline = pipeline
        self._processed = processed
        self._failed = failed
        self._next_sequence = 0
        self.submitted = 0
        self._mailbox = mailbox
        self._outlet = outlet
        self._failing = False
        self.dropped = 0

    def step(self) -> None:
        """Process one frame, if there is one."""
        frame = self._mailbox.get(0.5)
        if frame is None or self._is_skipped(frame):
            return
        self.submitted += 1
        begin_s = time.perf_counter()
        try:
            safe = self._pipeline.process(frame)
        except SegmentError as error:
            self._fail(error)
            return
        finally:
            if self._pipeline.is_filtering:
                self._processed((time.perf_counter() - begin_s) * 1000)
        self._failing = False
        if safe is None:
            self.dropped += 1
        else:
            self._outlet.put(safe, self._pipeline.why_hidden)

    def _is_skipped(self, frame: Frame) -> bool:
        """Whether this frame is left out, because one of so many is all there is time for."""
        every = self._pipeline.skips
        if self._next_sequence - every < frame.sequence < self._next_sequence:
            return True
        self._next_sequence = frame.sequence + every
        return False

    def _fail(self, error: SegmentError) -> None:
        self.dropped += 1
        if not self._failing:
            self._failing = True
            self._failed(error)


class OutletLoop:
    """Takes what the outlet decides on and hands it to every sink's mailbox.

    Args:
        outlet: decides.
        mailboxes: one per sink.
        watch: is told whether the placeholder plays.

    Attributes:
        picture_pts_ns: when the camera took the picture that went out last; None for the placeholder.
    """

    def __init__(
        self, outlet: Outlet, mailboxes: list[Latest[SafeFrame]], watch: StateWatch | None = None
    ) -> None:
        self._outlet = outlet
        self._watch = watch
        self._mailboxes = mailboxes
        self._newest = (-1, -1)
        self.meter = RateMeter()
        self.latency_ms = Percentiles()
        self.showing: Origin = "placeholder"
        self.picture_pts_ns: int | None = None

    def step(self) -> None:
        """Deliver one picture."""
        frame = self._outlet.take()
        if frame is None:
            return
        for mailbox in self._mailboxes:
            mailbox.put(frame)
        self._count(frame)

    def _count(self, frame: SafeFrame) -> None:
        now_ns = time.monotonic_ns()
        self.picture_pts_ns = None if frame.origin == "placeholder" else frame.pts_ns
        if self._watch is not None:
            self._watch.picture(frame.origin, self._outlet.reason)
        if frame.origin != self.showing:
            self.showing = frame.origin
        if frame.origin != "placeholder" and (frame.sequence, frame.pts_ns) != self._newest:
            self._newest = (frame.sequence, frame.pts_ns)
            self.meter.tick(now_ns)
            self.latency_ms.add((now_ns - frame.pts_ns) / 1e6)


class SinkLoop:
    """Keeps one sink open and fed.

    Args:
        name: what people call it.
        sink: the real one.
        caps: what it is opened for.
        painter: of the placeholder, which is what goes into the sink first whenever it is opened: that may
            take so long that the outlet's own placeholder has been displaced by then.
        written: is called after each frame that the sink took.

    Attributes:
        delivered_s: when the sink took its last frame, on the monotonic clock.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        caps: Caps,
        painter: PlaceholderPainter,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._written = written
        self.delivered_s = time.monotonic()
        self._painter = painter
        self.mailbox: Latest[SafeFrame] = Latest()
        self._sink = sink
        self._caps = caps
        self._stopping = threading.Event()
        self._backoff = Backoff()
        self.is_open = False
        self.error: str | None = None
        self.delivered = 0

    @property
    def consumers(self) -> int | None:
        """How many take pictures of it; None where nobody can tell."""
        return self._sink.consumers if isinstance(self._sink, Watched) else None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be delivered, or nothing can be."""
        return self.mailbox.is_empty or not self.is_open

    def step(self) -> None:
        """Open the sink, or deliver one picture."""
        try:
            self._open()
            frame = self.mailbox.get(0.5)
            if frame is not None:
                self._sink.write(frame)
                self.delivered += 1
                self._count()
        except DeviceError as error:
            self._fail(str(error))

    def stop(self) -> None:
        """Wake the thread from a pause or a wait; it is to end."""
        self._stopping.set()
        self.mailbox.close()

    def close(self) -> None:
        """Finish and let the device go."""
        self.is_open = False
        self._sink.close()

    def _open(self) -> None:
        if not self.is_open:
            self._sink.open(self._caps)
            self._sink.write(self._painter.paint(Reason.STARTING, 0))
            self._count()
            self.is_open, self.error = True, None
            self._backoff.reset()
            logger.info("sink %s: open", self.name)

    def _count(self) -> None:
        self.delivered_s = time.monotonic()
        self._written()

    def _fail(self, why: str) -> None:
        if why != self.error:
            logger.error("sink %s: %s", self.name, why)
        self.error = why
        self.close()
        self._stopping.wait(self._backoff.next_s())

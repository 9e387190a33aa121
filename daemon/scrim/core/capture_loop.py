"""What the camera's thread repeats: it keeps the camera open, or closed."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from scrim.core.capture.base import Camera, CameraDetails, Dropping, Source
from scrim.core.composite.placeholder import Reason
from scrim.core.demand import Demand
from scrim.core.events import StateWatch
from scrim.core.outlet import Outlet
from scrim.core.privacy import Privacy
from scrim.core.stats import RateMeter, StageClock
from scrim.core.workers import Backoff, Latest
from scrim.errors import CameraHangsError, DeviceError
from scrim.frame import Caps, Frame

logger = logging.getLogger(__name__)

_OFF_PAUSE_S = 0.5
_LOOK_AGAIN_S = 0.2
"""How often a camera that is gone is looked for."""

_SILENCE = "no frame for a second"

CameraState = Literal["starting", "live", "lost", "off", "idle"]
"""``off``: closed, because somebody wants it closed; ``idle``: closed, because nobody watches."""


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
        opened: is told, in the capture's thread, what an opened camera delivers.
        hidden: waits until the placeholder is what every output shows, painted since a moment, monotonic ns:
            only then the camera is said to be closed.
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
        opened: Callable[[Caps], None] = lambda _: None,
        hidden: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.name = name
        self._hangs = hangs
        self._opened = opened
        self._hidden = hidden
        self._watch = watch
        self._source = source
        self._device = device if isinstance(device, Camera) else None
        self._dropping = device if isinstance(device, Dropping) else None
        self._mailbox = mailbox
        self._outlet = outlet
        self._privacy = privacy if privacy is not None else Privacy(outlet)
        self._clock_s = clock_s
        self._epoch = self._privacy.epoch
        self._between: Callable[[], None] | None = None
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
    def dropped_by_camera(self) -> int:
        """Frames that the camera's own side threw away."""
        return self._dropping.dropped if self._dropping is not None else 0

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
            self._opened(self.caps)
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
            self._do_between()
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

    def between_frames(self, do: Callable[[], None]) -> None:
        """Do this in the capture's thread before the next frame is read; what was asked before gives way.

        A frame of before that nobody has taken yet is thrown away. From any thread.
        """
        self._between = do

    def stop(self) -> None:
        """Wake the thread from a pause; it is to end."""
        self._is_stopping = True
        self._wake.set()

    def close(self) -> None:
        """Let the camera go."""
        self.caps = None
        self._source.close()

    def _do_between(self) -> None:
        do, self._between = self._between, None
        if do is not None:
            do()
            self._mailbox.clear()

    def _stay_closed(self, epoch: int) -> None:
        """Close the camera, and wait a moment while it is to stay closed."""
        if self.state != "off" or self.caps is not None:
            self.close()
            self._mailbox.clear()
            self._hidden(self._outlet.forget())
            logger.info("camera: off, closed for %s", ", ".join(self._privacy.parties) or "a moment")
            self._turn("off")
        self._epoch = epoch
        if self._privacy.is_private:
            self._pause(_OFF_PAUSE_S)

    def _rest(self) -> None:
        """Close the camera until somebody watches."""
        if self.state != "idle":
            self._outlet.because(Reason.IDLE)
            # First of all: the last picture, or one under way, would be the first that the next viewer sees.
            since_ns = self._outlet.forget()
            self.close()
            self._mailbox.clear()
            self._hidden(since_ns)
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

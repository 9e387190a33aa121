"""What the threads of the outlet and of each sink repeat; loaded before all that makes pictures."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.events import StateWatch
from scrim.core.outlet import Outlet
from scrim.core.sinks.base import Sink, Watched
from scrim.core.stats import Percentiles, RateMeter
from scrim.core.workers import Backoff, Latest
from scrim.errors import DeviceError
from scrim.frame import Caps, Origin, SafeFrame

logger = logging.getLogger(__name__)

_GOODBYE_S = 1.0
_LOOK_S = 0.005
"""How often the sinks are looked at while somebody waits for them."""


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

    def begin(self) -> None:
        """Deliver the placeholder, so that it is the first thing whatever comes how soon."""
        self._deliver(self._outlet.placeholder())

    def step(self) -> None:
        """Deliver one picture."""
        frame = self._outlet.take()
        if frame is not None:
            self._deliver(frame)

    def _deliver(self, frame: SafeFrame) -> None:
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
        placeholder_ns: when that one was painted; 0 where it is no placeholder.
        tried: set once it has taken a frame, or could not.
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
        self.placeholder_ns = 0
        self._painter = painter
        self.mailbox: Latest[SafeFrame] = Latest()
        self._sink = sink
        self._caps = caps
        self._stopping = threading.Event()
        self._backoff = Backoff()
        self.tried = threading.Event()
        self.is_open = False
        self.error: str | None = None
        self.delivered = 0

    @property
    def consumers(self) -> int | None:
        """How many take pictures of it; None where nobody can tell."""
        return self._sink.consumers if isinstance(self._sink, Watched) else None

    def step(self) -> None:
        """Open the sink, or deliver one picture."""
        try:
            self._open()
            frame = self.mailbox.get(0.5)
            if frame is not None:
                self._sink.write(frame)
                self.placeholder_ns = frame.pts_ns if frame.origin == "placeholder" else 0
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
            self.tried.set()
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
        self.tried.set()
        self.close()
        self._stopping.wait(self._backoff.next_s())


def wait_for_placeholder(sinks: Iterable[SinkLoop], since_ns: int, limit_s: float) -> None:
    """Wait until each sink that is open has taken a placeholder painted since; for so long at most.

    Args:
        sinks: which; their threads and the outlet's run.
        since_ns: monotonic.
        limit_s: a sink may hang.
    """
    deadline_s = time.monotonic() + limit_s
    for sink in sinks:
        while sink.is_open and sink.placeholder_ns < since_ns and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)


def say_goodbye(outlet: Outlet, sinks: Iterable[SinkLoop]) -> None:
    """Leave the placeholder on every sink: readers that stay see no frozen person."""
    outlet.because(Reason.STOPPING)
    wait_for_placeholder(sinks, outlet.forget(), _GOODBYE_S)

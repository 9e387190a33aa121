"""One stream to a USB host, from its start to its stop: buffers, pace and pictures."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from scrim.core.gadget_node import GadgetNode
from scrim.core.sinks.uvc_picture import JpegWriter, Picture, Shaper, YuyvWriter
from scrim.core.videodev2 import Direction
from scrim.frame import Plane
from scrim.uvc.controls import Levels
from scrim.uvc.negotiation import Stream

BUFFERS = 4
"""One on its way over the bus, one waiting behind it, one being written, one to spare."""

STALL_S = 2.0
"""A host that takes no picture for so long sleeps."""

_EARLY = 0.25
"""A picture may come by so much of the interval before its time: cameras are never quite even."""


class Pace:
    """Lets as many pictures pass as a host asked for.

    Args:
        interval_s: between pictures.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_s = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether a picture of now is to pass; if so, the next is due an interval later."""
        if now_s < self._due_s - _EARLY * self._interval_s:
            return False
        self._due_s = max(self._due_s + self._interval_s, now_s)
        return True


@dataclass(slots=True)
class StreamCount:
    """What became of the pictures of a stream."""

    sent: int = 0
    dropped: int = 0


class HostStream:
    """Sends pictures to a host.

    Args:
        node: of the gadget.
        stream: what was agreed on.
        quality: of JPEGs.
        levels: what the host has set; read for each picture.
        clock_s: monotonic.

    Attributes:
        stream: as given.
        count: of pictures.

    Raises:
        OSError: the kernel does not take this format, or has no memory.
    """

    def __init__(
        self,
        node: GadgetNode,
        stream: Stream,
        quality: int,
        levels: Levels,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        node.set_format(Direction.OUTPUT, stream.fourcc, stream.size)
        self.stream = stream
        self.count = StreamCount()
        self._node = node
        self._levels = levels
        self._clock_s = clock_s
        is_jpeg = stream.fourcc == "MJPG"
        self._shape = Shaper(stream.size, is_full_range=is_jpeg)
        self._write: Callable[[Plane, Plane], int] = (
            JpegWriter(stream, quality) if is_jpeg else YuyvWriter(stream.size)
        )
        self._pace = Pace(stream.interval_s)
        self._free = deque(range(node.allocate(BUFFERS)))
        self._last_return_s = clock_s()

    def start(self, first: Picture) -> None:
        """Grant the host's wish to start, with a picture ready for it.

        Raises:
            OSError: the host is gone, or the kernel refuses.
        """
        self._put(first)
        self._node.start()
        self._last_return_s = self._clock_s()

    def send(self, picture: Picture) -> None:
        """Send a picture, unless it comes before its time or the host is behind.

        Raises:
            OSError: the host is gone.
        """
        now_s = self._clock_s()
        self._collect(now_s)
        if not self._pace.is_due(now_s):
            return
        if self._free:
            self._put(picture)
        else:
            self.count.dropped += 1

    def stop(self) -> None:
        """Send no more.

        Raises:
            OSError: the node is gone.
        """
        self._node.stop()

    @property
    def is_stalled(self) -> bool:
        """Whether the host has taken nothing for a while: it sleeps, or its program hangs."""
        return not self._free and self._clock_s() - self._last_return_s > STALL_S

    def _collect(self, now_s: float) -> None:
        while (index := self._node.dequeue()) is not None:
            self._free.append(index)
            self._last_return_s = now_s

    def _put(self, picture: Picture) -> None:
        index = self._free[0]
        used = self._write(self._shape(picture, self._levels), self._node.memory(index))
        if not used:
            self.count.dropped += 1
            return
        self._free.popleft()
        self._node.queue(index, used)
        self.count.sent += 1

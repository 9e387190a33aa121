"""A sink that remembers: for tests, and for looking at what would go out."""

from collections import deque
from dataclasses import dataclass

from scrim.core.sinks.accept import accept
from scrim.frame import Caps, Origin, Plane, SafeFrame


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy of a frame that was delivered; the attributes are those of SafeFrame."""

    i420: Plane
    pts_ns: int
    sequence: int
    origin: Origin
    revision: int


class MemorySink:
    """Keeps copies of the last frames.

    Args:
        limit: how many, at least 1.

    Attributes:
        frames: what is kept, the oldest first; stays after ``close``.
        count: how many were delivered in all.
    """

    def __init__(self, limit: int = 8) -> None:
        self.frames: deque[Kept] = deque(maxlen=limit)
        self.count = 0
        self._caps: Caps | None = None

    def open(self, caps: Caps) -> None:
        """Get ready."""
        self._caps = caps

    def write(self, frame: SafeFrame) -> None:
        """Keep a copy.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            SinkError: it is of another size, or the sink is not open.
        """
        safe = accept(frame, self._caps, "memory:")
        self.frames.append(Kept(safe.i420.copy(), safe.pts_ns, safe.sequence, safe.origin, safe.revision))
        self.count += 1

    def close(self) -> None:
        """Take no more."""
        self._caps = None

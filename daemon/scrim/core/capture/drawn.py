"""What the sources that draw their own pictures have in common."""

import time
from abc import ABC, abstractmethod

from scrim.core.capture.buffers import Buffers
from scrim.core.capture.pace import Pace
from scrim.errors import SourceError
from scrim.frame import Caps, Frame, Plane


class DrawnSource(ABC):
    """A source whose picture depends on nothing but its caps and the frame's sequence number.

    Args:
        caps: what to deliver.
        pace: deliver at ``caps.frame_rate``; False delivers as fast as frames are read.
    """

    def __init__(self, caps: Caps, pace: bool = True) -> None:
        self._caps = caps
        self._paced = pace
        self._pace: Pace | None = None
        self._buffers = Buffers()

    @property
    def dropped(self) -> int:
        """Pictures that were not drawn because no buffer was free."""
        return self._buffers.dropped

    def open(self) -> Caps:
        """Draw what stands still."""
        self._buffers.prepare(self._caps.size)
        self._prepare()
        self._pace = Pace(self._caps.frame_rate, wanted=self._paced)
        return self._caps

    def read(self) -> Frame | None:
        """The next picture when it is due; None when it is not, or no buffer is free, for READ_LIMIT_S.

        Raises:
            SourceError: it is not open.
        """
        if self._pace is None:
            raise SourceError(f"{type(self).__name__}: read before open")
        i420 = self._pace.next_buffer(self._buffers)
        if i420 is None:
            return None
        pts_ns = time.monotonic_ns()
        self._draw(i420, self._buffers.delivered)
        return self._buffers.frame(i420, pts_ns)

    def close(self) -> None:
        """Stop."""
        self._pace = None

    @abstractmethod
    def _prepare(self) -> None:
        """Draw once what every frame shows. May be called again."""

    @abstractmethod
    def _draw(self, i420: Plane, sequence: int) -> None:
        """Draw frame ``sequence`` over the old content of ``i420``, allocating nothing of its size."""

"""Where a source's frames come from: leases of a pool, numbered."""

import time

from scrim.frame import Frame, FramePool, Plane, Planes

FRAMES_OUT = 6
"""Frames of one source that may be alive at once: one each being captured, waiting, looked at and composited,
and two to spare."""

_STAMP_AGE_NS = 1_000_000_000
"""A driver's time stamp older than this is of another clock."""


def capture_time_ns(stamp_ns: int | None) -> int:
    """When a picture was taken: the driver's time stamp if it can be one of CLOCK_MONOTONIC, else now.

    Drivers have been seen to stamp the future, and with the time since boot; those stamps are not used.
    """
    now_ns = time.monotonic_ns()
    if stamp_ns is not None and 0 <= now_ns - stamp_ns <= _STAMP_AGE_NS:
        return stamp_ns
    return now_ns


class Buffers:
    """Leases I420 buffers of one size and numbers the frames made of them.

    The numbers go on when a source is opened again, so that two frames of one source never share one.

    Attributes:
        delivered: frames handed out since the source was made.
        dropped: pictures the source threw away because no buffer was free, or for being stale.
    """

    def __init__(self, count: int = FRAMES_OUT) -> None:
        self._count = count
        self._pool: FramePool | None = None
        self._small_pool: FramePool | None = None
        self.delivered = 0
        self.dropped = 0

    def prepare(self, size: tuple[int, int], small_size: tuple[int, int] | None = None) -> None:
        """Have buffers of ``size`` (width, height) in pixels; the present ones stay when they fit.

        Args:
            size: of the frames.
            small_size: of the small pictures beside them; None where there are none.
        """
        if self._pool is None or self._pool.size != size:
            self._pool = FramePool(size, self._count)
        if small_size is not None and (self._small_pool is None or self._small_pool.size != small_size):
            self._small_pool = FramePool(small_size, self._count)

    def lease(self) -> Plane | None:
        """A buffer of shape (height * 3 / 2, width) with old content; None when all are out."""
        return self._pool.lease() if self._pool is not None else None

    def lease_small(self) -> Plane | None:
        """The same for a small picture."""
        return self._small_pool.lease() if self._small_pool is not None else None

    def frame(self, i420: Plane, pts_ns: int, small: Plane | None = None) -> Frame:
        """The next frame, made of leased buffers that are not written to any more."""
        planes = Planes.of(small) if small is not None else None
        frame = Frame(Planes.of(i420), pts_ns, self.delivered, planes)
        self.delivered += 1
        return frame

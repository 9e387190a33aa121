"""Frames of another size made to fit: the picture going out never changes its size."""

import cv2
import numpy as np

from scrim.core.capture.base import Source
from scrim.frame import Caps, Frame, FramePool, Plane, Planes


class Scaled:
    """A source whose frames always have one size; a picture of another shape is cropped at its longer side.

    Frames that have the size already pass untouched.

    Args:
        source: the real one.
        size: (width, height) in pixels, both even.
    """

    def __init__(self, source: Source, size: tuple[int, int]) -> None:
        self._source = source
        self._size = size
        self._pool: FramePool | None = None
        self.native: Caps | None = None

    def open(self) -> Caps:
        """Open the real source; see :class:`Source`."""
        self.native = self._source.open()
        if self.native.size != self._size and self._pool is None:
            self._pool = FramePool(self._size, 6)
        return Caps(*self._size, self.native.frame_rate)

    def read(self) -> Frame | None:
        """The next frame at the wanted size; None also when every buffer is still in use."""
        frame = self._source.read()
        if frame is None or frame.size == self._size:
            return frame
        i420 = self._pool.lease() if self._pool else None
        if i420 is None:
            return None
        for source, target in zip(frame.planes, Planes.of(i420), strict=True):
            _cover(source, target)
        return Frame(Planes.of(i420), frame.pts_ns, frame.sequence)

    def close(self) -> None:
        """Close the real source."""
        self._source.close()


def _cover(source: Plane, target: Plane) -> None:
    have_height, have_width = source.shape
    height, width = target.shape
    ratio = min(have_width / width, have_height / height)
    crop_width, crop_height = max(1, round(width * ratio)), max(1, round(height * ratio))
    left, top = (have_width - crop_width) // 2, (have_height - crop_height) // 2
    part = source[top : top + crop_height, left : left + crop_width]
    cv2.resize(np.asarray(part), (width, height), dst=target, interpolation=cv2.INTER_LINEAR)

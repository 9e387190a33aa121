"""Brings decoded pictures of any size into I420 of an even one."""

import numpy as np
from numpy.typing import NDArray

from scrim.errors import SourceError
from scrim.frame import MAX_SIDE_PX, Plane

Bgr = NDArray[np.uint8]
"""Shape (height, width, 3)."""


class Fitter:
    """Crops, scales and converts pictures of one size, without allocating per picture.

    Args:
        given: (width, height) in pixels of the pictures.
        wanted: (width, height) in pixels, both even: the middle of the picture with that aspect is scaled to
            it. None takes the pictures as they are, without the last row or column where they are odd.
        name: of the file, for errors.

    Attributes:
        size: (width, height) in pixels of the result.

    Raises:
        SourceError: the pictures are smaller or larger than scrim can take.
    """

    def __init__(self, given: tuple[int, int], wanted: tuple[int, int] | None, name: str) -> None:
        if not 2 <= min(given) <= max(given) <= MAX_SIDE_PX:
            raise SourceError(f"{name}: {given[0]}x{given[1]} pixels; allowed are 2 to {MAX_SIDE_PX} a side")
        self.size = wanted or (given[0] & ~1, given[1] & ~1)
        self._part = _middle(given, self.size) if wanted else (slice(0, self.size[1]), slice(0, self.size[0]))
        part_size = (self._part[1].stop - self._part[1].start, self._part[0].stop - self._part[0].start)
        width, height = self.size
        scaled = part_size != self.size
        self._bgr: Bgr | None = np.empty((height, width, 3), np.uint8) if scaled else None
        self._shrinks = part_size[0] > width

    def __call__(self, bgr: Bgr, i420: Plane) -> None:
        """Fill ``i420``, shape (height * 3 / 2, width), with BT.601 limited range, from ``bgr``."""
        import cv2

        part = bgr[self._part]
        if self._bgr is not None:
            how = cv2.INTER_AREA if self._shrinks else cv2.INTER_LINEAR
            cv2.resize(part, self.size, dst=self._bgr, interpolation=how)
            part = self._bgr
        cv2.cvtColor(part, cv2.COLOR_BGR2YUV_I420, dst=i420)


def _middle(given: tuple[int, int], wanted: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the largest part in the middle of ``given`` that has the aspect of ``wanted``."""
    scale = min(given[0] / wanted[0], given[1] / wanted[1])
    width, height = (max(1, round(side * scale)) for side in wanted)
    left, top = (given[0] - width) // 2, (given[1] - height) // 2
    return slice(top, top + height), slice(left, left + width)

"""Before and after the Gaussian of the room: pixels are weighed, and divided by their weights again.

By a small extension in C where it was built, else by OpenCV; to the same bytes.
"""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.frame import Plane

Mixed = NDArray[np.float32]
"""Shape (height, width, planes + 1): of each pixel its weight, and its value in each plane times that."""


class Weighing(Protocol):
    """Both steps, for one to three planes of one shape."""

    def weigh(
        self, mixed: Mixed, alpha: Plane, planes: tuple[Plane, ...], steepness: int, /
    ) -> tuple[float, ...]:
        """Fill ``mixed``; a pixel's weight is ``1 - steepness * alpha / 255``, 0 where that is less.

        Returns:
            The mean of each plane where there is any weight; nothing where there is none at all.
        """

    def divide(
        self, mixed: Mixed, planes: tuple[Plane, ...], least: float, offsets: tuple[float, ...], /
    ) -> None:
        """Fill ``planes``: ``(value + offset) / (weight + least)``, rounded."""


def best_weighing(shape: tuple[int, int]) -> Weighing:
    """The extension where it was built, else OpenCV.

    Args:
        shape: of every plane.
    """
    try:
        from scrim.core.composite import _blur
    except ImportError:
        return OpenCVWeighing(shape)
    return _blur


class OpenCVWeighing:
    """Both steps by OpenCV.

    Args:
        shape: of every plane.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._share8 = np.empty(shape, np.uint8)
        self._weight, self._part = (np.empty(shape, np.float32) for _ in range(2))

    def weigh(
        self, mixed: Mixed, alpha: Plane, planes: tuple[Plane, ...], steepness: int, /
    ) -> tuple[float, ...]:
        """See :class:`Weighing`."""
        cv2.multiply(alpha, steepness, dst=self._share8)
        cv2.bitwise_not(self._share8, dst=self._share8)
        cv2.multiply(self._share8, 1 / 255, dst=self._weight, dtype=cv2.CV_32F)
        cv2.insertChannel(self._weight, mixed, 0)
        for at, plane in enumerate(planes, 1):
            cv2.multiply(plane, self._weight, dst=self._part, dtype=cv2.CV_32F)
            cv2.insertChannel(self._part, mixed, at)
        if not cv2.countNonZero(self._share8):
            return ()
        return tuple(cv2.mean(plane, self._share8)[0] for plane in planes)

    def divide(
        self, mixed: Mixed, planes: tuple[Plane, ...], least: float, offsets: tuple[float, ...], /
    ) -> None:
        """See :class:`Weighing`."""
        cv2.extractChannel(mixed, 0, dst=self._weight)
        cv2.add(self._weight, least, dst=self._weight)
        for at, (plane, offset) in enumerate(zip(planes, offsets, strict=True), 1):
            cv2.extractChannel(mixed, at, dst=self._part)
            cv2.add(self._part, offset, dst=self._part)
            cv2.divide(self._part, self._weight, dst=plane, dtype=cv2.CV_8U)

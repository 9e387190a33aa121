"""Where to look closer: a rectangle around the person in a mask."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.frame import Mask

Rect = tuple[int, int, int, int]
"""(x, y, width, height) in mask pixels; x may be below 0, and x + width beyond the mask."""

CERTAIN = 127
"""Masks above this value are the person the close-up is of."""

TRIMMED = 0.03
"""Share of the person left out at each side when the person is measured: specks of mask lie far away."""


@dataclass(frozen=True, slots=True)
class CloseUp:
    """How a close-up is cut. Where it is taken depends on the mask alone.

    Attributes:
        margin: added to each side of the person, as a share of the person's width and height.
        least_share: at least this share of the frame is shown: models know faces better than pores.
        least_aspect: it is made so many times wider than high, in mask pixels, if need be beyond the frame.
    """

    margin: float
    least_share: float
    least_aspect: float = 0.0

    def of(self, mask: Mask, solid: Mask) -> Rect | None:
        """The rectangle for a mask; None when nobody is in it.

        Args:
            mask: shape (height, width), uint8.
            solid: a buffer of the same shape and type, overwritten.
        """
        cv2.threshold(mask, CERTAIN, 1, cv2.THRESH_BINARY, dst=solid)
        across = _extent(cv2.reduce(solid, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S))
        down = _extent(cv2.reduce(solid, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S))
        if across is None or down is None:
            return None
        high, wide = mask.shape
        left, width = self._widened(across, wide)
        top, height = self._widened(down, high)
        return self._unsqueezed((left, top, width, height), wide)

    def _widened(self, extent: tuple[int, int], whole: int) -> tuple[int, int]:
        """Start and length along one side of a mask ``whole`` pixels long."""
        first, last = extent
        wanted = max((last - first) * (1 + 2 * self.margin), whole * self.least_share)
        middle = (first + last) / 2
        start, end = max(0, int(middle - wanted / 2)), min(whole, int(middle + wanted / 2) + 1)
        return start, end - start

    def _unsqueezed(self, rect: Rect, whole: int) -> Rect:
        """``rect`` made as wide as it has to be: inside the frame where there is room for it."""
        left, top, width, height = rect
        wanted = round(height * self.least_aspect)
        if wanted <= width:
            return rect
        if wanted >= whole:
            return (whole - wanted) // 2, top, wanted, height
        start = left + width // 2 - wanted // 2
        return min(max(0, start), whole - wanted), top, wanted, height


def within(rect: Rect, plane: NDArray[Any]) -> NDArray[Any]:
    """The part of ``plane``, of a mask's shape, that ``rect`` covers; it must not reach beyond."""
    x, y, width, height = rect
    return plane[y : y + height, x : x + width]


def _extent(sums: NDArray[np.int32]) -> tuple[int, int] | None:
    """First and last place between which all but TRIMMED at each end lies; None when there is nothing."""
    grown = sums.reshape(-1).cumsum()
    if not grown[-1]:
        return None
    first, last = np.searchsorted(grown, (grown[-1] * TRIMMED, grown[-1] * (1 - TRIMMED)))
    return int(first), int(last)

"""Where the person is, read from a mask."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.framing.view import View
from scrim.frame import Mask, Plane

_PERSON = 128
_LEAST_SHARE = 0.004
"""Of the picture; less is nobody."""

_BODY = (0.04, 0.35, 0.65, 0.96)
"""Quantiles of the silhouette's area from left to right: its sides and the two that its middle lies between.
An arm that waves hardly moves them."""

_SHOULDERS = 0.9
"""Quantile of the rows' widths that is the body's. As long as a tenth of the rows shows shoulders it does not
depend on how much of the body a view shows: else each view would ask for a narrower one."""

_NEARLY = 0.85
"""Of the body's width; the first row so wide is where the shoulders are."""

_LEAST_COLUMN = 0.03
"""Of the height; a column with less of a person is nobody's side."""

_LEAST_ROW = 0.03
"""Of the width; a row with less of a person is nobody's head."""

_EDGE = 0.012
"""Of the width or height: so near to the view's edge counts as cut by it."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person in the camera's picture, in fractions of it.

    Attributes:
        middle: of the body, from left to right.
        width: of the body, or of all bodies side by side; waving arms mostly left out.
        left: leftmost part, arms and all.
        right: rightmost part.
        top: highest part.
        shoulders: highest row that is nearly as wide as the body.
        is_cut: whether the left, the right and the top edge of the view (not of the picture) cut the person.
    """

    middle: float
    width: float
    left: float
    right: float
    top: float
    shoulders: float
    is_cut: tuple[bool, bool, bool]

    @property
    def is_partial(self) -> bool:
        """Whether a side of the picture itself cuts the person."""
        return self.left < _EDGE or self.right > 1 - _EDGE


class Lookout:
    """Reads masks of one size.

    Args:
        mask_size: (width, height) in pixels.
    """

    def __init__(self, mask_size: tuple[int, int]) -> None:
        width, height = mask_size
        self.mask_size = mask_size
        self._person: Plane = np.empty((height, width), np.uint8)
        self._columns = np.empty((1, width), np.int32)
        self._rows = np.empty((height, 1), np.int32)

    def look(self, mask: Mask, view: View) -> Sighting | None:
        """Find the person.

        Args:
            mask: of the size announced, of what the view shows.
            view: what part of the picture that is.

        Returns:
            None when nobody is there.
        """
        width, height = self.mask_size
        cv2.threshold(mask, _PERSON - 1, 1, cv2.THRESH_BINARY, dst=self._person)
        columns = cv2.reduce(self._person, 0, cv2.REDUCE_SUM, dst=self._columns, dtype=cv2.CV_32S).ravel()
        rows = cv2.reduce(self._person, 1, cv2.REDUCE_SUM, dst=self._rows, dtype=cv2.CV_32S).ravel()
        sides = np.flatnonzero(columns >= max(1.0, _LEAST_COLUMN * height))
        heads = np.flatnonzero(rows >= max(1.0, _LEAST_ROW * width))
        if int(columns.sum()) < _LEAST_SHARE * width * height or not sides.size or not heads.size:
            return None
        left, right, top = int(sides[0]) / width, (int(sides[-1]) + 1) / width, int(heads[0]) / height
        body = _row_width(rows[heads])
        near_left, near_middle, far_middle, far_right = _quantiles(columns)
        return Sighting(
            middle=view.left + view.share * (near_middle + far_middle) / 2,
            width=view.share * max(far_right - near_left, body / width),
            left=view.left + view.share * left,
            right=view.left + view.share * right,
            top=view.top + view.share * top,
            shoulders=view.top + view.share * int((rows >= _NEARLY * body).argmax()) / height,
            is_cut=_cuts(left, right, top, view),
        )


def _quantiles(columns: NDArray[np.int32]) -> list[float]:
    """Where the shares of ``_BODY`` of the area are reached, 0 to 1 from left to right, between pixels."""
    reached = np.empty(len(columns) + 1)
    reached[0] = 0
    np.cumsum(columns, out=reached[1:])
    wanted = np.array(_BODY) * reached[-1]
    at = np.searchsorted(reached, wanted, side="left")
    before = reached[at - 1]
    return [float(x) for x in (at - 1 + (wanted - before) / (reached[at] - before)) / len(columns)]


def _row_width(rows: NDArray[np.int32]) -> int:
    at = int(_SHOULDERS * (len(rows) - 1))
    return int(np.partition(rows, at)[at])


def _cuts(left: float, right: float, top: float, view: View) -> tuple[bool, bool, bool]:
    """Which edges of the view the person touches that are not edges of the picture as well."""
    return (
        left < _EDGE and view.left > _EDGE * view.share,
        right > 1 - _EDGE and view.left + view.share < 1 - _EDGE * view.share,
        top < _EDGE and view.top > _EDGE * view.share,
    )

"""JPEG's full range, luma and chroma from 0 to 255, against video's, luma from 16 to 235 and chroma to 240.

By a small extension in C where it was built, else by OpenCV and numpy; to the same bytes. Everything is
rounded once, halves to even.
"""

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from scrim.frame import Plane
from scrim.video_range import chroma_to_full, luma_to_full, rounded

Widen = Callable[[Plane, Plane], None]
"""``widen(to, of)``: a plane of video's range to JPEG's; what lies outside of video's is cut."""


class Narrow(Protocol):
    """Planes of JPEG's range to video's, for one picture."""

    def luma(self, to: Plane, of: Plane) -> None:
        """Two planes of one size."""

    def chroma(self, to: Plane, of: Plane) -> None:
        """To chroma of half the luma's width and height, (rows, columns).

        Args:
            to: what is written.
            of: with ``rows`` or twice as many, and ``columns``, twice as many or half as many, rounded up;
                several samples are averaged, one that stands for two is doubled.
        """


def best_narrow(chroma: tuple[int, int]) -> Narrow:
    """For pictures with chroma planes of that shape, (rows, columns)."""
    try:
        return NativeNarrow()
    except ImportError:
        return NumpyNarrow(chroma)


def best_widen() -> tuple[Widen, Widen]:
    """For luma and for chroma."""
    try:
        from scrim.core._ranges import widen_chroma, widen_luma
    except ImportError:
        return _by(luma_to_full()), _by(chroma_to_full())
    return widen_luma, widen_chroma


class NativeNarrow:
    """By the extension.

    Raises:
        ImportError: it was not built.
    """

    def __init__(self) -> None:
        from scrim.core import _ranges

        self.luma = _ranges.narrow_luma
        self.chroma = _ranges.narrow_chroma


class NumpyNarrow:
    """By a table, and by sums of samples.

    Args:
        chroma: shape of the result's chroma planes, (rows, columns).
    """

    def __init__(self, chroma: tuple[int, int]) -> None:
        rows, columns = chroma
        self._luma = rounded(np.arange(256) * (219 / 255) + 16)
        self._sums = np.empty((rows, 2 * columns), np.uint16)
        self._sum = np.empty(chroma, np.uint16)

    def luma(self, to: Plane, of: Plane) -> None:
        """See ``Narrow``."""
        cv2.LUT(of, self._luma, dst=to)

    def chroma(self, to: Plane, of: Plane) -> None:
        """See ``Narrow``."""
        rows, columns = to.shape
        sums = self._sums[:, : of.shape[1]]
        step = of.shape[0] // rows
        np.add(of[::step], of[step - 1 :: step], out=sums, dtype=np.uint16)
        each = 2
        if of.shape[1] > columns:
            np.add(sums[:, ::2], sums[:, 1::2], out=self._sum)
            each = 4
        elif of.shape[1] < columns:
            self._sum[:, ::2] = sums
            self._sum[:, 1::2] = sums[:, : columns // 2]
        else:
            np.copyto(self._sum, sums)
        # (mean - 128) * 224 / 255 + 128: 255 is odd, so there are no halves, and 65535 is never reached.
        np.multiply(self._sum, 224 // each, out=self._sum)
        np.add(self._sum, 128 * 255 - 128 * 224 + 127, out=self._sum)
        np.floor_divide(self._sum, 255, out=self._sum)
        np.copyto(to, self._sum, casting="unsafe")


def _by(table: Plane) -> Widen:
    def widen(to: Plane, of: Plane) -> None:
        cv2.LUT(of, table, dst=to)

    return widen

"""The room, blurred without the person in it."""

from collections.abc import Callable
from math import sqrt

import numpy as np

from scrim.core.composite.base import CoarsePlanes
from scrim.core.composite.blend import enlarge
from scrim.core.composite.gaussian import best_room_blur
from scrim.core.pyramid import Levels, Pyramid
from scrim.frame import Coarse, Matte, Plane

_SMALLEST_SIGMA_PX = 14 / 8
"""At a level where the blur is narrower than this, shrinking shows: 45 dB against the true Gaussian here."""

_COARSEST = 3


def blur_level(sigma_px: float) -> int:
    """The coarsest pyramid level, 0 to 3, that can carry a Gaussian of ``sigma_px`` at frame size."""
    levels = (level for level in range(_COARSEST + 1) if sigma_px / (1 << level) >= _SMALLEST_SIGMA_PX)
    return max(levels, default=0)


class BlurBackground:
    """A Gaussian blur of the room alone: each pixel counts by how little of it is person.

    The blur is made on a shrunken picture and enlarged again; the shrinking and enlarging are part of the
    Gaussian (together a quarter pixel squared of the shrunken picture's variance).

    Args:
        size: (width, height) in pixels of the frames, both even.
        sigma_px: standard deviation at frame size; a sigma below 1 counts as 1, because 0 would be the room.
        coarser: pyramid levels to go beyond the coarsest that shows no difference; cheaper.
    """

    def __init__(self, size: tuple[int, int], sigma_px: float, coarser: int = 0) -> None:
        sigma_px = max(1.0, sigma_px)
        width, height = size
        self._level = min(_COARSEST, blur_level(sigma_px) + coarser)
        scale = 1 << self._level
        inner = sqrt(max((sigma_px / scale) ** 2 - 0.25, 0.01)) if self._level else sigma_px
        # Chroma planes are half as large: one level less shrinks them to the same size of pixel.
        half = (width // 2, height // 2)
        self._chroma_level = max(0, self._level - 1)
        self._y = _Blurred(size, scale)
        self._u, self._v = (_Blurred(half, 1 << self._chroma_level) for _ in range(2))
        self._is_alike = self._chroma_level > 0  # then shape, sigma and weights of all three are the same
        self._luma = best_room_blur(self._y.small.shape, inner, 3 if self._is_alike else 1)
        self._chroma = self._luma
        if not self._is_alike:
            self._chroma = best_room_blur(self._u.small.shape, max(sigma_px / 2, 0.3), 2)
        self._smooth = _native_smooth()
        self._quarter = np.empty(_shape(width, height, 4), np.uint8)
        self._below_half = Levels(half, 2)
        self._below_quarter = Levels((self._quarter.shape[1], self._quarter.shape[0]), 1)

    def planes(self, pyramid: Pyramid, matte: Matte) -> CoarsePlanes:
        """Blur the room of the pyramid's frame."""
        y, chroma = pyramid.luma(self._level), pyramid.chroma(self._chroma_level)
        alpha, small = self._shrunk_alpha(matte, self._level), (self._u.small, self._v.small)
        if self._is_alike:
            self._luma.blur(alpha, (y, *chroma), (self._y.small, *small))
        else:
            self._luma.blur(alpha, (y,), (self._y.small,))
            self._chroma.blur(matte.uv, chroma, small)
        return self._y.coarse(), self._u.coarse(), self._v.coarse()

    def _shrunk_alpha(self, matte: Matte, level: int) -> Plane:
        if level == 0:
            return matte.y
        if level == 1:
            return matte.uv
        cells, quarter = matte.cells, self._quarter
        if self._smooth and cells and cells.factor == 4 and cells.plane.shape == quarter.shape:
            # The matte itself is not needed then: what it would be shrunk to follows from its cells.
            self._smooth(quarter, cells.plane)
            self._below_quarter.load(quarter)
            return self._below_quarter.plane(level - 2)
        self._below_half.load(matte.uv)
        return self._below_half.plane(level - 1)


class _Blurred:
    """A blurred plane, ``small``, and what it is once enlarged.

    Args:
        size: (width, height) in pixels of the enlarged plane.
        scale: about how many times larger that is. Where it is not exactly so, the plane is enlarged here.
    """

    def __init__(self, size: tuple[int, int], scale: int) -> None:
        width, height = size
        self.small = np.empty(_shape(width, height, scale), np.uint8)
        self._small = Coarse(self.small, scale)
        is_whole = width % scale == 0 and height % scale == 0
        self._large = None if is_whole else Coarse(np.empty((height, width), np.uint8))

    def coarse(self) -> Coarse:
        """The plane as it is now."""
        if self._large is None:
            return self._small
        enlarge(self._small, self._large.plane)
        return self._large


def _native_smooth() -> Callable[[Plane, Plane], None] | None:
    """What halves a plane that was enlarged by 2, given what it was before; None without a compiler."""
    try:
        from scrim.core._planes import smooth
    except ImportError:
        return None
    return smooth


def _shape(width: int, height: int, scale: int) -> tuple[int, int]:
    return -(-height // scale), -(-width // scale)

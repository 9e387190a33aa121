"""The room, blurred without the person in it."""

from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.composite.base import CoarsePlanes
from scrim.core.composite.blend import enlarge
from scrim.core.composite.weighing import best_weighing
from scrim.core.pyramid import Pyramid, Shrink, best_shrink
from scrim.frame import Coarse, Matte, Plane

_SMALLEST_SIGMA_PX = 14 / 8
"""At a level where the blur is narrower than this, shrinking shows: 45 dB against the true Gaussian here."""

_COARSEST = 3

_PERSON_WEIGHT = 16
"""How fast a shrunken pixel loses its say in the blur with the person's share of it: gone at 1 / 16."""

_FALLBACK_WEIGHT = 0.02
"""Share of the room's mean colour in the blur, so that deep inside the person there is a colour at all."""

_NEUTRAL = 128
"""Grey, in each of the three planes: the room's colour where nothing of the room is to be seen."""


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
        self._luma = _Group(self._y.small.shape, inner, 3 if self._is_alike else 1)
        self._chroma = self._luma
        if not self._is_alike:
            self._chroma = _Group(self._u.small.shape, max(sigma_px / 2, 0.3), 2)
        self._shrink = best_shrink()
        self._smooth = _native_smooth()
        self._quarter, self._eighth = (np.empty(_shape(width, height, scale), np.uint8) for scale in (4, 8))

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
        else:
            self._shrink(quarter, matte.uv)
        if level == 2:
            return quarter
        self._shrink(self._eighth, quarter)
        return self._eighth


class _Blurred:
    """A blurred plane, ``small``, and what it is once enlarged.

    Args:
        size: (width, height) in pixels of the enlarged plane.
        scale: about how many times larger that is. Where it is not exactly so, the plane is enlarged here.
    """

    def __init__(self, size: tuple[int, int], scale: int) -> None:
        width, height = size
        self.small = np.empty(_shape(width, height, scale), np.uint8)
        self._scale = scale
        is_whole = width % scale == 0 and height % scale == 0
        self._large = None if is_whole else np.empty((height, width), np.uint8)

    def coarse(self) -> Coarse:
        """The plane as it is now."""
        large = self._large
        if large is None:
            return Coarse(self.small, self._scale)
        enlarge(Coarse(self.small, self._scale), large)
        return Coarse(large)


class _Group:
    """Weighted Gaussian of planes that have shape, sigma and weights in common.

    Args:
        shape: of each plane.
        sigma_px: standard deviation.
        count: of planes, 1 to 3.
    """

    def __init__(self, shape: tuple[int, ...], sigma_px: float, count: int) -> None:
        radius = max(1, int(4 * sigma_px + 0.5))
        self._kernel: NDArray[np.float32] = cv2.getGaussianKernel(2 * radius + 1, sigma_px, cv2.CV_32F)
        self._mixed, self._blurred = (np.empty((*shape, count + 1), np.float32) for _ in range(2))
        self._weighing = best_weighing((shape[0], shape[1]))
        self._nothing = (_NEUTRAL,) * count

    def blur(self, alpha: Plane, planes: tuple[Plane, ...], out: tuple[Plane, ...]) -> None:
        """Blur ``planes`` into ``out``, each pixel counting by how little of it is person."""
        means = self._weighing.weigh(self._mixed, alpha, planes, _PERSON_WEIGHT) or self._nothing
        # The edge repeats: a mirror in the middle of a shrunken pixel would leave out half of it, and a room
        # with stripes would differ from the true Gaussian by several levels there.
        cv2.sepFilter2D(
            self._mixed,
            cv2.CV_32F,
            self._kernel,
            self._kernel,
            dst=self._blurred,
            borderType=cv2.BORDER_REFLECT,
        )
        offsets = tuple(_FALLBACK_WEIGHT * mean for mean in means)
        self._weighing.divide(self._blurred, out, _FALLBACK_WEIGHT, offsets)


def _native_smooth() -> Shrink | None:
    """What halves a plane that was enlarged by 2, given what it was before; None without a compiler."""
    try:
        from scrim.core._planes import smooth
    except ImportError:
        return None
    return smooth


def _shape(width: int, height: int, scale: int) -> tuple[int, int]:
    return -(-height // scale), -(-width // scale)

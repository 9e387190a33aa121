"""The Gaussian of the room alone, in whole numbers.

By a small extension in C where it was built, else by OpenCV; to the same bytes.

Shares of the room are 0 to FULL and the Gaussian's taps sum up to TAPS, so that everything up to the division
stays below 2**24 and is exact in floats, in whatever order and by whatever processor it is added up.
"""

from collections.abc import Callable
from itertools import pairwise
from math import exp, floor
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.frame import Plane

Floats = NDArray[np.float32]

FULL = 16
"""Share of a pixel that has nothing of the person; one less for each step of alpha: gone at 1 / 16."""

TAPS = 4096
"""Sum of the Gaussian's taps."""

FALLBACK = 0.02
"""Share of the room's mean colour in the blur, so that deep inside the person there is a colour at all."""

NEUTRAL = 128
"""Grey, in each of the three planes: the room's colour where nothing of the room is to be seen."""

_LEAST = FALLBACK * FULL * TAPS


class RoomBlur(Protocol):
    """Blurs planes of one shape by one Gaussian, the edge repeated."""

    def blur(self, alpha: Plane, planes: tuple[Plane, ...], out: tuple[Plane, ...]) -> None:
        """Blur ``planes`` into ``out``, each pixel counting by how little of it is person.

        With S a pixel's share, V its value times that and G the Gaussian, one direction after the other and
        rounded half up between them, it is ``(G(V) + FALLBACK * mean) / (G(S) + FALLBACK)``. The mean is that
        of all pixels with a share.
        """


def best_room_blur(shape: tuple[int, int], sigma_px: float, count: int) -> RoomBlur:
    """The extension where it was built, else OpenCV; to the same bytes.

    Args:
        shape: of each plane.
        sigma_px: the Gaussian's standard deviation.
        count: of planes, 1 to 3.
    """
    try:
        from scrim.core.composite._blur import blur, spare_bytes
    except ImportError:
        return OpenCVRoomBlur(shape, sigma_px, count)
    taps = gaussian(sigma_px)
    return NativeRoomBlur(taps, blur, spare_bytes(*shape, count, len(taps) - 1))


def gaussian(sigma_px: float) -> Floats:
    """Taps of the middle and of each pixel farther to one side, whole numbers.

    The middle once and all others twice are ``TAPS``. Sums from the far end are rounded, not each for itself,
    so that a wide one loses nothing; what is left of the farthest are those that are not 0.
    """
    reach = max(1, int(4 * sigma_px + 0.5))
    exact = [exp(-(at**2) / (2 * sigma_px**2)) for at in range(reach + 1)]
    scale = TAPS / (exact[0] + 2 * sum(exact[1:]))
    beyond = [floor(scale * sum(exact[at:]) + 0.5) for at in range(1, reach + 2)]
    taps = [TAPS - 2 * beyond[0], *(near - far for near, far in pairwise(beyond))]
    while len(taps) > 1 and not taps[-1]:
        taps.pop()
    return np.array(taps, np.float32)


class NativeRoomBlur:
    """The blur in one call.

    Args:
        taps: of the Gaussian.
        blur: the extension's.
        spare_bytes: how much memory that works in.
    """

    def __init__(self, taps: Floats, blur: Callable[..., None], spare_bytes: int) -> None:
        self._taps = taps
        self._blur = blur
        self._spare = np.zeros(-(-spare_bytes // 4), np.float32)

    def blur(self, alpha: Plane, planes: tuple[Plane, ...], out: tuple[Plane, ...]) -> None:
        """See :class:`RoomBlur`."""
        self._blur(out, alpha, planes, self._taps, self._spare, _LEAST, NEUTRAL)


class OpenCVRoomBlur:
    """The blur in thirty passes of OpenCV.

    Args:
        shape: of each plane.
        sigma_px: the Gaussian's standard deviation.
        count: of planes, 1 to 3.
    """

    def __init__(self, shape: tuple[int, int], sigma_px: float, count: int) -> None:
        taps = gaussian(sigma_px)
        self._kernel, self._one = np.concatenate([taps[:0:-1], taps]), np.ones(1, np.float32)
        self._share = np.empty(shape, np.uint8)
        self._weight, self._part = (np.empty(shape, np.float32) for _ in range(2))
        self._mixed, self._blurred = (np.empty((*shape, count + 1), np.float32) for _ in range(2))

    def blur(self, alpha: Plane, planes: tuple[Plane, ...], out: tuple[Plane, ...]) -> None:
        """See :class:`RoomBlur`."""
        self._weigh(alpha, planes)
        self._filter()
        self._divide(out, [_LEAST * mean for mean in self._means(planes)])

    def _weigh(self, alpha: Plane, planes: tuple[Plane, ...]) -> None:
        cv2.subtract((FULL, 0, 0, 0), alpha, dst=self._share)
        cv2.multiply(self._share, 256, dst=self._weight, dtype=cv2.CV_32F)
        cv2.insertChannel(self._weight, self._mixed, 0)
        for at, plane in enumerate(planes, 1):
            cv2.multiply(plane, self._share, dst=self._part, dtype=cv2.CV_32F)
            cv2.insertChannel(self._part, self._mixed, at)

    def _means(self, planes: tuple[Plane, ...]) -> list[float]:
        if not cv2.countNonZero(self._share):
            return [NEUTRAL] * len(planes)
        return [cv2.mean(plane, self._share)[0] for plane in planes]

    def _filter(self) -> None:
        # The edge repeats: a mirror in the middle of a shrunken pixel would leave out half of it, and a room
        # with stripes would differ from the true Gaussian by several levels there.
        mixed, blurred, one, edge = self._mixed, self._blurred, self._one, cv2.BORDER_REFLECT
        cv2.sepFilter2D(mixed, cv2.CV_32F, self._kernel, one, dst=blurred, borderType=edge)
        np.multiply(blurred, np.float32(1 / TAPS), out=blurred)
        np.floor(np.add(blurred, np.float32(0.5), out=blurred), out=blurred)
        cv2.sepFilter2D(blurred, cv2.CV_32F, one, self._kernel, dst=mixed, borderType=edge)

    def _divide(self, out: tuple[Plane, ...], offsets: list[float]) -> None:
        cv2.extractChannel(self._mixed, 0, dst=self._weight)
        cv2.multiply(self._weight, 1 / 256, dst=self._weight)
        cv2.add(self._weight, _LEAST, dst=self._weight)
        for at, (plane, offset) in enumerate(zip(out, offsets, strict=True), 1):
            cv2.extractChannel(self._mixed, at, dst=self._part)
            cv2.add(self._part, offset, dst=self._part)
            cv2.divide(self._part, self._weight, dst=plane, dtype=cv2.CV_8U)

"""Mixing camera and background by the matte: by a small extension in C where it was built, else by OpenCV.

Both enlarge what is kept small on the way, round each product exactly on x86-64, and give the same bytes. On
Arm OpenCV's multiplication truncates: there a mixed pixel may be 2 levels darker without the extension.
"""

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from scrim.core.composite.base import CoarsePlanes
from scrim.frame import Coarse, Matte, Plane, Planes

_BAND_ROWS = 120
"""Rows at a time, so that what is between OpenCV's steps stays in the cache: 14 % less time at 720p."""

Box = tuple[int, int, int, int]
"""(left, top, right, bottom), in pixels of the plane in question."""


class Blend(Protocol):
    """Mixes whole pictures."""

    def __call__(self, out: Plane, camera: Planes, behind: CoarsePlanes, matte: Matte) -> None:
        """Write every pixel of ``out``: ``camera * alpha + behind * (255 - alpha)``, over 255.

        Alpha 0 gives ``behind`` and 255 gives ``camera``, exactly; outside the matte's box alpha is 0.

        Args:
            out: contiguous I420, shape (height * 3 / 2, width); shares no memory with the others. All planes
                are uint8 with contiguous rows.
            camera: as large as ``out``.
            behind: enlarged at least as large.
            matte: as large.
        """


def best_blend(width: int) -> Blend:
    """The extension where it was built, else OpenCV.

    Args:
        width: of the widest plane, in pixels.
    """
    try:
        from scrim.core._planes import blend
    except ImportError:
        return OpenCVBlend(width)
    return NativeBlend(blend)


class NativeBlend:
    """Mixes in one call, in one pass over each plane.

    Args:
        blend: the extension's.
    """

    def __init__(self, blend: Callable[[Plane, Planes, CoarsePlanes, Coarse, Coarse, Box], None]) -> None:
        self._blend = blend

    def __call__(self, out: Plane, camera: Planes, behind: CoarsePlanes, matte: Matte) -> None:
        """See :class:`Blend`."""
        cells = matte.cells
        if cells is None:
            luma, chroma = Coarse(matte.y), Coarse(matte.uv)
        else:
            luma, chroma = cells, Coarse(cells.plane, cells.factor // 2)
        self._blend(out, camera, behind, luma, chroma, matte.box)


class OpenCVBlend:
    """Mixes by OpenCV, band by band.

    Args:
        width: of the widest plane, in pixels.
    """

    def __init__(self, width: int) -> None:
        self._person = np.empty((_BAND_ROWS, width), np.uint8)
        self._room_share = np.empty_like(self._person)

    def __call__(self, out: Plane, camera: Planes, behind: CoarsePlanes, matte: Matte) -> None:
        """See :class:`Blend`."""
        y, u, v = planes = Planes.of(out)
        for plane, room in zip(planes, behind, strict=True):
            enlarge(room, plane)
        if any(matte.box):
            half = _half(matte.box)
            self._mix(y, camera.y, matte.y, matte.box)
            self._mix(u, camera.u, matte.uv, half)
            self._mix(v, camera.v, matte.uv, half)

    def _mix(self, out: Plane, camera: Plane, alpha: Plane, box: Box) -> None:
        left, top, right, bottom = box
        for row in range(top, bottom, _BAND_ROWS):
            inside = slice(row, min(bottom, row + _BAND_ROWS)), slice(left, right)
            self._mix_band(out[inside], camera[inside], alpha[inside])

    def _mix_band(self, out: Plane, camera: Plane, alpha: Plane) -> None:
        height, width = out.shape
        person, room_share = self._person[:height, :width], self._room_share[:height, :width]
        cv2.multiply(camera, alpha, dst=person, scale=1 / 255)
        cv2.bitwise_not(alpha, dst=room_share)
        cv2.multiply(out, room_share, dst=out, scale=1 / 255)
        cv2.add(out, person, dst=out)


def enlarge(small: Coarse, out: Plane) -> None:
    """Write the enlargement of a plane, which ends where its last cell does."""
    if small.factor == 1:
        np.copyto(out, small.plane)
    else:
        cv2.resize(small.plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR_EXACT)


def _half(box: Box) -> Box:
    left, top, right, bottom = box
    return left // 2, top // 2, right // 2, bottom // 2

"""JPEGs straight from the planes of a safe picture; no conversion to RGB is made."""

from functools import cache

import numpy as np
import simplejpeg

from scrim.frame import Plane, Planes
from scrim.video_range import chroma_to_full, luma_to_full

QUALITY = 80
_BAND_ROWS = 16
_BAND_BYTES = 16 * 1024
"""So much of a plane is looked up at once: numpy makes eight bytes of each index meanwhile."""


def to_full_range(planes: Planes) -> None:
    """Stretch a picture from video's range to JPEG's, in its own memory."""
    luma, chroma = _tables()
    for table, plane in zip((luma, chroma, chroma), planes, strict=True):
        rows = max(1, _BAND_BYTES // plane.shape[1])
        for top in range(0, plane.shape[0], rows):
            band = plane[top : top + rows]
            # Every byte has a place in the table; "clip" spares numpy the checks, which cost most.
            np.take(table, band, out=band, mode="clip")


def encode(planes: Planes) -> bytes:
    """A JPEG of a picture in full range."""
    jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=QUALITY, fastdct=True)
    return jpeg


def shrunk(planes: Planes, longest_px: int) -> Planes:
    """The picture with neither side longer than ``longest_px``; itself where it is small enough.

    Each pixel is the mean of a square of them, and what does not fill a square is cut off, right and below.
    """
    factor = -(-max(planes.size) // longest_px)
    if factor == 1:
        return planes
    width, height = (side // 2 // factor for side in planes.size)
    return Planes(
        _means(planes.y, factor, 2 * width, 2 * height),
        _means(planes.u, factor, width, height),
        _means(planes.v, factor, width, height),
    )


def _means(plane: Plane, factor: int, width: int, height: int) -> Plane:
    small: Plane = np.empty((height, width), np.uint8)
    pixels = factor * factor
    for top in range(0, height, _BAND_ROWS):  # the sums of a whole picture would take more than the picture
        rows = min(_BAND_ROWS, height - top)
        squares = plane[top * factor : (top + rows) * factor, : width * factor]
        sums = squares.reshape(rows, factor, width, factor).sum(axis=(1, 3), dtype=np.uint32)
        small[top : top + rows] = (sums + pixels // 2) // pixels
    return small


@cache
def _tables() -> tuple[Plane, Plane]:
    return luma_to_full(), chroma_to_full()

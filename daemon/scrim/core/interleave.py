"""Planes against bytes that lie side by side, which is how cameras and output devices may have pictures.

By a small extension in C where it was built, else by OpenCV; to the same bytes. The rows of planes and packed
pictures are contiguous.
"""

from collections.abc import Callable

import cv2
import numpy as np

from scrim.frame import Plane

UnpackYuyv = Callable[[Plane, Plane, Plane, Plane], None]
"""``unpack(y, u, v, packed)``: the planes of a picture of Y U Y V, shape (height, width * 2). The chroma of
two rows is averaged, halves to even."""

PackYuyv = Callable[[Plane, Plane, Plane, Plane], None]
"""``pack(packed, y, u, v)``: the other way round; two rows share their chroma."""

Split = Callable[[Plane, Plane, Plane], None]
"""``split(u, v, pairs)``: every other byte of ``pairs``, shape (rows, columns * 2), to either plane."""

Join = Callable[[Plane, Plane, Plane], None]
"""``join(pairs, u, v)``: the other way round."""


def best_unpack_yuyv(size: tuple[int, int]) -> UnpackYuyv:
    """For pictures of ``size``, (width, height) in pixels."""
    try:
        from scrim.core._packed import unpack_yuyv
    except ImportError:
        return OpenCVUnpackYuyv(size)
    return unpack_yuyv


def best_pack_yuyv() -> PackYuyv:
    """For pictures of any size."""
    try:
        from scrim.core._packed import pack_yuyv
    except ImportError:
        return opencv_pack_yuyv
    return pack_yuyv


def best_split() -> Split:
    """For planes of any size."""
    try:
        from scrim.core._packed import split
    except ImportError:
        return opencv_split
    return split


def best_join() -> Join:
    """For planes of any size."""
    try:
        from scrim.core._packed import join
    except ImportError:
        return opencv_join
    return join


class OpenCVUnpackYuyv:
    """Unpacks in four passes.

    Args:
        size: (width, height) in pixels, both even.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._mean = np.empty((height // 2, width * 2), np.uint8)

    def __call__(self, y: Plane, u: Plane, v: Plane, packed: Plane) -> None:
        """See ``UnpackYuyv``."""
        height, width = y.shape
        cv2.extractChannel(packed.reshape(height, width, 2), 0, dst=y)
        cv2.addWeighted(packed[0::2], 0.5, packed[1::2], 0.5, 0, dst=self._mean)
        quads = self._mean.reshape(height // 2, width // 2, 4)
        cv2.extractChannel(quads, 1, dst=u)
        cv2.extractChannel(quads, 3, dst=v)


def opencv_pack_yuyv(packed: Plane, y: Plane, u: Plane, v: Plane) -> None:
    """See ``PackYuyv``."""
    height, width = y.shape
    quads = packed.reshape(height, width // 2, 4)
    cv2.insertChannel(y, packed.reshape(height, width, 2), 0)
    for rows in (quads[0::2], quads[1::2]):
        cv2.insertChannel(u, rows, 1)
        cv2.insertChannel(v, rows, 3)


def opencv_split(u: Plane, v: Plane, pairs: Plane) -> None:
    """See ``Split``."""
    both = pairs.reshape(*u.shape, 2)
    cv2.extractChannel(both, 0, dst=u)
    cv2.extractChannel(both, 1, dst=v)


def opencv_join(pairs: Plane, u: Plane, v: Plane) -> None:
    """See ``Join``."""
    both = pairs.reshape(*u.shape, 2)
    cv2.insertChannel(u, both, 0)
    cv2.insertChannel(v, both, 1)

"""From I420 to what output devices may insist on, without allocating per frame."""

from collections.abc import Callable

import numpy as np

from scrim.core.interleave import best_join, best_pack_yuyv
from scrim.frame import Plane, Planes

Packer = Callable[[Plane], Plane]
"""Takes a contiguous I420 picture, gives it in another format as flat bytes, valid until the next call."""


class ToNv12:
    """NV12: luma, then chroma in pairs.

    Args:
        size: (width, height) in pixels, both even.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._luma_bytes = width * height
        self._bytes = np.empty(width * height * 3 // 2, np.uint8)
        self._pairs = self._bytes[self._luma_bytes :].reshape(height // 2, width)
        self._join = best_join()

    def __call__(self, i420: Plane) -> Plane:
        """Pack one picture."""
        planes = Planes.of(i420)
        np.copyto(self._bytes[: self._luma_bytes].reshape(planes.y.shape), planes.y)
        self._join(self._pairs, planes.u, planes.v)
        return self._bytes


class ToYuyv:
    """YUYV: Y U Y V in each pair of pixels; two rows share their chroma.

    Args:
        size: (width, height) in pixels, both even.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._size = size
        self._bytes = np.empty(width * height * 2, np.uint8)
        self._pack = best_pack_yuyv()

    def __call__(self, i420: Plane) -> Plane:
        """Pack one picture."""
        self.into(i420, self._bytes)
        return self._bytes

    def into(self, i420: Plane, target: Plane) -> None:
        """Pack one picture into the first bytes of ``target``, flat and at least 2 bytes per pixel."""
        width, height = self._size
        planes = Planes.of(i420)
        packed = target[: width * height * 2].reshape(height, width * 2)
        self._pack(packed, planes.y, planes.u, planes.v)


def to_yu12(i420: Plane) -> Plane:
    """YU12 is V4L2's name of I420: the same bytes."""
    return i420.reshape(-1)


def make_packer(fourcc: str, size: tuple[int, int]) -> Packer:
    """The packer to ``fourcc`` (YU12, NV12 or YUYV) for pictures of ``size``, (width, height) in pixels."""
    match fourcc:
        case "NV12":
            return ToNv12(size)
        case "YUYV":
            return ToYuyv(size)
        case _:
            return to_yu12

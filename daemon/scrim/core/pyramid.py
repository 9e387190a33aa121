"""One frame at half, quarter and eighth size, each computed at most once and only when somebody asks."""

from collections.abc import Callable

import cv2
import numpy as np

from scrim.frame import Frame, Plane

Shrink = Callable[[Plane, Plane], None]
"""``shrink(out, source)``: each pixel of ``out`` is the mean of the 2 x 2 of ``source`` that fall on it,
rounded half up; of fewer and parts of them where ``out`` is half as large rounded up. Rows are contiguous."""


class Pyramid:
    """Shrinks a frame by averaging 2 x 2 pixels, again and again, into buffers that live as long as it does.

    Args:
        size: (width, height) in pixels of every frame, both even.
        depth: the smallest level; level n has 1 / 2**n of the frame's width, rounded up.
    """

    def __init__(self, size: tuple[int, int], depth: int = 3) -> None:
        self.size = size
        self._levels = [_allocate(size, level) for level in range(1, depth + 1)]
        whole = (size[1], size[0]), (size[1] // 2, size[0] // 2), (size[1] // 2, size[0] // 2)
        self._shrink = [
            [best_shrink(out.shape, source) for out, source in zip(planes, above, strict=True)]
            for planes, above in zip(self._levels, [whole, *map(_shapes, self._levels)], strict=False)
        ]
        self._ready = [0] * 3
        self._frame: Frame | None = None

    def load(self, frame: Frame) -> None:
        """Take the next frame; what was computed for the one before is void.

        Raises:
            ValueError: the frame has another size.
        """
        if frame.size != self.size:
            raise ValueError(f"a frame of {frame.size} in a pyramid for {self.size}")
        self._frame = frame
        self._ready = [0] * 3

    def unload(self) -> None:
        """Let the frame go: whoever made it may have its buffer back."""
        self._frame = None
        self._ready = [0] * 3

    @property
    def frame(self) -> Frame:
        """The frame that was loaded last.

        Raises:
            LookupError: none was, or it was let go.
        """
        if self._frame is None:
            raise LookupError("no frame was loaded")
        return self._frame

    def luma(self, level: int) -> Plane:
        """Luma at 1 / 2**level; level 0 is the frame's own plane. Valid until the next ``load``."""
        return self._plane(0, level)

    def chroma(self, level: int) -> tuple[Plane, Plane]:
        """Both chroma planes, at half the size of ``luma(level)``. Valid until the next ``load``."""
        return self._plane(1, level), self._plane(2, level)

    def _plane(self, channel: int, level: int) -> Plane:
        if level and self._ready[channel] >= level:
            return self._levels[level - 1][channel]
        planes = self.frame.planes
        plane = (planes.y, planes.u, planes.v)[channel]
        for at in range(level):
            smaller = self._levels[at][channel]
            if at >= self._ready[channel]:
                self._shrink[at][channel](smaller, plane)
                self._ready[channel] = at + 1
            plane = smaller
        return plane


def best_shrink(out: tuple[int, ...], source: tuple[int, ...]) -> Shrink:
    """The extension in C where it was built and one shape is twice the other, else OpenCV; to the same bytes.

    Args:
        out: shape of the planes to write.
        source: shape of what they are made from.
    """
    if source != (2 * out[0], 2 * out[1]):
        return opencv_shrink
    try:
        from scrim.core._planes import halve
    except ImportError:
        return opencv_shrink
    return halve


def opencv_shrink(out: Plane, source: Plane) -> None:
    """See ``Shrink``."""
    cv2.resize(source, out.shape[::-1], dst=out, interpolation=cv2.INTER_AREA)


def _allocate(size: tuple[int, int], level: int) -> tuple[Plane, Plane, Plane]:
    width, height = size
    luma = (_shrunk(height, level), _shrunk(width, level))
    chroma = (_shrunk(height // 2, level), _shrunk(width // 2, level))
    return np.empty(luma, np.uint8), np.empty(chroma, np.uint8), np.empty(chroma, np.uint8)


def _shapes(planes: tuple[Plane, Plane, Plane]) -> tuple[tuple[int, ...], ...]:
    return planes[0].shape, planes[1].shape, planes[2].shape


def _shrunk(length_px: int, level: int) -> int:
    return -(-length_px // (1 << level))

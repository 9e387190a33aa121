"""One frame at half, quarter and eighth size, computed at most once and only when somebody asks."""

from collections.abc import Callable

import cv2
import numpy as np

from scrim.frame import Frame, Plane


class Pyramid:
    """Shrinks a frame by averaging 2 x 2 pixels, again and again, into buffers that live as long as it does.

    Args:
        size: (width, height) in pixels of every frame, both even.
        depth: the smallest level; level n has 1 / 2**n of the frame's width, rounded up.
    """

    def __init__(self, size: tuple[int, int], depth: int = 3) -> None:
        self.size = size
        half = (size[0] // 2, size[1] // 2)
        self._y, self._u, self._v = Levels(size, depth), Levels(half, depth), Levels(half, depth)
        self._frame: Frame | None = None

    def load(self, frame: Frame) -> None:
        """Take the next frame; what was computed for the one before is void.

        Raises:
            ValueError: the frame has another size.
        """
        if frame.size != self.size:
            raise ValueError(f"a frame of {frame.size} in a pyramid for {self.size}")
        self._frame, planes = frame, frame.planes
        self._y.load(planes.y)
        self._u.load(planes.u)
        self._v.load(planes.v)

    def unload(self) -> None:
        """Let the frame go: whoever made it may have its buffer back."""
        self._frame = None
        for levels in (self._y, self._u, self._v):
            levels.load(None)

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
        return self._y.plane(level)

    def chroma(self, level: int) -> tuple[Plane, Plane]:
        """Both chroma planes, at half the size of ``luma(level)``. Valid until the next ``load``."""
        return self._u.plane(level), self._v.plane(level)


class Levels:
    """A plane, and what it becomes when it is halved again and again.

    Each pixel of a level is the mean of the 2 x 2 of the level before that fall on it, rounded half up; of
    fewer and parts of them where a level is half as large rounded up. The extension in C, where it was built,
    makes all levels at once that are exactly half as large; beside the first one the others cost next to
    nothing. OpenCV makes the others when they are asked for; to the same bytes.

    Args:
        size: (width, height) in pixels of the plane.
        depth: how many levels.
    """

    def __init__(self, size: tuple[int, int], depth: int) -> None:
        self._levels = tuple(np.empty(_shape(size, level), np.uint8) for level in range(1, depth + 1))
        self._halve = native_halve()
        self._at_once = self._levels[: _exact(size, depth)] if self._halve else ()
        self._whole: Plane | None = None
        self._made = 0

    def load(self, plane: Plane | None) -> None:
        """Take the next plane, with contiguous rows, or let the last one go."""
        self._whole, self._made = plane, 0

    def plane(self, level: int) -> Plane:
        """The plane at 1 / 2**level; level 0 is the plane itself. Valid until the next ``load``.

        Raises:
            LookupError: there is no plane.
        """
        if self._whole is None:
            raise LookupError("no frame was loaded")
        if not level:
            return self._whole
        while self._made < level:
            self._make(self._whole)
        return self._levels[level - 1]

    def _make(self, whole: Plane) -> None:
        """At least one level more."""
        made = self._made
        if self._halve and made < len(self._at_once):
            self._halve(self._at_once, whole)
            self._made = len(self._at_once)
        else:
            shrink(self._levels[made], self._levels[made - 1] if made else whole)
            self._made += 1


def native_halve() -> Callable[[tuple[Plane, ...], Plane], None] | None:
    """What makes some levels of a plane at once; None without a compiler."""
    try:
        from scrim.core._planes import halve
    except ImportError:
        return None
    return halve


def shrink(out: Plane, source: Plane) -> None:
    """Make one level of the one before, by OpenCV."""
    cv2.resize(source, out.shape[::-1], dst=out, interpolation=cv2.INTER_AREA)


def _exact(size: tuple[int, int], depth: int) -> int:
    """How many levels are exactly half as large as the one before."""
    width, height = size
    return next((level for level in range(depth) if (width >> level | height >> level) & 1), depth)


def _shape(size: tuple[int, int], level: int) -> tuple[int, int]:
    width, height = size
    return -(-height // (1 << level)), -(-width // (1 << level))

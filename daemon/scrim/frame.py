"""The pictures that travel through scrim: raw frames, masks, mattes and safe frames.

Everything at frame size is planar YUV 4:2:0 (I420), full-range or limited-range as the camera delivers it;
nothing on the path depends on which. Arrays are (height, width), sizes are (width, height).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
"""One plane of a picture, shape (height, width), uint8, rows may be padded (stride > width)."""

Mask = NDArray[np.uint8]
"""The model's output at model resolution, shape (height, width), uint8: 0 = background, 255 = person."""

Origin = Literal["effect", "placeholder", "raw"]
"""What a safe frame shows: a composited camera frame, the placeholder, or, by the local file's leave, raw."""

MAX_SIDE_PX = 8192
"""No picture is wider or higher than this; the largest UVC and MJPG cameras stay below it."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What a source delivers or a sink is opened for.

    Attributes:
        width: pixels, even, 2 to 8192.
        height: pixels, even, 2 to 8192.
        frame_rate: frames per second, above 0; what is announced, not what is measured.
    """

    width: int
    height: int
    frame_rate: float

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if not 2 <= value <= MAX_SIDE_PX or value % 2:
                raise ValueError(f"{name} = {value}: must be even and from 2 to {MAX_SIDE_PX}")
        if not 0 < self.frame_rate <= 1000:
            raise ValueError(f"frame_rate = {self.frame_rate}: must be above 0 and at most 1000")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    @property
    def frame_interval_s(self) -> float:
        """Seconds from one frame to the next."""
        return 1.0 / self.frame_rate

    def __str__(self) -> str:
        return f"{self.width}x{self.height}@{self.frame_rate:g}"


class Planes(NamedTuple):
    """The three planes of an I420 picture.

    Attributes:
        y: luma, (height, width).
        u: blue difference, (height / 2, width / 2).
        v: red difference, (height / 2, width / 2).
    """

    y: Plane
    u: Plane
    v: Plane

    @classmethod
    def of(cls, i420: Plane) -> "Planes":
        """Views into a contiguous I420 buffer of shape (height * 3 / 2, width)."""
        rows, width = i420.shape
        height = rows * 2 // 3
        chroma = i420[height:].reshape(2, height // 2, width // 2)
        return cls(i420[:height], chroma[0], chroma[1])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the luma plane in pixels."""
        return self.y.shape[1], self.y.shape[0]


@dataclass(frozen=True, slots=True)
class Frame:
    """One raw camera picture. Never written to after it is handed on; never given to a sink.

    Attributes:
        planes: the picture.
        pts_ns: capture time, nanoseconds of CLOCK_MONOTONIC.
        sequence: counts up by one for each frame the source delivered.
        small: the same picture, squeezed by the camera's own hardware to about the size that the model looks
            at; None where there is none.
    """

    planes: Planes
    pts_ns: int
    sequence: int
    small: Planes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.planes.size


class Coarse(NamedTuple):
    """A plane kept small: it stands for its bilinear enlargement, rounded half up, the edge repeated.

    Attributes:
        plane: (rows, columns), uint8.
        factor: pixels across one of its cells: 1, 2, 4 or 8. The large plane may end within the last.
    """

    plane: Plane
    factor: int = 1


class Matte:
    """The person's share of each pixel of one frame. Valid until the next matte is made.

    Args:
        y: alpha for the luma plane, or what makes it when it is asked for.
        uv: the same for both chroma planes.
        box: see below.
        coverage: see below.
        cells: see below.

    Attributes:
        box: (left, top, right, bottom) in luma pixels, all even: outside it alpha is 0 everywhere.
            All zero when nobody is in the picture.
        coverage: mean of alpha, 0 to 1.
        cells: what ``y`` is the enlargement of, by 2 or 4, and ``uv`` by half as much; None where there is no
            such thing.
    """

    __slots__ = ("_uv", "_y", "box", "cells", "coverage")

    def __init__(
        self,
        y: Plane | Callable[[], Plane],
        uv: Plane | Callable[[], Plane],
        box: tuple[int, int, int, int],
        coverage: float,
        cells: Coarse | None = None,
    ) -> None:
        self._y = y
        self._uv = uv
        self.box = box
        self.coverage = coverage
        self.cells = cells

    @property
    def y(self) -> Plane:
        """Alpha for the luma plane, (height, width), 0 = background, 255 = person."""
        if callable(self._y):
            self._y = self._y()
        return self._y

    @property
    def uv(self) -> Plane:
        """Alpha for both chroma planes, (height / 2, width / 2)."""
        if callable(self._uv):
            self._uv = self._uv()
        return self._uv


class SafeFrame:
    """A picture that may leave the camera's process. The only thing a sink accepts.

    It cannot be constructed, copied, pickled or subclassed: the compositor and the placeholder painter make
    it, through :mod:`scrim.core.composite.door`, and its pixels are read-only.

    Attributes:
        i420: the picture, contiguous, shape (height * 3 / 2, width), uint8, read-only.
        pts_ns: capture time of the camera frame, or the time the placeholder was painted.
        sequence: sequence number of the camera frame, -1 for a placeholder.
        origin: what it shows.
        revision: revision of the settings it was made under.
    """

    __slots__ = ("i420", "origin", "pts_ns", "revision", "sequence")
    i420: Plane
    pts_ns: int
    sequence: int
    origin: Origin
    revision: int

    def __new__(cls) -> "SafeFrame":  # noqa: PYI034  it returns nothing at all
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError("a SafeFrame is made by the compositor or the placeholder painter, nowhere else")

    def __init_subclass__(cls) -> None:
        raise TypeError("SafeFrame cannot be subclassed: it would be a second door")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a SafeFrame does not change: {name}")

    def __copy__(self) -> NoReturn:
        raise TypeError("a SafeFrame is handed on by reference, not copied")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SafeFrame does not leave the process as an object")

    @property
    def planes(self) -> Planes:
        """Views into ``i420``, made when they are asked for."""
        return Planes.of(self.i420)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        rows, width = self.i420.shape
        return width, rows * 2 // 3


class _Memory(NamedTuple):
    """One buffer of a pool, and what NumPy calls it."""

    pixels: Plane
    interface: dict[str, Any]


class _Lease:
    """Keeps one buffer out of the pool for as long as any array looks at it."""

    __slots__ = ("__array_interface__", "_free", "_memory")

    def __init__(self, memory: _Memory, free: deque[_Memory]) -> None:
        self._memory = memory
        self._free = free
        self.__array_interface__ = memory.interface

    def __del__(self) -> None:
        self._free.append(self._memory)


class FramePool:
    """A fixed set of I420 buffers of one size, so that no frame-sized memory is allocated per frame.

    A buffer comes back by itself when the last array that looks at it is gone, whoever held it.

    Args:
        size: (width, height) in pixels, both even.
        count: how many buffers; all are allocated here.
    """

    def __init__(self, size: tuple[int, int], count: int) -> None:
        width, height = size
        self.size = size
        buffers = [np.zeros((height * 3 // 2, width), np.uint8) for _ in range(count)]
        self._free = deque(_Memory(pixels, pixels.__array_interface__) for pixels in buffers)

    def lease(self) -> Plane | None:
        """A contiguous I420 buffer, shape (height * 3 / 2, width), old content; None when all are out."""
        try:
            memory = self._free.pop()
        except IndexError:
            return None
        return np.asarray(_Lease(memory, self._free))

    @property
    def free(self) -> int:
        """How many buffers are not out."""
        return len(self._free)

"""libturbojpeg, as Debian has it: the planes of a JPEG as they lie in it, without the way through RGB.

Wheels with libjpeg-turbo inside give no planes, so the library itself is called, by ctypes: each call
releases the interpreter's lock, and nothing calls back, which would need memory that is written and run. The
interface is that of TurboJPEG 2.0, which 3.x still has.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scrim.frame import Plane

SONAME = "libturbojpeg.so.0"
PACKAGE = "libturbojpeg0"
"""Debian's."""

_GREY = 3
"""TJSAMP_GRAY of turbojpeg.h; the other samplings have chroma."""

_YCBCR, _GREYSCALE = 1, 2
"""TJCS_YCbCr and TJCS_GRAY: only of these the planes are luma and chroma."""

_LIMIT_SCANS = 32768
"""TJFLAG_LIMITSCANS: a picture of thousands of scans, each over all of it, is an error."""

_WARNING = 0
"""TJERR_WARNING: the picture is there, though it is not clean."""

_MOST_SAMPLINGS = 32


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself.

    Attributes:
        size: (width, height) in pixels, 1 or more each.
        sampling: one of the library's numbers, below 0 where it has none.
        is_yuv: whether its planes are luma and chroma, or luma.
    """

    size: tuple[int, int]
    sampling: int
    is_yuv: bool


class Buffers:
    """Where the planes of pictures of one size go, whatever their sampling.

    Each has room for the most that any sampling wants: nothing is made anew where a camera's sampling
    changes, and no header makes the library write beyond. What no picture fills is never touched, and is no
    memory in use.

    Args:
        library: tells what planes each sampling has.
        size: (width, height) in pixels.

    Attributes:
        planes: luma, and two planes of chroma unless it is grey, each (rows, columns), by sampling.
    """

    def __init__(self, library: "TurboJpeg", size: tuple[int, int]) -> None:
        shapes = library.shapes(size)
        most = max(rows * columns for planes in shapes.values() for rows, columns in planes)
        memory = [np.empty(most, np.uint8) for _ in range(3)]
        self.planes: dict[int, tuple[Plane, ...]] = {
            sampling: tuple(
                flat[: rows * columns].reshape(rows, columns)
                for flat, (rows, columns) in zip(memory, planes, strict=False)
            )
            for sampling, planes in shapes.items()
        }
        self.pointers = (ctypes.c_void_p * 3)(*(flat.ctypes.data for flat in memory))


class Picture:
    """One JPEG, with the library's state for it.

    Args:
        library: what reads it.
        handle: of the library's.
        data: shape (bytes,), contiguous; nobody writes to it meanwhile.
    """

    def __init__(self, library: ctypes.CDLL, handle: int, data: Plane) -> None:
        self._library = library
        self._handle = handle
        self._data = data
        self._bytes = (data.ctypes.data, data.size)

    def header(self) -> Header:
        """Its header, without a look at the rest.

        Raises:
            ValueError: it is no JPEG's.
        """
        width, height, sampling, colours = found = [ctypes.c_int(-1) for _ in range(4)]
        # It also fails at samplings and colours that it has no name for, and at what is not clean.
        self._library.tjDecompressHeader3(self._handle, *self._bytes, *map(ctypes.byref, found))
        if width.value < 1 or height.value < 1:
            raise ValueError(f"no JPEG: {self._error()}")
        is_yuv = colours.value == (_GREYSCALE if sampling.value == _GREY else _YCBCR)
        return Header((width.value, height.value), sampling.value, is_yuv)

    def decode(self, size: tuple[int, int], buffers: Buffers) -> None:
        """Its planes.

        Args:
            size: the header's.
            buffers: made for that size.

        Raises:
            ValueError: they cannot be decoded. What can be, though not all is as it should be, is.
        """
        failed = self._library.tjDecompressToYUVPlanes(
            self._handle, *self._bytes, buffers.pointers, size[0], None, size[1], _LIMIT_SCANS
        )
        if failed and self._library.tjGetErrorCode(self._handle) != _WARNING:
            raise ValueError(f"a JPEG that cannot be decoded: {self._error()}")

    def _error(self) -> str:
        text: bytes = self._library.tjGetErrorStr2(self._handle)
        return text.decode("ascii", "replace")


class TurboJpeg:
    """The library.

    Raises:
        OSError: it is not installed, or is another one.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(SONAME)
        number, text, pointer = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
        jpeg: list[Any] = [pointer, pointer, ctypes.c_ulong]
        try:
            self._declare("tjInitDecompress", pointer)
            self._declare("tjDestroy", number, pointer)
            self._declare("tjGetErrorCode", number, pointer)
            self._declare("tjGetErrorStr2", text, pointer)
            self._declare("tjPlaneWidth", number, number, number, number)
            self._declare("tjPlaneHeight", number, number, number, number)
            self._declare("tjDecompressHeader3", number, *jpeg, *[ctypes.POINTER(number)] * 4)
            self._declare("tjDecompressToYUVPlanes", number, *jpeg, pointer, number, pointer, number, number)
        except AttributeError as error:
            raise OSError(f"{SONAME}: {error}") from error

    def _declare(self, name: str, answer: Any, *arguments: Any) -> None:  # noqa: ANN401  (types of ctypes)
        function = getattr(self._library, name)
        function.restype, function.argtypes = answer, arguments

    def shapes(self, size: tuple[int, int]) -> dict[int, list[tuple[int, int]]]:
        """The planes that a picture of ``size``, (width, height), has: (rows, columns) each, by sampling."""
        found: dict[int, list[tuple[int, int]]] = {}
        for sampling in range(_MOST_SAMPLINGS):
            if self._library.tjPlaneWidth(0, size[0], sampling) < 1:
                break
            found[sampling] = [
                (
                    self._library.tjPlaneHeight(plane, size[1], sampling),
                    self._library.tjPlaneWidth(plane, size[0], sampling),
                )
                for plane in range(1 if sampling == _GREY else 3)
            ]
        return found

    @contextlib.contextmanager
    def picture(self, data: NDArray[np.uint8]) -> Iterator[Picture]:
        """One JPEG, to be looked at and decoded.

        State that is kept from one to the next would have tables that one brought and the next left out, and
        a damaged one would spoil all that follow. Making it anew takes some microseconds.

        Args:
            data: shape (bytes,); nobody writes to it meanwhile.

        Raises:
            ValueError: there is no memory for it.
        """
        handle = self._library.tjInitDecompress()
        if not handle:
            raise ValueError("a JPEG that cannot be decoded: no memory")
        try:
            yield Picture(self._library, handle, np.ascontiguousarray(data))
        finally:
            self._library.tjDestroy(handle)


def load() -> TurboJpeg | None:
    """The library; None where it is not installed."""
    try:
        return TurboJpeg()
    except OSError:
        return None

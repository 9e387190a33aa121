"""Pictures from image files: one, or a folder of them."""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scrim.core.capture.base import EndOfStream
from scrim.core.capture.buffers import Buffers
from scrim.core.capture.fit import Fitter
from scrim.core.capture.pace import Pace
from scrim.errors import SourceError
from scrim.frame import MAX_SIDE_PX, Caps, Frame, Planes
from scrim.image_header import image_size

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""File names that are taken for stills, in lower case."""

MAX_BYTES = 64 << 20
"""No still is larger than this on disk."""

_MAX_FILES = 100_000
_STILL_RATE = 1.0
"""Frames per second that stills get unless somebody says otherwise."""


def read_still(path: Path | str, size: tuple[int, int] | None = None, sequence: int = 0) -> Frame:
    """Read an image file into a frame of its own memory.

    Args:
        path: JPEG, PNG or WebP; at most 8192 pixels a side and 64 MiB.
        size: (width, height) in pixels wanted, both even; cropped to its aspect and scaled. None keeps the
            picture's own size, without the last row or column where they are odd.
        sequence: number of the frame.

    Raises:
        SourceError: there is no such file, or it is no such picture.
    """
    bgr = read_picture(Path(path))
    fitter = Fitter((bgr.shape[1], bgr.shape[0]), size, f"{path}")
    i420 = np.empty((fitter.size[1] * 3 // 2, fitter.size[0]), np.uint8)
    fitter(bgr, i420)
    return Frame(Planes.of(i420), time.monotonic_ns(), sequence)


class ImageFolder:
    """A source of the pictures in a folder, in the order of their names, or of a single one.

    Args:
        path: the folder, or one image file.
        size: (width, height) in pixels wanted; None takes the first picture's. The others are made to fit.
        loop: start again after the last.
        pace: True delivers at ``frame_rate``, False as fast as frames are read.
        frame_rate: pictures per second.
    """

    def __init__(
        self,
        path: Path | str,
        size: tuple[int, int] | None = None,
        loop: bool = False,
        pace: bool = True,
        frame_rate: float = _STILL_RATE,
    ) -> None:
        self._path = Path(path)
        self._size = size
        self._loop = loop
        self._paced = pace
        self._frame_rate = frame_rate
        self._files: list[Path] = []
        self._next = 0
        self._pace: Pace | None = None
        self._buffers = Buffers()
        self._caps = Caps(2, 2, frame_rate)
        self._shown: tuple[Path, NDArray[np.uint8]] | None = None

    @property
    def files(self) -> list[Path]:
        """The pictures found by ``open``, in their order."""
        return self._files

    def open(self) -> Caps:
        """Find the pictures.

        Raises:
            SourceError: there is no such folder or file, or no picture in it.
        """
        self._files = list_stills(self._path)
        first = self._picture(self._files[0])
        fitter = Fitter((first.shape[1], first.shape[0]), self._size, str(self._files[0]))
        self._caps = Caps(*fitter.size, self._frame_rate)
        self._buffers.prepare(fitter.size)
        self._next = 0
        self._pace = Pace(self._frame_rate, wanted=self._paced)
        return self._caps

    def read(self) -> Frame | None:
        """The next picture when it is due; None when it is not, or no buffer is free, for READ_LIMIT_S.

        Raises:
            SourceError: the picture cannot be read.
            EndOfStream: that was the last, and ``loop`` is False.
        """
        if self._pace is None:
            raise SourceError(f"{self._path}: read before open")
        self._check_end()
        i420 = self._pace.next_buffer(self._buffers, self._skip)
        if i420 is None:
            return None
        file = self._files[self._next % len(self._files)]
        self._next += 1
        bgr = self._picture(file)
        Fitter((bgr.shape[1], bgr.shape[0]), self._caps.size, str(file))(bgr, i420)
        return self._buffers.frame(i420, time.monotonic_ns())

    def close(self) -> None:
        """Stop."""
        self._pace = None
        self._shown = None

    def _check_end(self) -> None:
        if not self._loop and self._next >= len(self._files):
            raise EndOfStream(f"{self._path}: {len(self._files)} pictures, no more")

    def _skip(self) -> None:
        self._next += 1
        self._check_end()

    def _picture(self, file: Path) -> NDArray[np.uint8]:
        """The decoded picture; a single one that is shown again and again is decoded once."""
        if self._shown is None or self._shown[0] != file:
            self._shown = file, read_picture(file)
        return self._shown[1]


def list_stills(path: Path) -> list[Path]:
    """The image files of a folder by name, or the file itself.

    Raises:
        SourceError: there are none, or too many.
    """
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [path]
    try:
        found = sorted(
            entry for entry in path.iterdir() if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()
        )
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; let the user read this folder") from error
    if not 1 <= len(found) <= _MAX_FILES:
        raise SourceError(
            f"{path}: {len(found)} pictures; allowed are 1 to {_MAX_FILES} files that end in "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The picture in a file as BGR, shape (height, width, 3). Its size is checked before it is decoded.

    Raises:
        SourceError: there is no such file, or it is no JPEG, PNG or WebP within the limits.
    """
    data = _bytes_of(path)
    size = image_size(data)
    if size is None:
        raise SourceError(f"{path}: not a JPEG, PNG or WebP picture")
    if not 2 <= min(size) <= max(size) <= MAX_SIDE_PX:
        raise SourceError(f"{path}: {size[0]}x{size[1]} pixels; allowed are 2 to {MAX_SIDE_PX} a side")
    import cv2

    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise SourceError(f"{path}: cannot be decoded: {error.err}") from error
    if bgr is None:
        raise SourceError(f"{path}: the picture is damaged")
    return np.asarray(bgr, np.uint8)


def _bytes_of(path: Path) -> bytes:
    if path.is_dir():
        raise SourceError(f"{path}: a folder; one picture is wanted")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; let the user read this file") from error
    if len(data) > MAX_BYTES:
        raise SourceError(f"{path}: more than {MAX_BYTES >> 20} MiB; save it smaller")
    return data

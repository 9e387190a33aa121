"""Background images: from a file on this machine, or from outside through the gateway."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scrim.decode import GiveUp, decode_bytes, never
from scrim.errors import ImageError
from scrim.image_header import FORMATS, MAX_IMAGE_BYTES, fits, image_size
from scrim.image_url import file_path, is_fetched, shown
from scrim.places import BACKGROUND_FOLDERS

__all__ = ["MAX_IMAGE_BYTES", "decode_image", "image_size", "load_background", "read_image"]

Image = NDArray[np.uint8]
"""BGR, shape (height, width, 3), uint8."""

Decode = Callable[[bytes, str, GiveUp], Image]
"""Decodes an image's bytes; the name is for errors."""


class Outside(Protocol):
    """Where images that are not on this machine come from: :class:`scrim.local.pictures.PictureDesk`."""

    def fetch(self, url: str, give_up: GiveUp) -> Image:
        """Wait for the picture.

        Raises:
            ImageError: it cannot be had.
        """


def decode_apart(data: bytes, name: str, give_up: GiveUp) -> Image:
    """Decode in a child process, see :func:`scrim.decode.decode`."""
    with decode_bytes(data, name, give_up) as pixels:
        return pixels.mapped()


@dataclass(frozen=True, slots=True)
class _Kept:
    """An image that need not be loaded again."""

    key: tuple[object, ...]
    image: Image


class Images:
    """Loads background images and keeps the last one, so that another fit or the way back load nothing.

    Used from one thread, but for ``has``.

    Args:
        folders: where ``file:`` URLs may lie, after every link is followed.
        outside: fetches ``https:``, ``http:`` and ``data:`` URLs; None when there is no way out.
        decode: for ``file:`` URLs.
    """

    def __init__(
        self,
        folders: tuple[Path, ...] = BACKGROUND_FOLDERS,
        outside: Outside | None = None,
        decode: Decode = decode_apart,
    ) -> None:
        self._folders = folders
        self._outside = outside
        self._decode = decode
        self._kept: _Kept | None = None
        self._last: _Kept | None = None

    def get(self, url: str, give_up: GiveUp = never) -> Image:
        """The image behind a URL, from where it was loaded last if it is the one to ``keep``.

        Raises:
            ImageError: it cannot be used, or was given up.
        """
        key = self._key(url)
        if self._kept is None or self._kept.key != key:
            self._last = _Kept(key, self._load(url, give_up))
            return self._last.image
        return self._kept.image

    def has(self, url: str) -> bool:
        """Whether ``get`` would load nothing. From any thread."""
        kept = self._kept
        if kept is None:
            return False
        try:
            return kept.key == self._key(url)
        except ImageError:
            return False

    def keep(self) -> None:
        """The image that was loaded last is in use: keep it instead of the one before."""
        if self._last is not None:
            self._kept, self._last = self._last, None

    def _load(self, url: str, give_up: GiveUp) -> Image:
        if not is_fetched(url):
            path = background_path(url, self._folders)
            return self._decode(read_file(path), str(path), give_up)
        if self._outside is None:
            raise ImageError(
                f"background_image_url = {shown(url)!r}: only file: URLs on this machine are known here"
            )
        return self._outside.fetch(url, give_up)

    def _key(self, url: str) -> tuple[object, ...]:
        """What tells images apart; a file that was replaced is another one."""
        if is_fetched(url):
            return (url,)
        try:
            found = background_path(url, self._folders).stat()
        except OSError:
            return (url, None)
        return (url, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def load_background(url: str, folders: tuple[Path, ...] = BACKGROUND_FOLDERS) -> Image:
    """Read the image behind a ``file:`` URL in this process, for commands on one person's own files.

    Args:
        url: such as ``file:/var/lib/scrim/backgrounds/office.jpg``.
        folders: where it may lie, after every link is followed.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        ImageError: not a file: URL, outside the folders, unreadable, too large, or no image.
    """
    return read_image(background_path(url, folders))


def background_path(url: str, folders: tuple[Path, ...]) -> Path:
    """Where a ``file:`` URL leads, links followed.

    Raises:
        ImageError: not a file: URL, or outside the folders.
    """
    try:
        path = file_path(url).resolve()
    except (ValueError, OSError, RuntimeError) as error:  # no file: URL, a zero byte, a link to itself
        raise ImageError(
            f"background_image_url = {shown(url)!r}: {error}; allowed is the file: URL of an image"
        ) from None
    if not any(path.is_relative_to(folder.resolve()) for folder in folders):
        allowed = " or ".join(map(str, folders))
        raise ImageError(
            f"background_image_url = {shown(url)!r}: must be below {allowed}; copy the image there"
        )
    return path


def read_image(path: Path) -> Image:
    """Read one image file.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        ImageError: unreadable, too large, or no image.
    """
    return decode_image(read_file(path), str(path))


def read_file(path: Path) -> bytes:
    """The bytes of an image file, at most one more than are allowed.

    Raises:
        ImageError: it is no file, or unreadable.
    """
    try:
        # Not blocking: a pipe would be waited for without end.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ImageError(f"{path}: is no file; allowed is {FORMATS}")
            with os.fdopen(handle, "rb", closefd=False) as file:
                return file.read(MAX_IMAGE_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}; allowed is {FORMATS}") from None


def decode_image(data: bytes, name: str, give_up: GiveUp = never) -> Image:  # noqa: ARG001
    """Decode an image in this process, after its header has shown that it is small enough.

    Args:
        data: the file's content.
        name: what to call it in an error.
        give_up: not asked; see :data:`Decode`.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        ImageError: too large, or no JPEG, PNG or WebP.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"{name}: is larger than 8 MiB; allowed is {FORMATS}")
    size = image_size(data)
    if size is None:
        raise ImageError(f"{name}: is not an image that can be used; allowed is {FORMATS}")
    if not fits(size):
        raise ImageError(f"{name}: has {size[0]} x {size[1]} pixels; allowed is {FORMATS}")
    import cv2

    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise ImageError(f"{name}: is broken and cannot be decoded; allowed is {FORMATS}")
    return np.asarray(picture, np.uint8)

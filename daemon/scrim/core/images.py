"""Reading a background image from this machine, within limits."""

import struct
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from scrim.errors import ImageError

BACKGROUND_FOLDERS = (Path("/var/lib/scrim/backgrounds"), Path("/usr/share/scrim/backgrounds"))
"""The only folders a ``file:`` URL may point into."""

MAX_IMAGE_BYTES = 8 * 1024 * 1024
MAX_IMAGE_SIDE_PX = 4096

_FORMATS = "a JPEG, PNG or WebP of at most 4096 x 4096 pixels and 8 MiB"


def load_background(url: str, folders: tuple[Path, ...] = BACKGROUND_FOLDERS) -> NDArray[np.uint8]:
    """Read the image behind a ``file:`` URL.

    Args:
        url: such as ``file:/var/lib/scrim/backgrounds/office.jpg``.
        folders: where it may lie, after every link is followed.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        ImageError: not a file: URL, outside the folders, unreadable, too large, or no image.
    """
    try:
        parts = urlsplit(url)
        path = Path(unquote(parts.path)).resolve()
    except (ValueError, OSError, RuntimeError) as error:  # no URL, a zero byte, a link that leads to itself
        raise ImageError(
            f"background_image_url = {url[:200]!r}: {error}; allowed is the file: URL of an image"
        ) from None
    if parts.scheme != "file" or parts.netloc:
        raise ImageError(
            f"background_image_url = {url[:200]!r}: only file: URLs on this machine are known here"
        )
    if not any(path.is_relative_to(folder.resolve()) for folder in folders):
        allowed = " or ".join(map(str, folders))
        raise ImageError(
            f"background_image_url = {url[:200]!r}: must be below {allowed}; copy the image there"
        )
    return read_image(path)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read one image file.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        ImageError: unreadable, too large, or no image.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for without end
            raise ImageError(f"{path}: is no file; allowed is {_FORMATS}")
        with path.open("rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}; allowed is {_FORMATS}") from None
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode an image, after its header has shown that it is small enough.

    Args:
        data: the file's content.
        name: what to call it in an error.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        ImageError: too large, or no JPEG, PNG or WebP.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"{name}: is larger than 8 MiB; allowed is {_FORMATS}")
    size = image_size(data)
    if size is None:
        raise ImageError(f"{name}: is not an image that can be used; allowed is {_FORMATS}")
    if not (0 < size[0] <= MAX_IMAGE_SIDE_PX and 0 < size[1] <= MAX_IMAGE_SIDE_PX):
        raise ImageError(f"{name}: has {size[0]} x {size[1]} pixels; allowed is {_FORMATS}")
    import cv2

    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise ImageError(f"{name}: is broken and cannot be decoded; allowed is {_FORMATS}")
    return np.asarray(picture, np.uint8)


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) from the header of a JPEG, PNG or WebP; None for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return _webp_size(data)
    return None


_JPEG_BARE_MARKERS = frozenset([0x00, 0x01, *range(0xD0, 0xDB)])
"""Stuffing, TEM, RST, SOI and EOI have no segment behind them; behind SOS it is too late."""


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the first start-of-frame segment (ITU-T T.81, B.2.2).

    None where decoders would not agree on which that is: a marker without a segment, or the scan, before it.
    """
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _JPEG_BARE_MARKERS:
            return None
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """From the first chunk: lossy, lossless or extended (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None

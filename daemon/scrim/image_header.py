"""What an image's first bytes say, read without decoding anything; and how large an image may be."""

import struct

MAX_IMAGE_BYTES = 8 * 1024 * 1024
"""Of an image as it lies in a file or comes over the network."""

MAX_IMAGE_SIDE_PX = 4096

FORMATS = "a JPEG, PNG or WebP of at most 4096 x 4096 pixels and 8 MiB"


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


def fits(size: tuple[int, int]) -> bool:
    """Whether an image of (width, height) pixels may be used."""
    return all(0 < side <= MAX_IMAGE_SIDE_PX for side in size)


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

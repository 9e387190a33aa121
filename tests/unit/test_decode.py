"""Decoding in a child: what comes back, and what a bad image may cost."""

import fcntl
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.decode import decode, decode_bytes, map_pixels, memory_file, seal_memory
from scrim.errors import ImageError
from scrim.image_header import MAX_IMAGE_BYTES

PICTURE = np.random.default_rng(3).integers(0, 256, (30, 40, 3), np.uint8)


def encoded(suffix: str, picture: np.ndarray = PICTURE, *options: int) -> bytes:
    return cv2.imencode(suffix, picture, options)[1].tobytes()


def png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_child_sees_what_this_process_sees(suffix: str):
    data = encoded(suffix)
    with decode_bytes(data, "x") as pixels:
        picture = pixels.mapped()
    here = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(picture, here)
    assert not picture.flags.writeable


def test_the_largest_that_is_allowed_is_decoded():
    with decode_bytes(encoded(".jpg", np.zeros((4096, 4096, 3), np.uint8)), "x") as pixels:
        assert (pixels.width, pixels.height) == (4096, 4096)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not an image"),
        (b"GIF89a" + bytes(100), "not an image"),
        (encoded(".png")[:200], "broken"),
        (png(4097, 1, bytes(4097 * 3 + 1)), "4097 x 1 pixels"),
        (png(20_000, 20_000, b""), "20000 x 20000 pixels"),
        (png(0, 5, b""), "0 x 5 pixels"),
        (png(4096, 4096, b"\0" * 9), "broken"),
        (bytes(MAX_IMAGE_BYTES + 1), "larger than 8 MiB"),
    ],
    ids=["nothing", "gif", "cut off", "wide", "bomb", "empty", "no rows", "long"],
)
def test_a_bad_image_is_an_error_that_names_it(data: bytes, said: str):
    with pytest.raises(ImageError, match=f"room: .*{said}"):
        decode_bytes(data, "room")


def test_a_picture_nobody_waits_for_is_given_up():
    with pytest.raises(ImageError, match="not wanted any more"):
        decode_bytes(encoded(".png"), "x", lambda: True)


def test_a_child_has_little_time():
    data = memory_file("test", encoded(".png"))
    try:
        with pytest.raises(ImageError, match="takes too long"):
            decode(data, "x", timeout_s=0.0)
    finally:
        os.close(data)


def test_nothing_is_left_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    for data in (encoded(".png"), b"no image"):
        for _ in range(3):
            try:
                decode_bytes(data, "x").close()
            except ImageError:
                continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def memory(data: bytes, *, is_sealed: bool = True) -> int:
    fd = memory_file("test", data)
    if is_sealed:
        seal_memory(fd)
    return fd


@pytest.mark.parametrize(
    ("size_bytes", "width", "height", "is_sealed", "said"),
    [
        (12, 2, 2, False, "not sealed"),
        (11, 2, 2, True, "11 bytes"),
        (13, 2, 2, True, "13 bytes"),
        (0, 0, 0, True, "0 x 0"),
        (12, -2, -2, True, "-2 x -2"),
        (4097 * 3, 4097, 1, True, "4097 x 1"),
    ],
)
def test_memory_that_is_not_as_it_should_be_is_not_looked_at(
    size_bytes: int, width: int, height: int, is_sealed: bool, said: str
):
    fd = memory(bytes(size_bytes), is_sealed=is_sealed)
    try:
        with pytest.raises(ImageError, match=said):
            map_pixels(fd, width, height)
    finally:
        os.close(fd)


def test_what_is_no_memory_is_refused(tmp_path: Path):
    (tmp_path / "x").write_bytes(bytes(12))
    fd = os.open(tmp_path / "x", os.O_RDWR)
    try:
        with pytest.raises(ImageError, match="not sealed"):
            map_pixels(fd, 2, 2)
    finally:
        os.close(fd)


def test_sealed_memory_does_not_change():
    fd = memory(bytes(12))
    try:
        picture = map_pixels(fd, 2, 2)
        for change in (lambda: os.pwrite(fd, b"x", 0), lambda: os.ftruncate(fd, 0)):
            with pytest.raises(PermissionError):
                change()
        with pytest.raises(PermissionError):
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 0)
    finally:
        os.close(fd)
    assert (picture == 0).all()

"""Image files: checked before they are decoded, and brought into even sizes."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.core.capture.base import EndOfStream
from scrim.core.capture.stills import ImageFolder, read_still
from scrim.errors import SourceError
from scrim.image_header import image_size

SUFFIXES = [".jpg", ".png", ".webp"]


def write(path: Path, size: tuple[int, int] = (96, 64), gray: int = 120) -> Path:
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), gray, np.uint8))
    return path


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header says this size and that holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")):
        parts += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return parts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_still_keeps_its_size_or_takes_another(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", (97, 65))
    assert image_size(path.read_bytes()) == (97, 65)
    assert read_still(path).size == (96, 64)
    assert read_still(path, (40, 40)).size == (40, 40)


def test_lossless_and_alpha_webp_tell_their_size_too() -> None:
    for picture in (np.zeros((30, 50, 3), np.uint8), np.zeros((30, 50, 4), np.uint8)):
        _, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 101])
        assert image_size(data.tobytes()) == (50, 30)


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8X", b"\xff\xd8" + b"\xff" * 99],
)
def test_a_header_without_a_size_is_none(data: bytes) -> None:
    assert image_size(data) is None


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("text.png", b"no picture", "not a JPEG, PNG or WebP"),
        ("bomb.png", png_of(20_000, 20_000), "20000x20000"),
        ("dot.png", png_of(1, 1), "1x1"),
        ("cut.jpg", b"", "not a JPEG"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError, match=says) as refused:
        read_still(path)
    assert name in str(refused.value)


def test_missing_files_and_folders_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read_still(tmp_path / "missing.png")
    with pytest.raises(SourceError, match="a folder"):
        read_still(tmp_path)
    with pytest.raises(SourceError, match="0 pictures"):
        ImageFolder(tmp_path).open()
    with pytest.raises(SourceError, match="no such file or folder"):
        ImageFolder(tmp_path / "missing").open()


def test_a_folder_plays_by_name_at_the_first_ones_size(tmp_path: Path) -> None:
    for index, size in enumerate([(96, 64), (60, 80), (40, 40)]):
        write(tmp_path / f"{2 - index}.png", size, 40 * index + 40)
    (tmp_path / "notes.txt").touch()
    source = ImageFolder(tmp_path, pace=False)
    assert source.open().size == (40, 40)
    lumas = []
    for _ in range(3):
        frame = source.read()
        assert frame is not None
        assert frame.size == (40, 40)
        lumas.append(int(frame.planes.y[20, 20]))
    assert lumas == sorted(lumas, reverse=True)
    with pytest.raises(EndOfStream):
        source.read()


def test_one_picture_can_be_shown_for_ever(tmp_path: Path) -> None:
    source = ImageFolder(write(tmp_path / "a.png"), loop=True, pace=False)
    source.open()
    assert all(source.read() is not None for _ in range(20))

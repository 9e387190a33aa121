"""Background images from this machine: what is read, and what is refused before it costs anything."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.images import MAX_IMAGE_BYTES, decode_image, image_size, load_background
from scrim.errors import ImageError


def encoded(suffix: str, size: tuple[int, int] = (40, 30), *options: int) -> bytes:
    picture = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    done, data = cv2.imencode(suffix, picture, options)
    assert done
    return data.tobytes()


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


LOSSLESS = (cv2.IMWRITE_WEBP_QUALITY, 101)
PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
FILES = {
    "png": encoded(".png"),
    "jpeg": encoded(".jpg"),
    "progressive": encoded(".jpg", (40, 30), *PROGRESSIVE),
    "webp": encoded(".webp", (40, 30), cv2.IMWRITE_WEBP_QUALITY, 50),
    "webp-lossless": encoded(".webp", (40, 30), *LOSSLESS),
}


@pytest.mark.parametrize("name", FILES)
def test_the_three_formats_are_read(name: str):
    assert image_size(FILES[name]) == (40, 30)
    picture = decode_image(FILES[name], name)
    assert picture.shape == (30, 40, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_become_bgr(channels: int):
    picture: NDArray[np.uint8] = np.full((30, 40, channels), 200, np.uint8)
    _, data = cv2.imencode(".png", picture)
    assert decode_image(data.tobytes(), "x").shape == (30, 40, 3)


def test_sixteen_bits_become_eight():
    _, data = cv2.imencode(".png", np.full((30, 40, 3), 65535, np.uint16))
    picture = decode_image(data.tobytes(), "x")
    assert picture.dtype == np.uint8
    assert (picture == 255).all()


@pytest.mark.parametrize("size", [(4096, 1), (1, 4096)])
def test_the_largest_sides_are_allowed(size: tuple[int, int]):
    assert decode_image(encoded(".png", size), "x").shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    "data",
    [
        encoded(".png", (4097, 2)),
        encoded(".jpg", (2, 4097)),
        encoded(".webp", (4097, 2)),
        png_header(20_000, 20_000),
        png_header(2**32 - 1, 2**32 - 1),
        png_header(0, 10),
    ],
    ids=lambda data: str(image_size(data)),
)
def test_a_header_with_too_many_pixels_is_refused_and_says_how_many(data: bytes):
    width, height = image_size(data) or (0, 0)
    with pytest.raises(ImageError, match=rf"x\.png: has {width} x {height} pixels; allowed .* 4096 x 4096"):
        decode_image(data, "x.png")


def test_more_than_8_mib_is_refused():
    with pytest.raises(ImageError, match="larger than 8 MiB"):
        decode_image(FILES["png"] + bytes(MAX_IMAGE_BYTES), "x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a" + bytes(100),
        b"BM" + bytes(100),
        b"II*\0" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"#define x_width 1",
        b"\xff\xd8\xff",
        b"RIFF\x00\x00\x00\x00WEBP" + bytes(40),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_another_format_is_refused(data: bytes):
    with pytest.raises(ImageError, match="JPEG, PNG or WebP"):
        decode_image(data, "x")


@pytest.mark.parametrize("name", [name for name in FILES if "webp" in name or name == "png"])
def test_a_truncated_file_is_refused_or_has_its_size(name: str):
    for length in (30, len(FILES[name]) // 2, len(FILES[name]) - 20):
        try:
            picture = decode_image(FILES[name][:length], name)
        except ImageError as error:
            assert "allowed is" in str(error)  # noqa: PT017  (both ends are right)
        else:
            assert picture.shape == (30, 40, 3)


@pytest.mark.parametrize("bare", [b"\xff\x01", b"\xff\xd0", b"\xff\x00", b"\xff\xd9", b"\xff\xda\x00\x02"])
def test_a_jpeg_whose_header_may_be_read_two_ways_is_refused(bare: bytes):
    """Decoders skip such a marker without looking for a segment behind it, and would find another size."""
    small = encoded(".jpg", (8, 8))
    at = 2 + 2 + int.from_bytes(small[4:6], "big")
    assert image_size(small) == (8, 8)
    assert image_size(small[:at] + bare + small[at:]) is None


def test_a_webp_whose_canvas_lies_is_refused():
    chunk = FILES["webp"][12:]
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (9).to_bytes(3, "little") * 2
    body = b"WEBP" + canvas + chunk
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    assert image_size(data) == (10, 10)
    with pytest.raises(ImageError, match="broken"):
        decode_image(data, "x")


@given(st.sampled_from(sorted(FILES)), st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_damage_gives_a_picture_within_the_limits_or_an_image_error(name: str, at: int, garbage: bytes):
    data = bytearray(FILES[name])
    data[at : at + len(garbage)] = garbage
    try:
        picture = decode_image(bytes(data), name)
    except ImageError:
        return
    assert max(picture.shape[:2]) <= 4096


# By URL, from the folders for it.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    backgrounds = tmp_path / "backgrounds"
    (backgrounds / "sub").mkdir(parents=True)
    (backgrounds / "my room.png").write_bytes(FILES["png"])
    (backgrounds / "sub" / "x.jpg").write_bytes(FILES["jpeg"])
    (tmp_path / "outside.png").write_bytes(FILES["png"])
    return backgrounds


@pytest.mark.parametrize("spelled", ["file:{}", "file://{}", "FILE:{}"])
@pytest.mark.parametrize("name", ["my%20room.png", "my room.png", "sub/x.jpg", "sub/../my room.png"])
def test_an_image_in_the_folder_is_read(folder: Path, spelled: str, name: str):
    assert load_background(spelled.format(f"{folder}/{name}"), (folder,)).shape == (30, 40, 3)


@pytest.mark.parametrize(
    "name", ["../outside.png", "sub/../../outside.png", "%2e%2e/outside.png", "..%2foutside.png", ""]
)
def test_a_path_that_leads_out_of_the_folder_is_refused(folder: Path, name: str):
    with pytest.raises(ImageError, match=r"must be below|is no file"):
        load_background(f"file:{folder}/{name}", (folder,))


def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path):
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    (folder / "links").symlink_to(folder.parent)
    for name in ("link.png", "links/outside.png"):
        with pytest.raises(ImageError, match="must be below"):
            load_background(f"file:{folder}/{name}", (folder,))


def test_a_neighbour_with_a_similar_name_is_outside(folder: Path):
    other = folder.with_name("backgrounds-2")
    other.mkdir()
    (other / "x.png").write_bytes(FILES["png"])
    with pytest.raises(ImageError, match="must be below"):
        load_background(f"file:{other}/x.png", (folder,))


def test_a_link_within_the_folder_is_followed(folder: Path):
    (folder / "link.png").symlink_to(folder / "sub" / "x.jpg")
    assert load_background(f"file:{folder}/link.png", (folder,)).shape == (30, 40, 3)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/x.png",
        "data:image/png;base64,AAAA",
        "/usr/share/scrim/backgrounds/x.png",
        "file://elsewhere/x.png",
        "file://[::1",
        "file:/x%00.png",
        "file:x.png",
        "file:",
        "",
        "file:/etc/passwd",
        "file:/" + "x" * 5000,
    ],
    ids=lambda url: url[:20],
)
def test_another_url_is_refused(folder: Path, url: str):
    with pytest.raises(ImageError, match="background_image_url") as caught:
        load_background(url, (folder,))
    assert len(str(caught.value)) < 600


def test_what_is_no_file_is_not_waited_for(folder: Path):
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    for name in ("pipe.png", "loop.png", "sub", "none.png"):
        with pytest.raises(ImageError, match="allowed is"):
            load_background(f"file:{folder}/{name}", (folder,))

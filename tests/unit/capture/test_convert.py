"""Conversions to I420 against a plain reference, with padded rows, without allocation."""

import tracemalloc

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from scrim.core.capture.convert import CONVERTERS
from scrim.frame import Plane, Planes

SIZE = (96, 64)
WIDTH, HEIGHT = SIZE
SHORTEST = {"YU12": WIDTH, "NV12": WIDTH, "YUYV": WIDTH * 2}

Picture = tuple[Plane, Plane, Plane]


def noise(*shape: int) -> Plane:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


def yu12(stride: int) -> tuple[Plane, Picture]:
    rows = noise(HEIGHT * 3 // 2, stride)
    chroma = rows[HEIGHT:].reshape(2, HEIGHT // 2, stride // 2)[:, :, : WIDTH // 2]
    return rows, (rows[:HEIGHT, :WIDTH], chroma[0], chroma[1])


def nv12(stride: int) -> tuple[Plane, Picture]:
    rows = noise(HEIGHT * 3 // 2, stride)
    pairs = rows[HEIGHT:, :WIDTH]
    return rows, (rows[:HEIGHT, :WIDTH], pairs[:, 0::2], pairs[:, 1::2])


def yuyv(stride: int) -> tuple[Plane, Picture]:
    rows = noise(HEIGHT, stride)
    pixels = rows[:, : WIDTH * 2]

    def mean_of_rows(chroma: Plane) -> NDArray[np.uint8]:
        return np.rint((chroma[0::2].astype(float) + chroma[1::2]) / 2).astype(np.uint8)

    return rows, (pixels[:, 0::2], mean_of_rows(pixels[:, 1::4]), mean_of_rows(pixels[:, 3::4]))


PICTURES = {"YU12": yu12, "NV12": nv12, "YUYV": yuyv}


@pytest.mark.parametrize("padding", [0, 32])
@pytest.mark.parametrize("fourcc", PICTURES)
def test_uncompressed_formats_match_the_reference(fourcc: str, padding: int) -> None:
    stride = SHORTEST[fourcc] + padding
    rows, expected = PICTURES[fourcc](stride)
    i420 = np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)
    CONVERTERS[fourcc](SIZE, stride)(rows.reshape(-1), i420)
    for plane, reference in zip(Planes.of(i420), expected, strict=True):
        assert np.array_equal(plane, reference)


def jpeg(subsampling: str, size: tuple[int, int] = SIZE) -> Plane:
    colours = cv2.resize(noise(4, 6, 3), size, interpolation=cv2.INTER_CUBIC)
    return np.frombuffer(simplejpeg.encode_jpeg(colours, 95, "BGR", subsampling), np.uint8)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_mjpg_of_any_subsampling_becomes_420(subsampling: str) -> None:
    data = jpeg(subsampling)
    i420 = np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)
    CONVERTERS["MJPG"](SIZE)(data, i420)
    reference = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2YUV_I420)
    assert np.abs(i420.astype(int) - reference).mean() < 1


def test_mjpg_may_be_filled_up_and_lack_huffman_tables() -> None:
    """Most USB cameras leave the standard tables out; some send whole USB packets."""
    whole = jpeg("422").tobytes()
    bare, at = whole[:2], 2
    while whole[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")
        if whole[at + 1] != 0xC4:
            bare += whole[at:end]
        at = end
    bare += whole[at:] + bytes(500)
    convert = CONVERTERS["MJPG"](SIZE)
    pictures = [np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(2)]
    for data, i420 in zip((whole, bare), pictures, strict=True):
        convert(np.frombuffer(data, np.uint8), i420)
    assert np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize("fourcc", CONVERTERS)
def test_part_of_a_picture_is_an_error(fourcc: str) -> None:
    data = jpeg("422") if fourcc == "MJPG" else noise(HEIGHT * SHORTEST[fourcc] * 3 // 2)
    short = {"MJPG": len(data) - 40}.get(fourcc, HEIGHT * WIDTH)
    i420 = np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)
    for length in (0, 1, 2, 20, short):
        with pytest.raises(ValueError, match=r"bytes|JPEG"):
            CONVERTERS[fourcc](SIZE)(data[:length], i420)


def test_a_jpeg_of_another_size_is_an_error() -> None:
    i420 = np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)
    with pytest.raises(ValueError, match="128x64"):
        CONVERTERS["MJPG"](SIZE)(jpeg("420", (128, 64)), i420)


def test_a_stride_shorter_than_a_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="stride = 90"):
        CONVERTERS["NV12"](SIZE, 90)


@pytest.mark.parametrize("fourcc", CONVERTERS)
def test_nothing_frame_sized_is_allocated(fourcc: str) -> None:
    width, height = 1280, 720
    data = jpeg("422", (width, height)) if fourcc == "MJPG" else noise(width * height * 2)
    convert = CONVERTERS[fourcc]((width, height))
    i420 = np.zeros((height * 3 // 2, width), np.uint8)
    convert(data, i420)
    tracemalloc.start()
    convert(data, i420)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < width * height // 8

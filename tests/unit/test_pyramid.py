"""A frame at half, quarter and eighth size."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.model_input import ModelInput
from scrim.core.pyramid import Pyramid, shrink
from scrim.frame import Frame, Planes

EVEN = st.integers(1, 40).map(lambda half: 2 * half)


def noise(size: tuple[int, int], seed: int = 0) -> Frame:
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)
    return Frame(Planes.of(pixels), 0, 0)


def halved(length: int) -> NDArray[np.float64]:
    """The matrix that averages ``length`` pixels into half as many, rounded up, each by its share."""
    shrunk = -(-length // 2)
    edges = np.linspace(0, length, shrunk + 1)
    starts, ends = (
        np.maximum.outer(edges[:-1], np.arange(length)),
        np.minimum.outer(edges[1:], np.arange(1, length + 1)),
    )
    return np.maximum(0, ends - starts) * shrunk / length


def means(plane: NDArray[np.uint8], level: int) -> NDArray[np.float64]:
    shrunk = plane.astype(float)
    for _ in range(level):
        shrunk = np.floor(halved(shrunk.shape[0]) @ shrunk @ halved(shrunk.shape[1]).T + 0.5)
    return shrunk


@given(EVEN, EVEN, st.integers(0, 3), st.integers(0, 9))
def test_each_level_is_the_mean_of_the_pixels_below_it(width: int, height: int, level: int, seed: int):
    frame = noise((width, height), seed)
    pyramid = Pyramid((width, height))
    pyramid.load(frame)
    levels = (pyramid.luma(level), *pyramid.chroma(level))
    for shrunk, plane in zip(levels, frame.planes, strict=True):
        expected = means(plane, level)
        assert shrunk.shape == expected.shape
        assert np.abs(shrunk - expected).max() <= max(1, level)


def test_one_level_of_an_even_frame_is_the_plain_mean_of_2_by_2():
    frame = noise((64, 48))
    pyramid = Pyramid((64, 48))
    pyramid.load(frame)
    plain = frame.planes.y.reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(pyramid.luma(1) - plain).max() <= 0.75


def test_level_0_is_the_frame_itself():
    frame = noise((64, 48))
    pyramid = Pyramid((64, 48))
    pyramid.load(frame)
    assert pyramid.luma(0) is frame.planes.y
    assert pyramid.chroma(0)[1] is frame.planes.v
    assert pyramid.frame is frame


def test_a_level_is_computed_once_and_only_when_asked_for():
    frame = noise((64, 48))
    pyramid = Pyramid((64, 48))
    pyramid.load(frame)
    first = pyramid.luma(2).copy()
    frame.planes.y[:] = 0  # breaks the rule that frames are never written to, to see who looks again
    assert np.array_equal(pyramid.luma(2), first)
    assert pyramid.luma(3).any()
    pyramid.load(frame)
    assert not pyramid.luma(2).any()


def test_levels_are_made_in_the_same_memory():
    pyramid = Pyramid((64, 48))
    pyramid.load(noise((64, 48)))
    first = pyramid.luma(1)
    pyramid.load(noise((64, 48), 1))
    assert pyramid.luma(1) is first


def test_a_frame_of_another_size_and_no_frame_are_refused():
    pyramid = Pyramid((64, 48))
    with pytest.raises(LookupError):
        pyramid.luma(1)
    with pytest.raises(ValueError, match="48, 64"):
        pyramid.load(noise((48, 64)))


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (96, 64), (2, 2), (1000, 90)])
def test_the_model_s_picture_has_the_frame_s_colours(size: tuple[int, int]):
    width, height = size
    i420 = np.empty((height * 3 // 2, width), np.uint8)
    for plane, value in zip(Planes.of(i420), (81, 90, 240), strict=True):  # red in BT.601
        plane[:] = value
    pyramid = Pyramid(size)
    pyramid.load(Frame(Planes.of(i420), 0, 0))
    rgb = ModelInput(size, (64, 48)).shrink(pyramid)
    assert rgb.shape == (48, 64, 3)
    assert np.abs(rgb.astype(int) - (254, 0, 0)).max() <= 3


def test_the_model_s_picture_is_made_in_the_same_memory():
    pyramid = Pyramid((64, 48))
    model_input = ModelInput((64, 48), (32, 16))
    pyramid.load(noise((64, 48)))
    first = model_input.shrink(pyramid)
    kept = first.copy()
    pyramid.load(noise((64, 48), 1))
    assert model_input.shrink(pyramid) is first
    assert not np.array_equal(kept, first)


def test_left_stays_left_and_top_stays_top():
    frame = noise((64, 48))
    for plane in frame.planes:
        plane[:] = 128
    frame.planes.y[:24, :32] = 235
    pyramid = Pyramid((64, 48))
    pyramid.load(frame)
    rgb = ModelInput((64, 48), (32, 24)).shrink(pyramid)
    assert rgb[2, 2].min() > rgb[2, 30].max()
    assert rgb[2, 2].min() > rgb[22, 2].max()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 9))
def test_the_extension_shrinks_as_opencv_does(rows: int, columns: int, count: int, seed: int):
    halve = pytest.importorskip(
        "scrim.core._planes", reason="the extension in C was not built: no compiler"
    ).halve
    sizes = [(rows << at, columns << at) for at in range(count, -1, -1)]
    source = np.random.default_rng(seed).integers(0, 256, (sizes[0][0], sizes[0][1] + seed), np.uint8)[
        :, seed:
    ]
    native = tuple(np.full(size, 77, np.uint8) for size in sizes[1:])
    halve(native, source)
    for before, after in pairwise((source, *native)):
        expected = np.empty_like(after)
        shrink(expected, before)
        assert np.array_equal(after, expected)
    with pytest.raises(ValueError, match="not twice as wide and high"):
        halve(native, source[1:])
    with pytest.raises(ValueError, match="not half as wide and high as the one before"):
        halve((native[0], native[0]), source)


def test_the_extension_halves_nothing_and_too_often_for_nobody():
    halve = pytest.importorskip(
        "scrim.core._planes", reason="the extension in C was not built: no compiler"
    ).halve
    source = np.zeros((4, 4), np.uint8)
    for outs in ((), (source,) * 5):
        with pytest.raises(ValueError, match=f"outs: are {len(outs)}; allowed are 1 to 4"):
            halve(outs, source)
    with pytest.raises(TypeError):
        halve([source], source)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1000, 90), (70, 66)])
def test_every_level_is_the_shrunken_one_before_it(size: tuple[int, int]):
    pyramid = Pyramid(size)
    pyramid.load(noise(size))
    for get in (pyramid.luma, lambda level: pyramid.chroma(level)[0], lambda level: pyramid.chroma(level)[1]):
        for level in (3, 2, 1):
            expected = np.empty_like(get(level))
            shrink(expected, get(level - 1))
            assert np.array_equal(get(level), expected)


@given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 9))
def test_what_an_enlarged_plane_shrinks_to_follows_without_enlarging_it(rows: int, columns: int, seed: int):
    planes = pytest.importorskip("scrim.core._planes", reason="the extension in C was not built: no compiler")
    source = np.random.default_rng(seed).integers(0, 256, (rows, columns + seed), np.uint8)[:, seed:]
    smoothed, shrunk = (np.full((rows, columns), 77, np.uint8) for _ in range(2))
    planes.smooth(smoothed, source)
    large = cv2.resize(source, (2 * columns, 2 * rows), interpolation=cv2.INTER_LINEAR_EXACT)
    shrink(shrunk, np.asarray(large, np.uint8))
    assert np.array_equal(smoothed, shrunk)
    with pytest.raises(ValueError, match="not as wide and high"):
        planes.smooth(smoothed, source[1:])


def test_a_frame_that_was_let_go_is_gone():
    pyramid = Pyramid((16, 8))
    pyramid.load(noise((16, 8)))
    pyramid.luma(2)
    pyramid.unload()
    with pytest.raises(LookupError):
        pyramid.luma(2)

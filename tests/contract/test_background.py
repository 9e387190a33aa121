"""What every background keeps to: it has every pixel, the same way for the same frame, and nothing else."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from scrim.core.composite.base import Background
from scrim.core.composite.blend import enlarge
from scrim.core.composite.blur import BlurBackground, blur_level
from scrim.core.composite.replace import PictureBackground, color_picture, fitted_picture
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, Matte, Plane, Planes

SIZES = [(96, 64), (90, 62), (2, 2), (130, 6)]
SIGMAS_PX = {0: 1.0, 1: 4.0, 2: 9.0, 3: 20.0}

Make = Callable[[tuple[int, int]], Background]


def blur(sigma_px: float) -> Make:
    return lambda size: BlurBackground(size, sigma_px)


def image(size: tuple[int, int]) -> Background:
    bgr = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
    return PictureBackground(fitted_picture(bgr, size, "cover"))


BACKENDS: dict[str, Make] = {
    **{f"blur-level-{level}": blur(sigma_px) for level, sigma_px in SIGMAS_PX.items()},
    "blur-less-than-a-pixel": blur(0),
    "color": lambda size: PictureBackground(color_picture("#008080", size)),
    "image": image,
}


@pytest.fixture(params=SIZES, ids=str)
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return request.param


@pytest.fixture(params=BACKENDS)
def background(request: pytest.FixtureRequest, size: tuple[int, int]) -> Background:
    return BACKENDS[request.param](size)


def noise(size: tuple[int, int], seed: int = 1) -> Frame:
    width, height = size
    return Frame(
        Planes.of(np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)), 0, 0
    )


def loaded(frame: Frame) -> Pyramid:
    pyramid = Pyramid(frame.size)
    pyramid.load(frame)
    return pyramid


def matte(size: tuple[int, int], alpha: int | None = None) -> Matte:
    """Alpha everywhere, or a person in the left half."""
    width, height = size
    y, uv = (np.zeros((height // by, width // by), np.uint8) for by in (1, 2))
    for plane in (y, uv):
        plane[:, : plane.shape[1] // 2] = 255
        if alpha is not None:
            plane[:] = alpha
    return Matte(y, uv, (0, 0, width, height), float(y.mean() / 255))


def filled(background: Background, frame: Frame, person: Matte, old: int) -> Plane:
    """What the background writes into a buffer full of ``old``, inside a margin that must stay."""
    width, height = frame.size
    memory = np.full(height * 3 // 2 * width + 128, old, np.uint8)
    i420 = memory[64:-64].reshape(-1, width)
    for plane, room in zip(Planes.of(i420), background.planes(loaded(frame), person), strict=True):
        enlarge(room, plane)
    assert (memory[:64] == old).all()
    assert (memory[-64:] == old).all()
    return i420


@pytest.mark.parametrize("alpha", [0, 3, 200, 255, None])
def test_it_fills_every_pixel_whatever_was_there(
    background: Background, size: tuple[int, int], alpha: int | None
):
    frame = noise(size)
    first = filled(background, frame, matte(size, alpha), 0)
    second = filled(background, frame, matte(size, alpha), 255)
    assert np.array_equal(first, second)


def test_the_same_frame_gives_the_same_picture(background: Background, size: tuple[int, int]):
    frame = noise(size)
    first = filled(background, frame, matte(size), 7)
    filled(background, noise(size, 2), matte(size, 255), 7)
    assert np.array_equal(filled(background, frame, matte(size), 7), first)


def test_frame_and_matte_are_left_alone(background: Background, size: tuple[int, int]):
    frame, person = noise(size), matte(size)
    planes = [*frame.planes, person.y, person.uv]
    before = [plane.copy() for plane in planes]
    for plane in planes:
        plane.flags.writeable = False
    filled(background, frame, person, 7)
    assert all(np.array_equal(plane, copy) for plane, copy in zip(planes, before, strict=True))


def test_a_flat_room_stays_its_colour(size: tuple[int, int]):
    frame = noise(size)
    for plane, value in zip(frame.planes, (70, 110, 150), strict=True):
        plane[:] = value
    for sigma_px in SIGMAS_PX.values():
        planes = Planes.of(filled(BlurBackground(size, sigma_px), frame, matte(size), 7))
        for plane, value in zip(planes, (70, 110, 150), strict=True):
            assert np.abs(plane.astype(int) - value).max() <= 1


def test_the_sigmas_of_this_suite_take_every_level():
    assert {level: blur_level(sigma_px) for level, sigma_px in SIGMAS_PX.items()} == {0: 0, 1: 1, 2: 2, 3: 3}


# What only a blur promises.


@pytest.mark.parametrize("sigma_px", SIGMAS_PX.values())
def test_the_person_is_left_out_of_the_blur(sigma_px: float):
    size = (128, 96)
    room = noise(size)
    for plane in room.planes:
        plane[:] = 100
    bright = noise(size)
    for plane in bright.planes:
        plane[:] = 100
        plane[:, : plane.shape[1] // 2] = 250
    results = [
        filled(BlurBackground(size, sigma_px), frame, matte(size), 7)[: size[1], size[0] // 2 :]
        for frame in (room, bright)
    ]
    assert np.abs(results[0].astype(int) - results[1]).max() <= 12


@pytest.mark.parametrize("sigma_px", [9, 20, 40])
def test_with_nobody_there_it_is_the_gaussian_of_the_whole_frame(sigma_px: float):
    size = (320, 240)
    frame = noise(size)
    cv2.GaussianBlur(frame.planes.y, (0, 0), 3, dst=frame.planes.y)
    cv2.normalize(frame.planes.y, frame.planes.y, 0, 255, cv2.NORM_MINMAX)
    planes = Planes.of(filled(BlurBackground(size, sigma_px), frame, matte(size, 0), 7))
    radius = int(4 * sigma_px + 0.5)
    exact = cv2.GaussianBlur(frame.planes.y.astype(np.float64), (2 * radius + 1,) * 2, sigma_px)
    error = np.mean((planes.y - exact) ** 2)
    assert 10 * np.log10(255**2 / error) >= 38


@pytest.mark.parametrize("alpha", [16, 200, 255])
def test_with_no_room_in_sight_it_is_grey(alpha: int):
    size = (96, 64)
    planes = Planes.of(filled(BlurBackground(size, 20), noise(size), matte(size, alpha), 7))
    for plane in planes:
        assert np.abs(plane.astype(int) - 128).max() <= 1


def test_a_blur_below_a_pixel_is_still_a_blur():
    size = (96, 64)
    frame = noise(size)
    planes = Planes.of(filled(BlurBackground(size, 0), frame, matte(size, 0), 7))
    assert planes.y.std() < 0.6 * frame.planes.y.std()
    assert planes.u.std() < 0.95 * frame.planes.u.std()

"""How much the blur takes away: gratings, the true Gaussian, and no glow around the person."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.config import STRENGTHS, blur_sigma_px
from scrim.core.capture.room import room_picture
from scrim.core.composite.blend import enlarge
from scrim.core.composite.blur import BlurBackground
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, Matte, Plane, Planes

VGA = (640, 480)
AMPLITUDE = 110
FLOORS = [("low", 16, 20.0), ("medium", 16, 30.0), ("high", 32, 35.0)]
"""Strength, period of a grating in pixels at 640 x 480, and what it loses at least, in dB."""

AT_EDGE_DB = {"low": 14.0, "medium": 27.0, "high": 28.0}
"""Within one period of a person's edge that the stripes run along: there the blur has one side only."""

SIZES = [(640, 360), (640, 480), (1280, 720), (1920, 1080)]
CLOSE_DB = 38.0


def i420_of(size: tuple[int, int], draw: Callable[[int, int, int], NDArray[np.float64]]) -> Plane:
    """A picture from ``draw(width, height, scale)``, where a chroma pixel is 2 luma pixels wide."""
    width, height = size
    i420 = np.empty((height * 3 // 2, width), np.uint8)
    for plane, scale in zip(Planes.of(i420), (1, 2, 2), strict=True):
        plane[:] = np.rint(draw(width // scale, height // scale, scale))
    return i420


def grating(period_px: float, degrees: float, phase: float) -> Plane:
    """Stripes from 18 to 238 at 640 x 480."""
    along, across = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def draw(width: int, height: int, scale: int) -> NDArray[np.float64]:
        y, x = np.mgrid[:height, :width] * float(scale)
        return np.asarray(128 + AMPLITUDE * np.sin(2 * np.pi * (x * along + y * across) / period_px + phase))

    return i420_of(VGA, draw)


def noise(size: tuple[int, int]) -> Plane:
    rng = np.random.default_rng(3)
    return i420_of(size, lambda width, height, _: rng.integers(0, 256, (height, width)).astype(np.float64))


def checkerboard(side_px: int) -> Callable[[tuple[int, int]], Plane]:
    def draw(width: int, height: int, scale: int) -> NDArray[np.float64]:
        y, x = np.mgrid[:height, :width] * scale // side_px
        return np.asarray(np.where((x + y) % 2, 235.0, 16.0))

    return lambda size: i420_of(size, draw)


PICTURES = {
    "noise": noise,
    "checkerboard 16": checkerboard(16),
    "checkerboard 64": checkerboard(64),
    "room": room_picture,
}


def matte_of(alpha: Plane) -> Matte:
    height, width = alpha.shape
    chroma = cv2.resize(alpha, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return Matte(alpha, np.asarray(chroma, np.uint8), (0, 0, width, height), float(alpha.mean()) / 255)


def blurred(i420: Plane, sigma_px: float, alpha: Plane | None = None) -> Planes:
    """The room of a picture; without ``alpha`` nobody is in it."""
    planes = Planes.of(i420)
    pyramid = Pyramid(planes.size)
    pyramid.load(Frame(planes, 0, 0))
    out = Planes.of(np.full_like(i420, 77))
    matte = matte_of(np.zeros_like(planes.y) if alpha is None else alpha)
    for plane, room in zip(out, BlurBackground(planes.size, sigma_px).planes(pyramid, matte), strict=True):
        enlarge(room, plane)
    return out


def sigma_of(strength: str, height: int) -> int:
    return blur_sigma_px(STRENGTHS[strength], height)


def loss_db(left: NDArray[np.uint8]) -> float:
    """How much weaker than AMPLITUDE what is left of a grating is, whatever its period is now."""
    return 20 * math.log10(AMPLITUDE / max(1e-3, math.sqrt(2) * float(left.std())))


@pytest.mark.parametrize(("strength", "period_px", "floor_db"), FLOORS)
@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90, 135])
def test_a_grating_fades(strength: str, period_px: int, floor_db: float, degrees: int) -> None:
    sigma_px = sigma_of(strength, VGA[1])
    for phase in (0.0, 0.8, 1.6, 2.4):
        planes = blurred(grating(period_px, degrees, phase), sigma_px)
        for plane, margin in zip(planes, (2 * sigma_px, sigma_px, sigma_px), strict=True):
            assert loss_db(plane[margin:-margin, margin:-margin]) >= floor_db


@pytest.mark.parametrize(("strength", "period_px", "floor_db"), FLOORS)
@pytest.mark.parametrize("degrees", [0, 45, 90])
def test_a_grating_fades_beside_a_person(
    strength: str, period_px: int, floor_db: float, degrees: int
) -> None:
    """The left half is person: the room's blur may not draw on it."""
    sigma_px = sigma_of(strength, VGA[1])
    alpha = np.zeros(VGA[::-1], np.uint8)
    alpha[:, : VGA[0] // 2] = 255
    nearest_db = AT_EDGE_DB[strength] if degrees == 0 else floor_db
    for phase in np.arange(0, 2 * np.pi, 0.4):
        luma = blurred(grating(period_px, degrees, float(phase)), sigma_px, alpha).y
        room = luma[2 * sigma_px : -2 * sigma_px, VGA[0] // 2 : -2 * sigma_px]
        assert stripes_db(room[:, :period_px], period_px, degrees) >= nearest_db
        assert stripes_db(room[:, period_px : 2 * period_px], period_px, degrees) >= floor_db
        assert stripes_db(room[:, period_px:], period_px, degrees) >= floor_db


def stripes_db(room: NDArray[np.uint8], period_px: int, degrees: int) -> float:
    """How much weaker than AMPLITUDE the stripes are; a slope of brightness beside the person is none."""
    height, width = room.shape[0] // period_px * period_px, room.shape[1] // period_px * period_px
    part = room[:height, :width].astype(np.float64)
    y, x = np.mgrid[:height, :width]
    angle = math.radians(degrees)
    turn = np.exp(-2j * np.pi * (x * math.cos(angle) + y * math.sin(angle)) / period_px)
    left = 2 * abs(((part - part.mean()) * turn).mean())
    return 20 * math.log10(AMPLITUDE / max(1e-3, float(left)))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}p")
@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("picture", PICTURES)
def test_the_blur_is_the_gaussian(size: tuple[int, int], strength: str, picture: str) -> None:
    i420, sigma_px = PICTURES[picture](size), sigma_of(strength, size[1])
    for plane, out, sigma in zip(
        Planes.of(i420), blurred(i420, sigma_px), (sigma_px, sigma_px / 2, sigma_px / 2), strict=True
    ):
        assert psnr_db(out, gaussian(plane, sigma)) >= CLOSE_DB


def gaussian(plane: Plane, sigma_px: float) -> NDArray[np.float32]:
    """The true one, its kernel cut at 4 sigma."""
    kernel = cv2.getGaussianKernel(2 * int(4 * sigma_px + 0.5) + 1, sigma_px, cv2.CV_32F)
    return np.asarray(cv2.sepFilter2D(plane, cv2.CV_32F, kernel, kernel), np.float32)


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.float32]) -> float:
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * math.log10(255**2 / max(error, 1e-9))


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("softness_px", [0, 3, 8])
@pytest.mark.parametrize("size", [VGA, (1280, 720)], ids=lambda size: f"{size[1]}p")
def test_a_bright_person_does_not_glow(size: tuple[int, int], strength: str, softness_px: int) -> None:
    width, height = size
    alpha = np.zeros((height, width), np.uint8)
    cv2.ellipse(alpha, (width // 2, height // 2), (width // 6, height // 3), 0, 0, 360, 255, -1, cv2.LINE_AA)
    if softness_px:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), softness_px), np.uint8)
    matte = matte_of(alpha)
    empty = np.concatenate([np.full(height * width * part // 4, level) for part, level in ROOM])
    room = np.asarray(empty.reshape(height * 3 // 2, width), np.uint8)
    sigma_px = sigma_of(strength, height)
    alone, beside = blurred(room, sigma_px), blurred(stand_in(room, matte), sigma_px, alpha)
    for one, other, share in zip(alone, beside, (matte.y, matte.uv, matte.uv), strict=True):
        assert cv2.absdiff(one, other)[share == 0].max() <= 2


ROOM = ((4, 24), (1, 120), (1, 132))
"""Each plane's quarter pictures and level: a dark room."""

PERSON = (235, 40, 220)


def stand_in(room: Plane, matte: Matte) -> Plane:
    """The room with a bright person in it, mixed as the matte says."""
    i420 = room.copy()
    for plane, level, share in zip(Planes.of(i420), PERSON, (matte.y, matte.uv, matte.uv), strict=True):
        plane[:] = np.rint(plane + (level - plane.astype(np.float64)) * (share / 255.0))
    return i420

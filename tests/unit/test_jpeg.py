"""JPEGs have the colours of what goes out, at its size and smaller."""

import cv2
import numpy as np
import pytest
import simplejpeg

from scrim.frame import Planes
from scrim.gateway.jpeg import encode, shrunk, to_full_range


def picture(width: int, height: int, rgb: tuple[int, int, int] = (0x33, 0x66, 0x99)) -> Planes:
    return Planes.of(cv2.cvtColor(np.full((height, width, 3), rgb, np.uint8), cv2.COLOR_RGB2YUV_I420))


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (0x33, 0x66, 0x99), (250, 10, 10), (0, 0, 255)])
@pytest.mark.parametrize("longest_px", [4096, 640])
def test_a_colour_is_seen_as_it_is(rgb: tuple[int, int, int], longest_px: int) -> None:
    planes = picture(1280, 720, rgb)
    to_full_range(planes)
    seen = simplejpeg.decode_jpeg(encode(shrunk(planes, longest_px)))[20, 20]
    assert np.abs(seen.astype(int) - rgb).max() <= 3


def test_every_level_is_stretched_to_the_whole_range() -> None:
    levels = np.arange(256, dtype=np.uint8)
    i420 = np.concatenate([np.tile(levels, (64, 1)), np.tile(levels, (32, 1))])
    planes = Planes.of(i420)
    before = [plane.astype(float) for plane in planes]
    to_full_range(planes)
    for plane, old, span, zero in zip(planes, before, (219, 224, 224), (16, 128, 128), strict=True):
        wanted = (old - zero) * 255 / span + (0 if zero == 16 else 128)
        assert np.abs(plane - np.clip(wanted, 0, 255)).max() <= 0.5


@pytest.mark.parametrize(
    ("size", "longest_px", "small"),
    [
        ((1280, 720), 640, (640, 360)),
        ((1920, 1080), 640, (640, 360)),
        ((640, 480), 640, (640, 480)),
        ((642, 480), 640, (320, 240)),
        ((720, 1280), 640, (360, 640)),
        ((4096, 4096), 640, (584, 584)),
        ((66, 64), 64, (32, 32)),
    ],
)
def test_a_small_picture_is_within_its_limit_and_even(
    size: tuple[int, int], longest_px: int, small: tuple[int, int]
) -> None:
    planes = shrunk(picture(*size), longest_px)
    assert planes.size == small
    assert planes.u.shape == planes.v.shape == (small[1] // 2, small[0] // 2)


def test_a_small_pixel_is_the_mean_of_those_it_stands_for() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (720 * 3 // 2, 1280), np.uint8)
    planes = Planes.of(noise)
    small = shrunk(planes, 640)
    for plane, of in zip(small, planes, strict=True):
        quarter = of.astype(float).reshape(of.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
        assert np.abs(plane - quarter).max() <= 0.5

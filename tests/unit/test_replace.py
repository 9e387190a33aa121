"""Pictures as backgrounds: colours, and how images of another shape are fitted."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.composite.replace import color_picture, fitted_picture
from scrim.frame import Plane, Planes

EVEN = st.integers(1, 60).map(lambda half: 2 * half)


def bgr(i420: Plane) -> NDArray[np.uint8]:
    return cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)


def quarters(width: int, height: int) -> NDArray[np.uint8]:
    """Red, green, blue and white, one in each quarter."""
    picture = np.empty((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    picture[:top, :left], picture[:top, left:] = (0, 0, 255), (0, 255, 0)
    picture[top:, :left], picture[top:, left:] = (255, 0, 0), (255, 255, 255)
    return picture


@pytest.mark.parametrize(
    ("color", "rgb"), [("#000000", (0, 0, 0)), ("#ffffff", (255, 255, 255)), ("#008080", (0, 128, 128))]
)
def test_a_colour_fills_the_picture(color: str, rgb: tuple[int, int, int]):
    i420 = color_picture(color, (96, 64))
    assert i420.shape == (96, 96)
    assert all((plane == plane[0, 0]).all() for plane in Planes.of(i420))
    assert np.abs(bgr(i420)[0, 0].astype(int) - rgb[::-1]).max() <= 3


@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
@given(EVEN, EVEN, st.integers(1, 120), st.integers(1, 120))
def test_any_image_fits_any_frame(fit, width: int, height: int, image_width: int, image_height: int):
    white = np.full((image_height, image_width, 3), 255, np.uint8)
    i420 = fitted_picture(white, (width, height), fit)
    assert i420.shape == (height * 3 // 2, width)
    assert i420.flags.c_contiguous
    if fit != "contain":
        assert (Planes.of(i420).y == 235).all()


def near(pixel: NDArray[np.uint8], color: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - color).max() <= 40)


def test_stretch_shows_all_of_the_image_everywhere():
    shown = bgr(fitted_picture(quarters(200, 40), (80, 80), "stretch"))
    assert near(shown[2, 2], (0, 0, 255))
    assert near(shown[2, 77], (0, 255, 0))
    assert near(shown[77, 2], (255, 0, 0))
    assert near(shown[77, 77], (255, 255, 255))


def test_contain_shows_all_of_the_image_between_black_bars():
    shown = bgr(fitted_picture(quarters(80, 40), (80, 80), "contain"))
    assert near(shown[22, 2], (0, 0, 255))
    assert near(shown[57, 77], (255, 255, 255))
    assert near(shown[2, 40], (0, 0, 0))
    assert near(shown[77, 40], (0, 0, 0))


def test_cover_shows_the_middle_of_the_image_everywhere():
    image = quarters(160, 80)
    image[:, :20] = image[:, -20:] = (0, 0, 0)
    shown = bgr(fitted_picture(image, (80, 80), "cover"))
    assert near(shown[2, 2], (0, 0, 255))
    assert near(shown[77, 77], (255, 255, 255))
    assert shown.reshape(-1, 3).max(axis=1).min() > 100


def test_cover_and_contain_keep_the_proportions():
    picture = np.zeros((100, 300, 3), np.uint8)
    cv2.circle(picture, (150, 50), 40, (255, 255, 255), -1)
    for fit in ("cover", "contain"):
        seen = bgr(fitted_picture(picture, (160, 120), fit)).max(axis=2) > 127
        tall, wide = seen.any(axis=1).sum(), seen.any(axis=0).sum()
        assert abs(int(tall) - int(wide)) <= 2


def test_an_image_of_the_frame_s_size_is_not_touched():
    image = quarters(96, 64)
    for fit in ("cover", "contain", "stretch"):
        assert np.array_equal(
            fitted_picture(image, (96, 64), fit), cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        )

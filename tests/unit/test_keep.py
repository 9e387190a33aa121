"""Regions that are kept: where they are, and that they are nowhere else."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.core.framing.view import FULL, View, centred
from scrim.core.keep import KeepRegions, KeptView, Rectangle, load_keep_picture
from scrim.errors import ImageError

SIZE = (64, 36)


def rectangle(across: tuple[float, float], down: tuple[float, float]) -> Rectangle:
    left, right = sorted(across)
    top, bottom = sorted(down)
    return Rectangle(left, top, max(right - left, 0.001), max(bottom - top, 0.001))


sides = st.tuples(st.floats(0, 0.99), st.floats(0, 0.99))
rectangles = st.builds(rectangle, sides, sides)


def test_a_rectangle_covers_its_part_and_nothing_else() -> None:
    mask = KeepRegions([Rectangle(0.25, 0.5, 0.5, 0.5)]).mask(SIZE)
    expected = np.zeros((36, 64), np.uint8)
    expected[18:, 16:48] = 255
    assert np.array_equal(mask, expected)


def test_a_pixel_covered_in_part_is_kept_in_part() -> None:
    mask = KeepRegions([Rectangle(0.5 / 64, 0, 1 / 64, 1)]).mask(SIZE)
    assert np.all(mask[:, :2] == 128)
    assert not mask[:, 2:].any()


@given(st.lists(rectangles, max_size=4))
def test_rectangles_keep_as_much_as_they_cover(parts: list[Rectangle]) -> None:
    mask = KeepRegions(parts).mask(SIZE)
    total = sum(part.width * part.height for part in parts)
    assert mask.mean() / 255 <= total + 0.002 * len(parts)
    x, y = (np.arange(64) + 0.5) / 64, ((np.arange(36) + 0.5) / 36)[:, None]
    for part in parts:
        inside = (x > part.left + 1 / 64) & (x < part.left + part.width - 1 / 64)
        inside = inside & (y > part.top + 1 / 36) & (y < part.top + part.height - 1 / 36)
        assert np.all(mask[inside] == 255)
    far = np.ones((36, 64), bool)
    for part in parts:
        near = (x > part.left - 1 / 64) & (x < part.left + part.width + 1 / 64)
        far &= ~(near & (y > part.top - 1 / 36) & (y < part.top + part.height + 1 / 36))
    assert not mask[far].any()


@pytest.mark.parametrize(
    "wrong",
    [
        (-0.1, 0, 0.5, 0.5),
        (0, 0, 0, 0.5),
        (0.6, 0, 0.5, 0.5),
        (0, 0.9, 0.1, 0.2),
        (0, float("nan"), 0.1, 0.1),
    ],
)
def test_a_rectangle_outside_the_picture_is_refused_in_words(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"allowed is \[left, top, width, height\]"):
        Rectangle(*wrong)


@given(rectangles, st.floats(0, 1), st.floats(0, 1), st.floats(1 / 3, 1))
def test_what_is_kept_moves_with_the_view(part: Rectangle, x: float, y: float, share: float) -> None:
    view = centred(x, y, share)
    regions = KeepRegions([part])
    shown = KeptView(regions, SIZE).mask(view)
    columns = (view.left + view.share * (np.arange(64) + 0.5) / 64)[None]
    rows = (view.top + view.share * (np.arange(36) + 0.5) / 36)[:, None]
    reach_x, reach_y = 2 / 64, 2 / 36
    near = (columns > part.left - reach_x) & (columns < part.left + part.width + reach_x)
    near = near & (rows > part.top - reach_y) & (rows < part.top + part.height + reach_y)
    assert not shown[~near].any()
    inside = (columns > part.left + reach_x) & (columns < part.left + part.width - reach_x)
    inside = inside & (rows > part.top + reach_y) & (rows < part.top + part.height - reach_y)
    assert np.all(shown[inside] == 255)


def test_the_whole_picture_shows_the_mask_itself_again_after_a_closer_view() -> None:
    regions = KeepRegions([Rectangle(0.1, 0.1, 0.3, 0.3)])
    kept = KeptView(regions, SIZE)
    close = kept.mask(View(0.0, 0.0, 0.5)).copy()
    assert close.sum() > 3 * regions.mask(SIZE).sum()
    assert np.array_equal(kept.mask(FULL), regions.mask(SIZE))
    assert np.array_equal(kept.mask(View(0.0, 0.0, 0.5)), close)


@pytest.mark.parametrize("size", [(640, 360), (16, 9), (64, 36), (4096, 3)])
def test_a_picture_is_stretched_over_the_camera_picture(tmp_path: Path, size: tuple[int, int]) -> None:
    grey = np.zeros(size[::-1], np.uint8)
    grey[:, : size[0] // 2] = 255
    cv2.imwrite(str(tmp_path / "keep.png"), grey)
    mask = KeepRegions(picture=load_keep_picture(tmp_path / "keep.png")).mask(SIZE)
    assert np.all(mask[:, :28] == 255)
    assert not mask[:, 36:].any()


def test_rectangles_and_picture_add_up() -> None:
    picture = np.zeros((36, 64), np.uint8)
    picture[:, :4] = 100
    mask = KeepRegions([Rectangle(0.5, 0, 0.5, 1)], picture).mask(SIZE)
    assert np.all(mask[:, :4] == 100)
    assert not mask[:, 4:32].any()
    assert np.all(mask[:, 32:] == 255)


def test_nothing_is_kept_of_nothing() -> None:
    assert KeepRegions().is_empty
    assert not KeepRegions().mask(SIZE).any()
    assert not KeepRegions([Rectangle(0, 0, 1, 1)]).is_empty


def test_what_is_no_grey_png_is_refused_in_words(tmp_path: Path) -> None:
    coloured = np.zeros((4, 4, 3), np.uint8)
    coloured[0, 0] = (1, 2, 3)
    cv2.imwrite(str(tmp_path / "colour.png"), coloured)
    cv2.imwrite(str(tmp_path / "photo.jpg"), coloured)
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((1, 4098), np.uint8))
    os.mkfifo(tmp_path / "pipe.png")
    whole = (tmp_path / "colour.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:40])
    for name, says in {
        "colour.png": "has colours",
        "photo.jpg": "is no PNG",
        "large.png": "4098 x 1",
        "cut.png": "broken",
        "missing.png": "is no file",
        "pipe.png": "is no file",
    }.items():
        with pytest.raises(ImageError, match=says):
            load_keep_picture(tmp_path / name)

"""What an effect looks like, whatever size the picture has; and masks that serve more than one frame."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scrim.config import STRENGTHS, Settings, blur_sigma_px
from scrim.core.budget import Level
from scrim.core.composite.blend import enlarge
from scrim.core.composite.blur import BlurBackground
from scrim.core.composite.replace import fitted_picture
from scrim.core.images import Image
from scrim.core.look import make_look, prepare_look
from scrim.core.pipeline import Look, Pipeline
from scrim.core.pyramid import Pyramid
from scrim.core.segment.constant import ConstantSegmenter
from scrim.frame import Frame, FramePool, Mask, Matte, Plane, Planes

SIZES = [(320, 180), (640, 360), (1280, 720)]
CLOSE_DB = 38


def room(size: tuple[int, int]) -> Plane:
    """Checks of 24 pixels with noise on them."""
    width, height = size
    y, x = np.mgrid[: height * 3 // 2, :width]
    noise = np.random.default_rng(5).integers(0, 60, (height * 3 // 2, width))
    return np.asarray(((x // 24 + y // 24) % 2) * 150 + 40 + noise, np.uint8)


def shown(look: Look, i420: Plane) -> Planes:
    """What a frame with nobody in it becomes."""
    planes = Planes.of(i420)
    safe = Pipeline(planes.size, None, look, FramePool(planes.size, 2)).process(Frame(planes, 0, 0))
    assert safe is not None
    return Planes.of(safe.i420.copy())


def psnr_db(one: Plane, other: np.ndarray[Any, Any]) -> float:
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))


def gaussian(plane: Plane, sigma_px: float) -> np.ndarray[Any, Any]:
    """The true one, its kernel cut at 4 sigma."""
    side = 2 * int(4 * sigma_px + 0.5) + 1
    return np.asarray(cv2.GaussianBlur(plane.astype(np.float64), (side, side), sigma_px))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_blur_follows_the_picture_s_height(size: tuple[int, int], strength: str) -> None:
    """The same settings at another size are another Gaussian: that of their own height, and no other."""
    settings, i420 = Settings().patched({"strength": strength}), room(size)
    luma = shown(prepare_look(settings, size, 1), i420).y
    near_db = {
        height: psnr_db(luma, gaussian(Planes.of(i420).y, blur_sigma_px(STRENGTHS[strength], height)))
        for _, height in SIZES
    }
    assert near_db[size[1]] >= CLOSE_DB
    assert max(near_db, key=lambda height: near_db[height]) == size[1]


@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
def test_an_image_is_fitted_anew_from_the_original_for_every_size(fit: str) -> None:
    """By way of a tiny picture and back, nothing is lost: no look is made from another."""
    image: Image = np.random.default_rng(3).integers(0, 256, (90, 120, 3), np.uint8)
    before = image.copy()
    settings = Settings().patched({"effect": "image", "image": "file:/a.png", "fit": fit})
    for size in ((320, 180), (16, 16), (180, 320), (320, 180)):
        width, height = size
        planes = shown(make_look(settings, size, 1, image), np.zeros((height * 3 // 2, width), np.uint8))
        for plane, expected in zip(planes, Planes.of(fitted_picture(before, size, fit)), strict=True):
            assert np.array_equal(plane, expected)
    assert np.array_equal(image, before)


def test_black_stands_behind_a_replacement_by_nothing(tmp_path: Path) -> None:
    for patch in ({"effect": "color"}, {"effect": "color", "color": "black"}):
        planes = shown(prepare_look(Settings().patched(patch), (64, 48), 1, (tmp_path,)), room((64, 48)))
        assert [int(plane.min()) for plane in planes] == [16, 128, 128]
        assert [int(plane.max()) for plane in planes] == [16, 128, 128]


def stripes(size: tuple[int, int], width_px: int) -> Plane:
    """Black and white bars: the hardest a room can be."""
    width, height = size
    row = (np.arange(width) // width_px % 2 * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row, (height * 3 // 2, width)))


def blurred(i420: Plane, sigma_px: float, coarser: int) -> Plane:
    planes = Planes.of(i420)
    pyramid = Pyramid(planes.size)
    pyramid.load(Frame(planes, 0, 0))
    nobody = Matte(np.zeros_like(planes.y), np.zeros_like(planes.u), (0, 0, 0, 0), 0.0)
    out = Planes.of(np.empty_like(i420))
    enlarge(BlurBackground(planes.size, sigma_px, coarser).planes(pyramid, nobody)[0], out.y)
    return out.y


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)], ids=str)
@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("width_px", [4, 12, 14, 22, 24, 96])
def test_the_blur_is_the_gaussian_of_stripes_too(size: tuple[int, int], strength: str, width_px: int) -> None:
    """Up to the border. One level coarser, as when time is short, it comes near: within 32 dB."""
    i420, sigma_px = stripes(size, width_px), blur_sigma_px(STRENGTHS[strength], size[1])
    exact = gaussian(Planes.of(i420).y, sigma_px)
    assert psnr_db(blurred(i420, sigma_px, 0), exact) >= CLOSE_DB
    assert psnr_db(blurred(i420, sigma_px, 1), exact) >= 32


class Counting(ConstantSegmenter):
    """Counts how often it is asked."""

    asked = 0

    def segment(self, rgb: Plane) -> Mask:
        self.asked += 1
        return super().segment(rgb)


def masks_for(frames: int, every: int, settings: Settings) -> tuple[int, int]:
    """How often the model was asked for so many frames, and one of how many frames is to be handed in."""
    size = (64, 48)
    segmenter = Counting(255, (48, 32))
    pipeline = Pipeline(size, segmenter, make_look(settings, size, 1, None), FramePool(size, 2))
    pipeline.degrade(Level(1, every=every))
    for number in range(frames):
        i420 = np.zeros((72, 64), np.uint8)
        assert pipeline.process(Frame(Planes.of(i420), number * 33_000_000, number)) is not None
    return segmenter.asked, pipeline.skips


def test_no_mask_serves_another_frame_than_its_own() -> None:
    """Frames are left out when time is short, but each one that is processed is looked at."""
    assert Settings().budget.reuse_masks is False
    assert masks_for(12, 3, Settings()) == (12, 3)


def test_masks_serve_several_frames_where_the_local_file_says_so() -> None:
    settings = Settings().patched({"budget": {"reuse_masks": True}})
    assert masks_for(12, 3, settings) == (4, 1)
    assert masks_for(12, 1, settings) == (12, 1)

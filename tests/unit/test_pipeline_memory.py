"""The hot path allocates nothing of a frame's size, whatever is switched on."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.composite.base import Background
from scrim.core.composite.blur import BlurBackground
from scrim.core.composite.replace import PictureBackground, color_picture, fitted_picture
from scrim.core.found import Found
from scrim.core.keep import KeepRegions, Rectangle
from scrim.core.ladder import Level
from scrim.core.pipeline import Look, Pipeline
from scrim.core.segment.constant import ScriptedSegmenter
from scrim.core.subject import Wishes
from scrim.frame import Frame, FramePool, Planes

LARGE = (640, 360)


def noise(size: tuple[int, int], seed: int = 1) -> Frame:
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)
    return Frame(Planes.of(pixels), 10 * seed, seed)


def image_background() -> Background:
    return PictureBackground(fitted_picture(np.full((90, 160, 3), 99, np.uint8), LARGE, "cover"))


LOOKS = {
    **{f"blur-{sigma_px}": Look(1, BlurBackground(LARGE, sigma_px)) for sigma_px in (1, 4, 9, 20)},
    "color": Look(1, PictureBackground(color_picture("#008080", LARGE))),
    "image": Look(1, image_background()),
    "coarse": Look(1, BlurBackground(LARGE, 9), refine=False, smooth=False),
    "raw": Look(1, None, is_raw=True),
    "off": Look(1, None),
}


def moving_person(steps: int) -> list[NDArray[np.uint8]]:
    mask = np.zeros((144, 256), np.uint8)
    mask[40:, 80:160] = 255
    mask[30:40, 90:150] = 130
    return [np.roll(mask, 4 * step, axis=1) for step in range(steps)]


BLUR = BlurBackground(LARGE, 9)
COARSE = BlurBackground(LARGE, 9, coarser=1)
EVERYTHING = Wishes("largest", 2.0, "placeholder", 3.0)

COSTS: dict[str, tuple[Look, Level]] = {
    **{name: (look, Level(0)) for name, look in LOOKS.items()},
    "largest": (Look(1, BLUR, wishes=Wishes("largest")), Level(0)),
    "framing": (Look(1, BLUR, wishes=Wishes(max_zoom=2.0)), Level(0)),
    "second look": (Look(1, BLUR, looks=2), Level(0)),
    "every look": (Look(1, BLUR, looks=6), Level(0)),
    "everything": (Look(1, BLUR, COARSE, looks=2, wishes=EVERYTHING), Level(0)),
    "coarser": (Look(1, BLUR, COARSE, wishes=EVERYTHING), Level(2, refine=False, blur_coarser=1)),
    "small model": (Look(1, BLUR, COARSE, wishes=EVERYTHING), Level(3, False, 1, small_model=True)),
    "reuse": (Look(1, BLUR, COARSE, reuse_masks=True), Level(4, refine=False, every=3)),
}

PICTURES = [noise(LARGE, seed).planes for seed in range(8)]

KEPT = KeepRegions([Rectangle(0.1, 0.5, 0.2, 0.5)])


def two_at_once(pipeline: Pipeline) -> Callable[[Frame], object]:
    """As ``process``, but each frame is composited after the next one's person was found."""
    waiting: list[Found | None] = []

    def process(frame: Frame) -> None:
        waiting.append(pipeline.find(frame))
        if len(waiting) == 2 and (found := waiting.pop(0)) is not None:
            pipeline.compose(found)

    return process


@pytest.mark.parametrize("overlaps", [False, True], ids=["", "overlapped"])
@pytest.mark.parametrize("keep", [None, KEPT], ids=["", "keep"])
@pytest.mark.parametrize("name", COSTS)
def test_a_frame_costs_no_memory_of_a_frame_s_size(name: str, keep: KeepRegions | None, *, overlaps: bool):
    look, level = COSTS[name]
    masks = moving_person(8)
    small = ScriptedSegmenter([mask[::2, ::2].copy() for mask in masks * 8], (128, 72))
    pipeline = Pipeline(
        LARGE,
        ScriptedSegmenter(masks * 8, (256, 144)),
        look,
        FramePool(LARGE, 2),
        small=small,
        keep=keep,
    )
    pipeline.degrade(level)
    frames = [Frame(PICTURES[n % 8], n * 33_000_000, n) for n in range(32)]
    process = two_at_once(pipeline) if overlaps else pipeline.process
    for frame in frames[:24]:
        process(frame)
    grown_bytes = []
    tracemalloc.start()
    try:
        for frame in frames[24:]:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            process(frame)
            grown_bytes.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert max(grown_bytes) < LARGE[0] * LARGE[1] / 4


def test_tracemalloc_sees_what_opencv_gives_back():
    """Without this the test above would prove nothing."""
    import cv2

    plane = noise(LARGE).planes.y
    tracemalloc.start()
    try:
        result = cv2.add(plane, plane)
        seen_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen_bytes >= result.nbytes


@pytest.mark.parametrize("name", [name for name in LOOKS if name != "off"])
def test_pictures_are_made_in_the_pool_s_buffers(name: str):
    pool = FramePool(LARGE, 3)
    leased = [pool.lease() for _ in range(3)]
    addresses = {buffer.ctypes.data for buffer in leased if buffer is not None}
    leased.clear()
    buffer = None
    pipeline = Pipeline(LARGE, ScriptedSegmenter(moving_person(8), (256, 144)), LOOKS[name], pool)
    for seed in range(1, 9):
        safe = pipeline.process(noise(LARGE, seed))
        assert safe is not None
        assert safe.i420.ctypes.data in addresses
    del safe, buffer
    assert pool.free == 3

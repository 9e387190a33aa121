"""The path of one frame, with a segmenter that does as it is told."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.composite.base import Background
from scrim.core.composite.blur import BlurBackground
from scrim.core.composite.replace import PictureBackground, color_picture, fitted_picture
from scrim.core.pipeline import Look, Pipeline
from scrim.core.segment.base import Segmenter
from scrim.core.segment.constant import ConstantSegmenter, ScriptedSegmenter
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Planes

SIZE = (192, 128)
MODEL = (48, 32)
TEAL = color_picture("#008080", SIZE)


def noise(size: tuple[int, int] = SIZE, seed: int = 1) -> Frame:
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)
    return Frame(Planes.of(pixels), 10 * seed, seed)


def teal_look(**how: Any) -> Look:
    return Look(1, PictureBackground(TEAL), **how)


def make(segmenter: Segmenter | None, look: Look | None = None, buffers: int = 2) -> Pipeline:
    return Pipeline(SIZE, segmenter, look or teal_look(), FramePool(SIZE, buffers))


def person() -> NDArray[np.uint8]:
    """A mask of somebody in the middle."""
    mask = np.zeros(MODEL[::-1], np.uint8)
    mask[8:, 16:32] = 255
    return mask


def test_a_person_stands_before_the_background():
    frame = noise()
    pipeline = make(ScriptedSegmenter([person()], MODEL), teal_look(refine=False, smooth=False))
    safe = pipeline.process(frame)
    assert safe is not None
    assert (safe.pts_ns, safe.sequence, safe.origin, safe.revision) == (10, 1, "effect", 1)
    assert np.array_equal(safe.planes.y[64:112, 80:112], frame.planes.y[64:112, 80:112])
    assert (safe.planes.y[:, :32] == Planes.of(TEAL).y[0, 0]).all()
    assert 0.1 < pipeline.last_matte.coverage < 0.4


def test_with_nobody_there_everything_is_background():
    safe = make(ConstantSegmenter(0, MODEL)).process(noise())
    assert safe is not None
    assert np.array_equal(safe.i420, TEAL)


def test_without_a_segmenter_everything_is_background():
    pipeline = make(None)
    safe = pipeline.process(noise())
    assert safe is not None
    assert np.array_equal(safe.i420, TEAL)
    assert pipeline.last_matte.coverage == 0


def test_the_model_sees_the_frame_at_its_own_size():
    seen: list[tuple[int, ...]] = []

    class Watching(ConstantSegmenter):
        def segment(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
            seen.append(rgb.shape)
            return super().segment(rgb)

    make(Watching(0, MODEL)).process(noise())
    assert seen == [(32, 48, 3)]


@pytest.mark.parametrize(
    "wrong",
    [
        "mask",
        np.ones((32, 48), np.float32),
        np.full((32, 48), np.nan),
        np.ones((32, 48), bool),
        np.ones((32, 48, 1), np.uint8),
        np.ones((1, 32, 48), np.uint8),
        np.ones(48, np.uint8),
        np.ones((0, 48), np.uint8),
        np.full((48, 32), 255, np.uint8),
        np.full((32, 32), 255, np.uint8),
    ],
    ids=lambda mask: f"{getattr(mask, 'dtype', '')}{getattr(mask, 'shape', mask)}",
)
def test_what_is_no_mask_makes_no_picture(wrong: Any):
    pipeline = make(ScriptedSegmenter([wrong, person()], MODEL))
    with pytest.raises(SegmentError):
        pipeline.process(noise())
    assert pipeline.process(noise()) is not None


def test_a_mask_that_changes_its_size_makes_no_picture():
    half = np.full((16, 24), 255, np.uint8)
    pipeline = make(ScriptedSegmenter([person(), half, person()], MODEL))
    assert pipeline.process(noise()) is not None
    with pytest.raises(SegmentError, match="never changes its size"):
        pipeline.process(noise())
    assert pipeline.process(noise()) is not None


def test_a_model_s_fault_makes_no_picture_and_takes_no_buffer():
    pipeline = make(ScriptedSegmenter([SegmentError("planted"), person()], MODEL), buffers=1)
    with pytest.raises(SegmentError, match="planted"):
        pipeline.process(noise())
    assert pipeline.process(noise()) is not None


def test_a_frame_of_another_size_makes_no_picture():
    with pytest.raises(ValueError, match="pyramid"):
        make(ConstantSegmenter(255, MODEL)).process(noise((128, 192)))


def test_a_look_is_swapped_in_between_two_frames():
    pipeline = make(ConstantSegmenter(0, MODEL))
    pipeline.swap(Look(2, PictureBackground(color_picture("#ff0000", SIZE))))
    safe = pipeline.process(noise())
    assert safe is not None
    assert safe.revision == 2
    assert not np.array_equal(safe.i420, TEAL)


def test_a_look_swapped_in_during_a_frame_waits_for_the_next():
    pipeline: Pipeline

    class Swapping(ConstantSegmenter):
        def segment(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
            pipeline.swap(Look(2, None, is_raw=True))
            return super().segment(rgb)

    pipeline = make(Swapping(0, MODEL))
    safe = pipeline.process(noise())
    assert safe is not None
    assert (safe.revision, safe.origin) == (1, "effect")
    assert np.array_equal(safe.i420, TEAL)
    following = pipeline.process(noise())
    assert following is not None
    assert (following.revision, following.origin) == (2, "raw")


def test_a_look_without_background_is_the_placeholder_and_asks_no_model():
    pipeline = make(ScriptedSegmenter([AssertionError("asked")], MODEL), Look(3, None))
    safe = pipeline.process(noise())
    assert safe is not None
    assert (safe.origin, safe.revision) == ("placeholder", 3)


def test_raw_passes_the_frame_and_asks_no_model():
    frame = noise()
    safe = make(ScriptedSegmenter([AssertionError("asked")], MODEL), Look(1, None, is_raw=True)).process(
        frame
    )
    assert safe is not None
    assert safe.origin == "raw"
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(safe.planes, frame.planes, strict=True))


def test_after_a_reset_a_frame_stands_for_itself():
    masks = [person(), np.roll(person(), 6, axis=1)]
    alone = make(ScriptedSegmenter(masks[1:], MODEL)).process(noise())
    pipeline = make(ScriptedSegmenter(masks, MODEL))
    pipeline.process(noise(seed=2))
    pipeline.reset()
    in_company = pipeline.process(noise())
    assert alone is not None
    assert in_company is not None
    assert np.array_equal(alone.i420, in_company.i420)


def test_every_stage_is_timed():
    pipeline = make(ConstantSegmenter(200, MODEL))
    for _ in range(2):
        pipeline.process(noise())
    assert pipeline.clock.count == {"input": 2, "segment": 2, "matte": 2, "composite": 2}


# The hot path allocates nothing of a frame's size.

LARGE = (640, 360)


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


@pytest.mark.parametrize("name", LOOKS)
def test_a_frame_costs_no_memory_of_a_frame_s_size(name: str):
    masks = moving_person(8)
    pipeline = Pipeline(LARGE, ScriptedSegmenter(masks * 2, (256, 144)), LOOKS[name], FramePool(LARGE, 2))
    frames = [noise(LARGE, seed) for seed in range(1, 9)]
    for frame in frames:
        pipeline.process(frame)
    grown_bytes = []
    tracemalloc.start()
    try:
        for frame in frames:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            pipeline.process(frame)
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

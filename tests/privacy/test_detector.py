"""The detector finds the coded room where it shows, and only there."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from scrim.config import Settings
from scrim.core.capture.room import room_picture
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.look import prepare_look
from scrim.core.pipeline import Pipeline
from scrim.core.segment.constant import ScriptedSegmenter
from scrim.core.sinks.file import VideoFileSink
from scrim.detector import BLOCK_PX, THRESHOLD, CodedBackground, Detector
from scrim.frame import Caps, Frame, FramePool, Mask, Plane, Planes, SafeFrame

SIZE = (1280, 720)
MASK_SIZE = (256, 144)
KEY = "tests/privacy"
CHANCE = 5.3
"""What no score of an unmarked block exceeds in the few 10,000 blocks of a test: one in 10**7 does."""


def person_mask() -> Mask:
    """Head and shoulders."""
    mask = np.zeros(MASK_SIZE[::-1], np.uint8)
    cv2.ellipse(mask, (128, 60), (22, 28), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(mask, (128, 150), (58, 60), 0, 180, 360, 255, -1, cv2.LINE_AA)
    return mask


@lru_cache(maxsize=1)
def near_person() -> Plane:
    """255 wherever the matte may reach."""
    grown = cv2.dilate(person_mask(), np.ones((25, 25), np.uint8))
    return np.asarray(cv2.resize(grown, SIZE, interpolation=cv2.INTER_NEAREST), np.uint8)


def room_blocks() -> NDArray[np.bool_]:
    """Blocks that nobody stands near."""
    width, height = (length // BLOCK_PX for length in SIZE)
    blocks = near_person().reshape(height, BLOCK_PX, width, BLOCK_PX).max(axis=(1, 3))
    return np.asarray(blocks == 0)


@lru_cache(maxsize=1)
def marked() -> Plane:
    """The camera's picture: a room with camera noise and the code, the person without it."""
    i420 = room_picture(SIZE).copy()
    luma = Planes.of(i420).y
    noise = np.random.default_rng(2).normal(0, 2, luma.shape)
    luma[:] = np.clip(np.rint(luma + noise), 0, 255)
    luma[:] = CodedBackground(SIZE, KEY).mark(luma, near_person())
    i420.flags.writeable = False
    return i420


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(SIZE, KEY)


def composed(patch: dict[str, object], folder: Path) -> SafeFrame:
    settings = Settings().patched({"privacy": {"allow_raw": True}}).patched(patch)
    look = prepare_look(settings, SIZE, 1, (folder,))
    pipeline = Pipeline(SIZE, ScriptedSegmenter([person_mask()], MASK_SIZE), look, FramePool(SIZE, 2))
    safe = pipeline.process(Frame(Planes.of(marked()), 0, 0))
    assert safe is not None
    return safe


def jpeg(i420: Plane, quality: int) -> Plane:
    """Luma after compression."""
    planes = Planes.of(i420)
    data = simplejpeg.encode_jpeg_yuv_planes(planes.y, planes.u, planes.v, quality=quality)
    return np.asarray(simplejpeg.decode_jpeg(data, "GRAY")[:, :, 0], np.uint8)


def filmed(safe: SafeFrame, path: Path, frames: int = 3) -> Iterator[Plane]:
    """Luma of each frame of a video."""
    sink = VideoFileSink(path)
    sink.open(Caps(*SIZE, 30))
    for _ in range(frames):
        sink.write(safe)
    sink.close()
    video = cv2.VideoCapture(str(path))
    for _ in range(frames):
        is_good, bgr = video.read()
        assert is_good
        yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
    video.release()


def test_a_raw_room_is_flagged_all_over(detector: Detector, folder: Path) -> None:
    """A single block full of black and white book spines stays below the threshold, at z = 5.5."""
    raw = composed({"effect": "off"}, folder)
    assert raw.origin == "raw"
    assert detector.flagged(raw.planes.y)[room_blocks()].mean() > 0.999


def test_nothing_of_the_person_is_flagged(detector: Detector, folder: Path) -> None:
    raw = composed({"effect": "off"}, folder)
    width, height = (length // BLOCK_PX for length in SIZE)
    blocks = near_person().reshape(height, BLOCK_PX, width, BLOCK_PX).min(axis=(1, 3))
    assert detector.blocks(raw.planes.y)[blocks > 0].max() < CHANCE


@pytest.mark.parametrize(("quality", "share"), [(90, 0.99), (75, 0.97), (50, 0.9)])
def test_a_raw_room_is_found_after_jpeg(detector: Detector, quality: int, share: float) -> None:
    assert detector.flagged(jpeg(marked(), quality))[room_blocks()].mean() > share


@pytest.mark.parametrize(
    "patch",
    [
        {"effect": "color", "color": "#20c040"},
        {"effect": "image", "image": "file:FOLDER/wide.png"},
        {"effect": "blur", "strength": "low"},
        {"effect": "blur", "strength": "medium"},
        {"effect": "blur", "strength": "high"},
    ],
    ids=["color", "image", "low", "medium", "high"],
)
def test_a_hidden_room_is_not_flagged(detector: Detector, folder: Path, patch: dict[str, object]) -> None:
    patch = {key: str(value).replace("FOLDER", str(folder)) for key, value in patch.items()}
    safe = composed(patch, folder)
    assert safe.origin == "effect"
    for luma in (safe.planes.y, jpeg(safe.i420, 50)):
        assert detector.blocks(luma).max() < CHANCE


def test_the_placeholder_is_not_flagged(detector: Detector) -> None:
    for reason in Reason:
        assert detector.blocks(PlaceholderPainter(SIZE).paint(reason, 1).planes.y).max() < CHANCE


def test_a_leaking_block_is_found_and_told_where(detector: Detector, folder: Path) -> None:
    luma = composed({"effect": "color", "color": "#20c040"}, folder).planes.y.copy()
    leak = slice(5 * BLOCK_PX, 6 * BLOCK_PX), slice(70 * BLOCK_PX, 71 * BLOCK_PX)
    luma[leak] = Planes.of(marked()).y[leak]
    assert np.argwhere(detector.flagged(luma)).tolist() == [[5, 70]]


@pytest.mark.parametrize("suffix", ["avi", "mp4", "mkv"])
def test_videos_tell_raw_from_safe(detector: Detector, folder: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix}"
    for luma in filmed(composed({"effect": "off"}, folder), path):
        assert detector.flagged(luma)[room_blocks()].mean() > 0.5
    for luma in filmed(composed({"effect": "color", "color": "teal"}, folder), path):
        assert detector.blocks(luma).max() < CHANCE


def test_chance_stays_below_the_threshold() -> None:
    """Wrong keys on a picture full of detail: 72,000 scores with the spread of chance."""
    scores = np.stack(
        [Detector(SIZE, f"wrong {number}").blocks(Planes.of(marked()).y) for number in range(20)]
    )
    assert scores.max() < CHANCE < THRESHOLD
    assert 0.98 < scores.std() < 1.02
    assert abs(scores.mean()) < 0.02


def test_the_pattern_is_the_amplitude_and_follows_from_the_key() -> None:
    gray = np.full((48, 64), 100, np.uint8)
    one, again, other = (CodedBackground((64, 48), key, 9).mark(gray) for key in ("a", "a", "b"))
    assert set(np.unique(one)) == {91, 109}
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_pattern_spares_the_person_and_the_ends_of_the_scale() -> None:
    luma = np.full((16, 16), 250, np.uint8)
    person = np.zeros_like(luma)
    person[:8] = 1
    marked_luma = CodedBackground((16, 16), "k").mark(luma, person)
    assert (marked_luma[:8] == 250).all()
    assert set(np.unique(marked_luma[8:])) == {238, 255}


@pytest.mark.parametrize("amplitude", [0, 65, -1])
def test_an_amplitude_out_of_range_is_refused(amplitude: int) -> None:
    with pytest.raises(ValueError, match=f"amplitude = {amplitude}: must be from 1 to 64"):
        CodedBackground((16, 16), "k", amplitude)


def test_sizes_need_not_be_whole_blocks() -> None:
    size = (100, 70)
    luma = CodedBackground(size, KEY).mark(np.full((70, 100), 90, np.uint8))
    assert Detector(size, KEY).flagged(luma).shape == (4, 6)
    assert Detector(size, KEY).flagged(luma).all()
    assert not Detector(size, KEY).flagged(np.full((70, 100), 90, np.uint8)).any()

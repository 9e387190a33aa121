"""Two frames at once: when that begins and ends, and that no half of one ever sees anything of the other."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.composite.base import CoarsePlanes
from scrim.core.composite.blur import BlurBackground
from scrim.core.composite.replace import PictureBackground, color_picture
from scrim.core.found import Found
from scrim.core.ladder import Level
from scrim.core.overlap import CALM_S, FEWEST, SKIPPED, WINDOW, Overlap, usable_cores
from scrim.core.pipeline import Look, Pipeline
from scrim.core.pyramid import Pyramid
from scrim.core.segment.constant import ConstantSegmenter, ScriptedSegmenter
from scrim.core.subject import Wishes
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Matte, Planes

SIZE = (192, 128)
MODEL = (48, 32)
TEAL = color_picture("#008080", SIZE)
TEAL_LOOK = Look(1, PictureBackground(TEAL))


# When it begins and ends.


class Frames:
    """Tells an overlap of frames that come 30 times a second."""

    def __init__(self, overlap: Overlap, budget: float = 1.0) -> None:
        self.overlap, self.budget, self.now_s = overlap, budget, 1000.0

    def come(self, count: int, share: float) -> int | None:
        """How many it took until something changed; None when nothing did."""
        for number in range(1, count + 1):
            self.now_s += 1 / 30
            if self.overlap.add(share, self.budget, self.now_s):
                return number
        return None


def test_frames_that_take_long_are_overlapped_before_the_budget_would_lower_the_quality():
    frames = Frames(Overlap(cores=2))
    assert frames.come(3000, 0.59) is None
    frames = Frames(Overlap(cores=2))
    assert frames.come(100, 0.61) == SKIPPED + FEWEST < 0.5 * 30
    assert frames.overlap.is_on


def test_a_smaller_budget_is_spared_by_overlapping_first():
    assert Frames(Overlap(cores=2), budget=0.5).come(100, 0.46) is not None
    assert Frames(Overlap(cores=2), budget=0.5).come(3000, 0.44) is None


def test_overlapping_ends_when_it_has_been_needless_for_a_while():
    frames = Frames(Overlap(cores=4))
    frames.come(100, 0.9)
    assert frames.come(3000, 0.41) is None, "between the two limits all stays as it is"
    assert frames.come(WINDOW, 0.39) is not None
    assert not frames.overlap.is_on
    assert frames.come(3000, 0.59) is None
    frames.come(100, 0.9)
    ended = frames.come(3000, 0.1)
    assert ended is not None
    assert ended / 30 == pytest.approx(CALM_S, abs=0.1)


def test_single_slow_frames_change_nothing():
    frames = Frames(Overlap(cores=2))
    for _ in range(200):
        assert frames.come(1, 3.0) is None
        assert frames.come(2, 0.2) is None


@pytest.mark.parametrize(("mode", "cores", "is_on"), [("auto", 1, False), ("off", 4, False), ("on", 1, True)])
def test_one_core_or_the_settings_decide_for_good(mode, cores, is_on):
    frames = Frames(Overlap(mode, cores))
    for share in (0.9, 0.1):
        assert frames.come(1000, share) is None
        assert frames.overlap.is_on == is_on


def test_only_cores_that_may_be_used_count():
    assert usable_cores() >= 1


# What goes from half to half.


def noise(seed: int) -> Frame:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
    return Frame(Planes.of(pixels), seed * 33_000_000, seed)


@cache
def clip(count: int = 8) -> tuple[Frame, ...]:
    return tuple(noise(seed) for seed in range(1, count + 1))


@cache
def people(count: int = 8) -> tuple[NDArray[np.uint8], ...]:
    """Somebody who walks, and somebody who stands."""
    masks = []
    for step in range(count):
        mask = np.zeros(MODEL[::-1], np.uint8)
        mask[12:, 2 + 3 * step : 14 + 3 * step] = 255
        mask[20:, 40:46] = 180
        masks.append(mask)
    return tuple(masks)


class OneBuffer(ScriptedSegmenter):
    """Writes every mask into the same memory, as a model does."""

    def segment(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        mask = super().segment(rgb)
        self._buffer = getattr(self, "_buffer", np.zeros_like(mask))
        np.copyto(self._buffer, mask)
        return self._buffer


def make(look: Look = TEAL_LOOK, *, buffers: int = 12, script: object = None) -> Pipeline:
    segmenter = OneBuffer(list(script or people()), MODEL)  # type: ignore[call-overload]
    return Pipeline(SIZE, segmenter, look, FramePool(SIZE, buffers))


def found_in(pipeline: Pipeline, frame: Frame) -> Found:
    found = pipeline.find(frame)
    assert found is not None
    return found


LOOKS = {
    "color": TEAL_LOOK,
    "blur": Look(1, BlurBackground(SIZE, 6)),
    "second look": Look(1, BlurBackground(SIZE, 2), looks=2),
    "largest, near": Look(1, PictureBackground(TEAL), wishes=Wishes("largest", 2.0)),
    "nobody": Look(1, PictureBackground(TEAL), wishes=Wishes(nobody="placeholder", placeholder_after_s=0)),
    "reused": Look(1, PictureBackground(TEAL), reuse_masks=True),
    "off": Look(1, None),
    "raw": Look(1, None, is_raw=True),
}


def sequentially(look: Look, level: Level) -> list[NDArray[np.uint8]]:
    pipeline = make(replace(look))
    pipeline.degrade(level)
    shown = [pipeline.process(frame) for frame in clip()]
    return [safe.i420 for safe in shown if safe is not None]


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("level", [Level(0), Level(2, refine=False, every=3)], ids=["full", "lower"])
def test_overlapped_frames_give_the_same_bytes(name: str, level: Level):
    wanted = sequentially(LOOKS[name], level)
    pipeline, shown, waiting = make(LOOKS[name]), [], None
    pipeline.degrade(level)
    for frame in clip():
        found = found_in(pipeline, frame)
        if waiting is not None:
            shown.append(pipeline.compose(waiting))
        waiting = found
    assert waiting is not None
    shown.append(pipeline.compose(waiting))
    assert all(safe is not None for safe in shown)
    assert all(np.array_equal(safe.i420, one) for safe, one in zip(shown, wanted, strict=True) if safe)


class Turns:
    """Lets two threads run one after the other, changing where they say that they may, in a given order."""

    def __init__(self, order: str) -> None:
        self._order = iter(order)
        self._condition = threading.Condition()
        self._turn = next(self._order)

    def begin(self, me: str) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: self._turn in (me, ""), 60)

    def may_change(self, me: str) -> None:
        """The turn goes to whoever the order names next; to anybody once it has ended."""
        with self._condition:
            self._turn = next(self._order, "")
            self._condition.notify_all()
        self.begin(me)


@dataclass
class Stepping:
    """Both halves of three frames, each in three pieces, in the order that the turns say."""

    turns: Turns
    found: list[Found] = field(default_factory=list)
    shown: list[NDArray[np.uint8]] = field(default_factory=list)

    def play(self) -> None:
        look = Look(1, _SteppingBackground(lambda: self.turns.may_change("c")))
        segmenter = _SteppingSegmenter(list(people()), lambda: self.turns.may_change("f"))
        self.pipeline = Pipeline(SIZE, segmenter, look, FramePool(SIZE, 4))
        second = threading.Thread(target=self._compose)
        second.start()
        self.turns.begin("f")
        for frame in clip()[:FRAMES]:
            self.found.append(found_in(self.pipeline, frame))
            self.turns.may_change("f")
        second.join(60)
        assert not second.is_alive()

    def _compose(self) -> None:
        self.turns.begin("c")
        for number in range(FRAMES):
            safe = self.pipeline.compose(self.found[number])
            assert safe is not None
            assert safe.sequence == number + 1
            self.shown.append(safe.i420)
            self.turns.may_change("c")


class _SteppingSegmenter(OneBuffer):
    def __init__(self, script: list[NDArray[np.uint8]], may_change: Callable[[], None]) -> None:
        super().__init__(script, MODEL)
        self._may_change = may_change

    def segment(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._may_change()
        mask = super().segment(rgb)
        self._may_change()
        return mask


class _SteppingBackground(BlurBackground):
    def __init__(self, may_change: Callable[[], None]) -> None:
        super().__init__(SIZE, 6)
        self._may_change = may_change

    def planes(self, pyramid: Pyramid, matte: Matte) -> CoarsePlanes:
        self._may_change()
        planes = super().planes(pyramid, matte)
        self._may_change()
        return planes


FRAMES, PIECES = 3, 3


def orders(found: int = 0, composed: int = 0) -> Iterator[str]:
    """Every order in which the pieces of both halves may come."""
    if composed == FRAMES * PIECES:
        yield ""
        return
    begun, done = -(-found // PIECES), composed // PIECES
    is_room = found < FRAMES * PIECES and (found % PIECES or begun - done < 2)
    if is_room:
        yield from ("f" + rest for rest in orders(found + 1, composed))
    if done < found // PIECES:
        yield from ("c" + rest for rest in orders(found, composed + 1))


def test_in_every_order_that_the_pieces_of_three_frames_may_come_the_bytes_are_the_same():
    wanted = sequentially(Look(1, BlurBackground(SIZE, 6)), Level(0))[:FRAMES]
    every = list(orders())
    assert len(every) > 100
    assert "f" * 6 + "c" * 3 + "f" * 3 + "c" * 6 in every
    for order in every:
        stepping = Stepping(Turns(order))
        stepping.play()
        for shown, one in zip(stepping.shown, wanted, strict=True):
            assert np.array_equal(shown, one), order


def test_no_more_than_two_frames_are_between_the_halves():
    pipeline = make()
    first, second = (found_in(pipeline, frame) for frame in clip()[:2])
    with pytest.raises(LookupError):
        pipeline.find(clip()[2])
    pipeline.compose(first)
    assert found_in(pipeline, clip()[2]) is first
    with pytest.raises(LookupError, match="done with"):
        pipeline.compose(Found(SIZE))
    assert pipeline.compose(second) is not None


def test_the_second_place_is_made_when_it_is_first_needed():
    pipeline = make()
    for frame in clip()[:4]:
        pipeline.process(frame)
    assert len(pipeline._between) == 1
    found_in(pipeline, clip()[4])
    found_in(pipeline, clip()[5])
    assert len(pipeline._between) == 2


@pytest.mark.parametrize("fault", [SegmentError("planted"), ValueError("planted")])
def test_a_frame_is_let_go_whatever_becomes_of_it(fault: Exception):
    pool = FramePool(SIZE, 3)

    def frame() -> Frame:
        i420 = pool.lease()
        assert i420 is not None
        i420[:] = 99
        return Frame(Planes.of(i420), 1, 1)

    pipeline = make(script=[people()[0], fault, people()[1]], buffers=1)
    held = pipeline.process(frame())
    assert pool.free == 3
    assert pipeline.ended == pipeline.begun == 1
    with pytest.raises(type(fault)):
        pipeline.find(frame())
    fault.__traceback__ = None  # it holds the frame
    assert pipeline.ended == pipeline.begun == 2
    found = found_in(pipeline, frame())
    assert (pipeline.begun, pipeline.ended, pool.free) == (3, 2, 2)
    assert pipeline.compose(found) is None, "the only output buffer is held"
    assert (pipeline.ended, pool.free) == (3, 3)
    assert held is not None


def test_a_frame_that_fails_later_does_not_end_the_one_before_it():
    pipeline = make(script=[people()[0], SegmentError("planted"), people()[1]])
    found = found_in(pipeline, clip()[0])
    with pytest.raises(SegmentError):
        pipeline.find(clip()[1])
    assert (pipeline.begun, pipeline.ended) == (2, 0)
    pipeline.compose(found)
    assert pipeline.ended == 2


@pytest.mark.parametrize(
    "after", [Look(2, None), Look(2, None, is_raw=True), replace(LOOKS["blur"], revision=2)]
)
def test_a_frame_stays_under_the_look_and_level_it_began_with(after: Look):
    pipeline = make()
    wanted = sequentially(TEAL_LOOK, Level(0))[0]
    found = found_in(pipeline, clip()[0])
    pipeline.swap(after)
    pipeline.degrade(Level(2, refine=False, blur_coarser=1))
    safe = pipeline.compose(found)
    assert safe is not None
    assert safe.revision == 1
    assert np.array_equal(safe.i420, wanted)


def test_what_is_to_be_forgotten_is_forgotten_between_the_right_frames():
    """The frame before is composited later than the next one is found, and yet with what came before it."""
    alone, pipeline = make(script=people()[2:]), make()
    before = sequentially(TEAL_LOOK, Level(0))[1]
    pipeline.process(clip()[0])
    second = found_in(pipeline, clip()[1])
    pipeline.forget()
    third = found_in(pipeline, clip()[2])
    shown = [pipeline.compose(found) for found in (second, third)]
    fresh = alone.process(clip()[2])
    assert shown[0] is not None
    assert shown[1] is not None
    assert fresh is not None
    assert np.array_equal(shown[0].i420, before)
    assert np.array_equal(shown[1].i420, fresh.i420)


def test_forgetting_survives_a_frame_that_has_no_second_half():
    pipeline = make(script=[people()[0], SegmentError("planted"), people()[2]])
    pipeline.process(clip()[0])
    pipeline.forget()
    with pytest.raises(SegmentError):
        pipeline.find(clip()[1])
    after, alone = pipeline.process(clip()[2]), make(script=people()[2:]).process(clip()[2])
    assert after is not None
    assert alone is not None
    assert np.array_equal(after.i420, alone.i420)


def test_a_mask_is_not_reused_that_made_no_matte(monkeypatch: pytest.MonkeyPatch):
    pipeline = make(LOOKS["reused"])
    pipeline.degrade(Level(4, every=3))
    pipeline.process(clip()[0])
    for frame in clip()[1:3]:
        assert pipeline.process(frame) is not None
    broken = [found_in(pipeline, frame) for frame in clip()[3:5]]
    broken[0].mask = np.zeros((5, 5), np.uint8)
    monkeypatch.setattr(pipeline, "_maker", lambda *_: pipeline._matte_maker)
    for found in broken:
        with pytest.raises(SegmentError):
            pipeline.compose(found)


def test_without_a_model_everything_is_background_all_the_same():
    pipeline = Pipeline(SIZE, None, TEAL_LOOK, FramePool(SIZE, 3))
    found = [found_in(pipeline, frame) for frame in clip()[:2]]
    for one in found:
        safe = pipeline.compose(one)
        assert safe is not None
        assert np.array_equal(safe.i420, TEAL)


def test_a_free_place_keeps_no_look_and_no_mask():
    pipeline = Pipeline(SIZE, ConstantSegmenter(0, MODEL), TEAL_LOOK, FramePool(SIZE, 3))
    found = found_in(pipeline, clip()[0])
    pipeline.compose(found)
    assert found.mask is None
    for name in ("look", "frame"):
        with pytest.raises(LookupError):
            getattr(found, name)

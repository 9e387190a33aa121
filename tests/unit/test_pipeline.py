"""The path of one frame, with a segmenter that does as it is told."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.composite.replace import PictureBackground, color_picture
from scrim.core.finder import Looks
from scrim.core.keep import KeepRegions, Rectangle
from scrim.core.ladder import Level, ladder
from scrim.core.pipeline import Look, Pipeline
from scrim.core.segment.base import Segmenter
from scrim.core.segment.constant import ConstantSegmenter, ScriptedSegmenter
from scrim.core.subject import Wishes
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Planes, SafeFrame

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


# Who is shown, from where, and how well.


def people(*lefts: int) -> NDArray[np.uint8]:
    mask = np.zeros(MODEL[::-1], np.uint8)
    for number, left in enumerate(lefts):
        mask[8 + 4 * number :, left : left + 10 - number] = 255
    return mask


def at(seconds: float, seed: int = 1) -> Frame:
    frame = noise(seed=seed)
    return Frame(frame.planes, 10**12 + round(seconds * 1e9), seed)


def is_teal(safe: SafeFrame | None, columns: slice) -> bool:
    assert safe is not None
    return bool((safe.planes.y[:, columns] == Planes.of(TEAL).y[0, 0]).all())


def wishing(**wishes: Any) -> Look:
    return teal_look(refine=False, smooth=False, wishes=Wishes(**wishes))


def test_largest_hides_the_second_person():
    both = [people(4, 34)]
    everybody = make(ScriptedSegmenter(both, MODEL), wishing()).process(at(0))
    one = make(ScriptedSegmenter(both, MODEL), wishing(persons="largest")).process(at(0))
    assert not is_teal(everybody, slice(130, 180))
    assert is_teal(one, slice(100, 192))
    assert not is_teal(one, slice(10, 60))


def test_another_wish_counts_from_the_next_frame_on():
    pipeline = make(ScriptedSegmenter([people(4, 34)], MODEL), wishing())
    pipeline.process(at(0))
    pipeline.swap(wishing(persons="largest"))
    assert is_teal(pipeline.process(at(0.1)), slice(100, 192))


def test_kept_parts_of_the_room_are_shown_though_nobody_is_there():
    keep = KeepRegions([Rectangle(0.5, 0.5, 0.25, 0.25)])
    frame = at(0)
    pipeline = Pipeline(SIZE, ConstantSegmenter(0, MODEL), wishing(), FramePool(SIZE, 2), keep=keep)
    safe = pipeline.process(frame)
    assert safe is not None
    assert np.array_equal(safe.planes.y[72:88, 104:136], frame.planes.y[72:88, 104:136])
    assert is_teal(safe, slice(0, 84))
    assert is_teal(safe, slice(156, 192))


def test_without_a_mask_nothing_is_kept():
    keep = KeepRegions([Rectangle(0, 0, 1, 1)])
    safe = Pipeline(SIZE, None, wishing(), FramePool(SIZE, 2), keep=keep).process(at(0))
    assert safe is not None
    assert np.array_equal(safe.i420, TEAL)


@pytest.mark.parametrize("after_s", [3, 10])
def test_nobody_there_is_the_placeholder_after_the_time_and_gone_with_the_first_person(after_s: float):
    wanted = PlaceholderPainter(SIZE).paint(Reason.NOBODY, 1)
    steps = 20 * (after_s + 2)
    script = [people(20), *[people()] * steps, people(20)]
    pipeline = make(
        ScriptedSegmenter(script, MODEL), wishing(nobody="placeholder", placeholder_after_s=after_s)
    )
    origins = []
    for number in range(steps + 1):
        safe = pipeline.process(at(number / 20))
        assert safe is not None
        origins.append(safe.origin)
    since = 20 * after_s + 1
    assert origins == ["effect"] * since + ["placeholder"] * (steps + 1 - since)
    assert np.array_equal(safe.i420, wanted.i420)
    assert safe.revision == 1
    assert pipeline.why_hidden is Reason.NOBODY
    back = pipeline.process(at(after_s + 3))
    assert back is not None
    assert back.origin == "effect"
    assert pipeline.why_hidden is None


def test_with_blur_for_nobody_the_effect_goes_on():
    pipeline = make(ConstantSegmenter(0, MODEL), wishing(placeholder_after_s=0))
    for second in range(0, 60, 5):
        assert is_teal(pipeline.process(at(second)), slice(None))


def test_framing_brings_the_person_nearer():
    pipeline = make(ScriptedSegmenter([people(30)], MODEL), wishing(max_zoom=1.5))
    whole = pipeline.process(at(0))
    assert whole is not None
    assert np.array_equal(whole.planes.y[60:120, 126:154], noise().planes.y[60:120, 126:154])
    for number in range(1, 100):
        safe = pipeline.process(at(number / 30))
    assert safe is not None
    assert not np.array_equal(safe.planes.y[60:120, 126:154], noise().planes.y[60:120, 126:154])
    assert pipeline.subject._framing.view.zoom == pytest.approx(1.5, abs=0.01)


def test_framing_off_leaves_frames_untouched():
    pipeline = make(ScriptedSegmenter([people(30)], MODEL), wishing())
    for number in range(60):
        frame = at(number / 30)
        found = pipeline.find(frame)
        assert found is not None
        assert found.frame is frame
        pipeline.compose(found)


@pytest.mark.parametrize("look", [Look(2, None), Look(2, None, is_raw=True)], ids=["off", "raw"])
def test_off_and_raw_forget_what_was(look: Look):
    masks = [people(4, 30), people(30), people(30, 4)]
    wishes = Wishes(persons="largest", max_zoom=2)
    in_effect = teal_look(wishes=wishes)
    pipeline = make(ScriptedSegmenter([*masks[:2] * 30, *masks[2:]], MODEL), in_effect, buffers=3)
    for number in range(60):
        pipeline.process(at(number / 30))
    pipeline.swap(look)
    pipeline.process(at(2))
    pipeline.swap(in_effect)
    after = pipeline.process(at(2.1))
    alone = make(ScriptedSegmenter(masks[2:], MODEL), in_effect).process(at(2.1))
    assert after is not None
    assert alone is not None
    assert np.array_equal(after.i420, alone.i420)


def moved_twice(second_s: float, *, first: NDArray[np.uint8] | Exception | None = None) -> SafeFrame | None:
    """The picture with a faint person so long after one without, or of that frame alone."""
    faint = (people(10) * 0.55).astype(np.uint8)
    script = [faint] if first is None else [first, faint]
    pipeline = make(ScriptedSegmenter(script, MODEL), teal_look(refine=False, smooth=True))
    if first is not None:
        with suppress(SegmentError):
            pipeline.process(at(0))
    return pipeline.process(at(second_s, seed=2))


def test_after_a_gap_the_matte_starts_anew():
    alone, soon, late = moved_twice(9), moved_twice(0.9, first=people(10)), moved_twice(1.1, first=people(10))
    assert alone is not None
    assert soon is not None
    assert late is not None
    assert not np.array_equal(soon.i420, alone.i420)
    assert np.array_equal(late.i420, alone.i420)


def test_frames_without_a_mask_are_a_gap_too():
    faint = (people(10) * 0.55).astype(np.uint8)
    fault = SegmentError("planted")
    pipeline = make(
        ScriptedSegmenter([people(10), fault, fault, fault, faint], MODEL), teal_look(refine=False)
    )
    pipeline.process(at(0))
    for number in range(1, 4):
        with pytest.raises(SegmentError):
            pipeline.process(at(number * 0.4))
    after, alone = pipeline.process(at(1.6, seed=2)), moved_twice(9)
    assert after is not None
    assert alone is not None
    assert np.array_equal(after.i420, alone.i420)


def test_without_refinement_the_level_gives_the_plain_matte():
    masks = [people(10)]
    fine, plain, lowered = (make(ScriptedSegmenter(masks, MODEL), teal_look(refine=r)) for r in (1, 0, 1))
    lowered.degrade(Level(1, refine=False))
    shown = [pipeline.process(at(0)) for pipeline in (fine, plain, lowered)]
    assert shown[1] is not None
    assert shown[2] is not None
    assert np.array_equal(shown[2].i420, shown[1].i420)
    assert shown[0] is not None
    assert not np.array_equal(shown[0].i420, shown[1].i420)


def test_the_level_chooses_the_model():
    small_size = (24, 16)
    small = ScriptedSegmenter([np.full(small_size[::-1], 255, np.uint8)], small_size)
    pipeline = Pipeline(SIZE, ConstantSegmenter(0, MODEL), teal_look(), FramePool(SIZE, 2), small=small)
    frame = at(0)
    assert is_teal(pipeline.process(frame), slice(None))
    pipeline.degrade(Level(3, small_model=True))
    safe = pipeline.process(frame)
    assert safe is not None
    assert np.array_equal(safe.planes.y, frame.planes.y)
    pipeline.degrade(Level(0))
    del safe
    assert is_teal(pipeline.process(frame), slice(None))


def test_without_a_small_model_the_other_does_its_work():
    pipeline = make(ConstantSegmenter(255, MODEL))
    pipeline.degrade(Level(3, small_model=True))
    assert not is_teal(pipeline.process(at(0)), slice(None))


def test_the_level_chooses_the_coarser_background():
    red = PictureBackground(color_picture("#ff0000", SIZE))
    pipeline = make(ConstantSegmenter(0, MODEL), teal_look(coarse_background=red))
    assert is_teal(pipeline.process(at(0)), slice(None))
    pipeline.degrade(Level(2, blur_coarser=1))
    assert not is_teal(pipeline.process(at(0)), slice(None))
    pipeline.swap(teal_look())
    assert is_teal(pipeline.process(at(0)), slice(None))


def test_a_level_chosen_during_a_frame_waits_for_the_next():
    red = PictureBackground(color_picture("#ff0000", SIZE))
    pipeline: Pipeline

    class Degrading(ConstantSegmenter):
        def segment(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
            pipeline.degrade(Level(2, blur_coarser=1))
            return super().segment(rgb)

    pipeline = make(Degrading(0, MODEL), teal_look(coarse_background=red))
    assert is_teal(pipeline.process(at(0)), slice(None))
    assert not is_teal(pipeline.process(at(0)), slice(None))


@pytest.mark.parametrize(("looks", "level", "count"), [(1, 0, 1), (2, 0, 2), (6, 0, 6), (2, 1, 1), (6, 1, 1)])
def test_more_looks_are_taken_when_asked_for_and_at_full_quality(looks: Looks, level: int, count: int):
    asked = []

    class Counting(ConstantSegmenter):
        def segment(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
            asked.append(1)
            return super().segment(rgb)

    pipeline = make(Counting(255, MODEL), teal_look(looks=looks))
    pipeline.degrade(ladder(refine=True, has_small_model=False)[level])
    pipeline.process(at(0))
    assert len(asked) == count


def test_a_mask_is_reused_for_the_frames_in_between_and_never_across_a_change():
    look = teal_look(reuse_masks=True, smooth=False, refine=False)
    pipeline = make(ScriptedSegmenter([people(4), people(34)], MODEL), look)
    pipeline.degrade(Level(4, refine=False, every=3))
    assert pipeline.skips == 1
    shown = [is_teal(pipeline.process(at(number / 30)), slice(100, 192)) for number in range(5)]
    assert shown == [True, True, True, False, False]
    pipeline = make(ScriptedSegmenter([people(4), people(34)], MODEL), look)
    pipeline.degrade(Level(4, refine=False, every=3))
    pipeline.process(at(0))
    pipeline.swap(replace(look, revision=2))
    assert not is_teal(pipeline.process(at(0.1)), slice(100, 192))


def test_after_a_fault_no_mask_is_reused():
    script = [people(4), people(4), SegmentError("planted"), people(34)]
    pipeline = make(ScriptedSegmenter(script, MODEL), teal_look(reuse_masks=True, smooth=False, refine=False))
    pipeline.degrade(Level(4, refine=False, every=2))
    for number in range(4):
        pipeline.process(at(number / 30))
    with pytest.raises(SegmentError):
        pipeline.process(at(4 / 30))
    assert not is_teal(pipeline.process(at(5 / 30)), slice(100, 192))

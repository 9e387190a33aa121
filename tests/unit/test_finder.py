"""From a frame to a mask that is one, at the first look and at the second."""

from typing import get_args

import numpy as np
import pytest

from scrim.core.finder import Checked, Looks, MaskFinder
from scrim.core.pyramid import Pyramid
from scrim.core.segment.constant import ScriptedSegmenter
from scrim.core.stats import StageClock
from scrim.errors import SegmentError
from scrim.frame import Frame, Mask, Plane, Planes

SIZE = (192, 128)
MODEL = (48, 32)


def pyramid() -> Pyramid:
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
    loaded = Pyramid(SIZE)
    loaded.load(Frame(Planes.of(pixels), 0, 0))
    return loaded


def person() -> Mask:
    mask = np.zeros(MODEL[::-1], np.uint8)
    mask[8:, 16:32] = 255
    return mask


def finder(*script: Mask | Exception) -> MaskFinder:
    return MaskFinder(SIZE, ScriptedSegmenter(script, MODEL), StageClock())


class Counting(ScriptedSegmenter):
    calls = 0

    def segment(self, rgb: Plane) -> Mask:
        self.calls += 1
        return super().segment(rgb)


def test_the_model_s_own_mask_comes_back() -> None:
    mask = person()
    assert finder(mask).find(pyramid()) is mask


def test_each_look_is_one_inference() -> None:
    model = Counting([person()], MODEL)
    looking = MaskFinder(SIZE, model, StageClock())
    calls = []
    for looks in get_args(Looks):
        looking.find(pyramid(), looks)
        calls.append(model.calls)
    assert calls == [1, 1 + 2, 1 + 2 + 6]


@pytest.mark.parametrize(("looks", "calls"), [(2, 1), (6, 2)])
def test_nobody_is_not_looked_at_closely(looks: Looks, calls: int) -> None:
    model = Counting([np.zeros(MODEL[::-1], np.uint8)], MODEL)
    assert not MaskFinder(SIZE, model, StageClock()).find(pyramid(), looks).any()
    assert model.calls == calls


@pytest.mark.parametrize("looks", [2, 6])
def test_more_looks_change_the_mask_and_not_its_size(looks: Looks) -> None:
    masks = [person(), *[np.zeros_like(person())] * (looks // 2)]
    mask = finder(*masks, *[person()] * 6).find(pyramid(), looks)
    assert mask.shape == person().shape
    assert 100 < mask.max() < 200


WRONG = {
    "an error": SegmentError("planted"),
    "a size": np.full((16, 24), 255, np.uint8),
    "floats": np.ones(MODEL[::-1], np.float32),
    "not a number": np.full(MODEL[::-1], np.nan),
    "a channel": np.ones((*MODEL[::-1], 1), np.uint8),
    "nothing": np.ones((0, 48), np.uint8),
    "a list": [[255]],
}


@pytest.mark.parametrize(("looks", "before"), [(2, 0), (2, 1), *((6, before) for before in range(6))])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_mask_is_an_error_at_every_look(
    wrong: Mask | Exception, looks: Looks, before: int
) -> None:
    looking = finder(*[person()] * (looks + before), wrong, person())
    looking.find(pyramid(), looks)
    with pytest.raises(SegmentError):
        looking.find(pyramid(), looks)
    assert looking.find(pyramid(), looks).any()


def test_a_first_mask_without_the_input_s_proportions_is_refused() -> None:
    checked = Checked(ScriptedSegmenter([np.zeros((32, 32), np.uint8), np.zeros((16, 24), np.uint8)], MODEL))
    rgb = np.zeros((*MODEL[::-1], 3), np.uint8)
    with pytest.raises(SegmentError, match="32x32 for an input of 48x32"):
        checked.segment(rgb)
    assert checked.segment(rgb).shape == (16, 24)


def test_closing_closes_the_model() -> None:
    checked = Checked(ScriptedSegmenter([person()], MODEL))
    checked.close()
    with pytest.raises(SegmentError, match="closed"):
        checked.segment(np.zeros((*MODEL[::-1], 3), np.uint8))


@pytest.mark.parametrize("looks", get_args(Looks))
def test_all_looks_count_as_segmentation(looks: Looks) -> None:
    clock = StageClock()
    MaskFinder(SIZE, ScriptedSegmenter([person()], MODEL), clock).find(pyramid(), looks)
    assert clock.count == {"input": 1, "segment": 1}

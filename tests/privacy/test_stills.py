"""P4 for stills: the many looks and the fine matte that only they get show no more of the room."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrim.config import Settings
from scrim.core.finder import MaskFinder
from scrim.core.framing.view import FULL
from scrim.core.ladder import Level
from scrim.core.look import prepare_look
from scrim.core.pipeline import Look, Pipeline
from scrim.core.pyramid import Pyramid
from scrim.core.segment.constant import ScriptedSegmenter
from scrim.core.stats import StageClock
from scrim.frame import Frame, FramePool, Mask, Matte, Plane, Planes

from .scene import MASK_SIZE, SIZE, Room, Sight, mask_of, other_room, picture_of, shown_room

LARGE_MASK = (2 * MASK_SIZE[0], 2 * MASK_SIZE[1])
"""With these the matte of a still is finer than that of a frame."""


def look_of(*, refine: bool) -> tuple[Settings, Look]:
    """What ``scrim process`` makes of these settings for a still."""
    wanted = Settings().patched({"effect": "color", "color": "teal", "matte": {"refine": refine}})
    return wanted, replace(prepare_look(wanted, SIZE, 1), looks=6)


def shown(look: Look, masks: Iterable[Mask], size: tuple[int, int], picture: Plane) -> tuple[Plane, Matte]:
    pipeline = Pipeline(SIZE, ScriptedSegmenter(list(masks), size), look, FramePool(SIZE, 2))
    safe = pipeline.process(Frame(Planes.of(picture), 0, 0))
    assert safe is not None
    return safe.i420.copy(), pipeline.last_matte


def found(masks: Iterable[Mask], size: tuple[int, int], picture: Plane) -> Mask:
    """The mask that all looks make together."""
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(Planes.of(picture), 0, 0))
    return MaskFinder(SIZE, ScriptedSegmenter(list(masks), size), StageClock()).find(pyramid, 6).copy()


@pytest.mark.parametrize("refine", [False, True])
@given(salt=st.integers(0, 9), number=st.integers(0, 50), size=st.sampled_from([MASK_SIZE, LARGE_MASK]))
@settings(max_examples=60)
def test_p4_of_a_still_only_what_is_shown_can_be_seen(
    refine: bool, salt: int, number: int, size: tuple[int, int]
) -> None:
    """Without refinement whatever has alpha 0 is room; with it, what is out of the mask's reach."""
    wanted, look = look_of(refine=refine)
    masks = [mask_of(salt, number + step, size) for step in range(6)]
    picture = picture_of(salt, number)
    mine, matte = shown(look, masks, size, picture)
    sight = Sight(found(masks, size, picture), FULL, Level(0), wanted, 6)
    room = shown_room(sight) if refine else Room(matte.y == 0, matte.uv == 0)

    yours, _ = shown(look, masks, size, other_room(picture, room))

    assert np.array_equal(mine, yours)
    assert not matte.y[shown_room(sight).y].any()


def test_the_rooms_are_not_empty_and_the_person_is_shown() -> None:
    """Without this the test above would prove nothing."""
    wanted, look = look_of(refine=True)
    masks = [mask_of(2, step, LARGE_MASK) for step in range(6)]
    picture = picture_of(2, 0)
    sight = Sight(found(masks, LARGE_MASK, picture), FULL, Level(0), wanted, 6)
    mine, matte = shown(look, masks, LARGE_MASK, picture)

    yours, _ = shown(look, masks, LARGE_MASK, ~picture)

    assert 0.1 < shown_room(sight).y.mean() < 0.95
    assert matte.coverage > 0.01
    assert not np.array_equal(mine, yours)

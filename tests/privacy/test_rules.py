"""P3, P5 and P6, each in its plainest form; test_two_runs holds them under any schedule."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrim.config import Settings
from scrim.core.composite.placeholder import PlaceholderPainter
from scrim.core.control import Control
from scrim.core.framing.view import FULL
from scrim.core.ladder import Level
from scrim.core.look import prepare_look
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.segment.base import Segmenter
from scrim.core.segment.constant import ConstantSegmenter, ScriptedSegmenter
from scrim.core.subject import Wishes
from scrim.errors import ConfigError, SegmentError
from scrim.frame import Frame, FramePool, Mask, Plane, Planes, SafeFrame

from .scene import MASK_SIZE, SIZE, Sight, camera_rooms, mask_of, other_room, picture_of

pytestmark = pytest.mark.usefixtures("no_waiting")

OFF = {"effect": "off"}
PERSON = ConstantSegmenter(255, MASK_SIZE)
NOBODY = ConstantSegmenter(0, MASK_SIZE)


@dataclass
class Core:
    """Pipeline, outlet and control as the service joins them."""

    pipeline: Pipeline
    outlet: Outlet
    control: Control

    @classmethod
    def with_(cls, segmenter: Segmenter | None, patch: dict[str, Any], *, allow_raw: bool = False) -> "Core":
        wanted = Settings().patched({"privacy": {"allow_raw": allow_raw}}).patched(patch)
        outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30)
        pipeline = Pipeline(SIZE, segmenter, prepare_look(wanted, SIZE, 1), FramePool(SIZE, 4))
        return cls(pipeline, outlet, Control(wanted, pipeline, outlet))

    def show(self, sequence: int = 0) -> SafeFrame:
        """What goes out for one frame."""
        safe = self.pipeline.process(camera(sequence))
        assert safe is not None
        self.outlet.put(safe)
        taken = self.outlet.take()
        assert taken is not None
        return taken


def camera(sequence: int) -> Frame:
    return Frame(Planes.of(picture_of(0, sequence)), 0, sequence)


def test_p3_without_a_segmenter_all_is_replaced() -> None:
    safe = Core.with_(None, {"effect": "color", "color": "#000"}).show()
    assert safe.origin == "effect"
    assert [np.unique(plane).tolist() for plane in safe.planes] == [[16], [128], [128]]


def test_p3_without_a_segmenter_all_is_blurred() -> None:
    patch = {"effect": "blur", "strength": "high"}
    safe, nobody = (Core.with_(segmenter, patch).show() for segmenter in (None, NOBODY))
    assert safe.origin == "effect"
    assert np.array_equal(safe.i420, nobody.i420)
    for seen, raw in zip(safe.planes, camera(0).planes, strict=True):
        assert seen.std() < raw.std() / 2
        assert np.abs(seen.astype(int) - raw).mean(axis=1).min() > 20


def test_p3_an_empty_mask_is_all_room() -> None:
    core = Core.with_(NOBODY, {"effect": "color", "color": "#fff"})
    assert np.unique(core.show().planes.y).size == 1


@pytest.mark.parametrize(
    "broken",
    [
        np.full((48, 63), 255, np.uint8),
        np.full((1, 1), 255, np.uint8),
        np.full((48, 64, 1), 255, np.uint8),
        np.zeros((0, 64), np.uint8),
        np.full((48, 64), np.nan, np.float32),
        np.ones((48, 64), np.float32),
        np.full((48, 64), 255, np.int16),
        np.ones((48, 64), np.bool_),
        SegmentError("the model failed"),
    ],
    ids=lambda mask: str(getattr(mask, "shape", "error")),
)
def test_p2_what_is_no_mask_gives_no_picture(broken: Mask | Exception) -> None:
    core = Core.with_(ScriptedSegmenter([broken], MASK_SIZE), {"effect": "color"})
    with pytest.raises(SegmentError):
        core.pipeline.process(camera(0))


def test_p2_a_mask_never_changes_its_size() -> None:
    script = [mask_of(0, 1), np.full((24, 32), 255, np.uint8), mask_of(0, 2)]
    core = Core.with_(ScriptedSegmenter(script, MASK_SIZE), {"effect": "color"})
    core.show(1)
    with pytest.raises(SegmentError, match="32x24 for an input of 64x48"):
        core.pipeline.process(camera(2))
    assert core.show(3).origin == "effect"


@pytest.mark.parametrize("patch", [{"effect": "blur"}, {"effect": "color"}, OFF])
def test_p5_the_placeholder_comes_first(patch: dict[str, Any]) -> None:
    taken = Core.with_(PERSON, patch, allow_raw=True).outlet.take()
    assert taken is not None
    assert taken.origin == "placeholder"


def test_p6_off_shows_the_placeholder_and_says_why() -> None:
    core = Core.with_(PERSON, {"effect": "blur"})
    assert core.show(0).origin == "effect"
    with pytest.raises(ConfigError, match="raw picture is not allowed") as caught:
        core.control.change(OFF)
    assert caught.value.problems[0].key == "effect"
    assert core.show(1).origin == "placeholder"
    with pytest.raises(ConfigError, match="raw picture is not allowed"):
        core.control.change(OFF)


def test_p6_with_leave_the_picture_passes_unchanged() -> None:
    core = Core.with_(PERSON, {"effect": "blur"}, allow_raw=True)
    core.control.change(OFF)
    safe = core.show(3)
    assert safe.origin == "raw"
    assert np.array_equal(safe.i420, picture_of(0, 3))
    assert not np.shares_memory(safe.i420, picture_of(0, 3))


def test_p6_back_from_raw_nothing_raw_is_left() -> None:
    core = Core.with_(PERSON, OFF, allow_raw=True)
    assert core.show(0).origin == "raw"
    late = core.pipeline.process(camera(1))
    assert late is not None
    core.control.change({"effect": "color"})
    core.outlet.put(late)
    taken = core.outlet.take()
    assert taken is None or taken.origin == "placeholder"
    assert core.show(2).origin == "effect"


words = st.sampled_from(
    (
        "privacy",
        "Privacy",
        "PRIVACY",
        "allow_raw",
        "allowRaw",
        "AllowRaw",
        "backgroundBlur",
        "matte",
        "effect",
    )
)
values = st.recursive(
    st.sampled_from([True, 1, "true", None, "off"]),
    lambda inner: st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, derandomize=True, database=None)
@given(patch=st.dictionaries(words, values, max_size=3))
def test_p6_no_patch_gives_leave(patch: dict[str, Any]) -> None:
    core = Core.with_(None, {"effect": "color"})
    with suppress(ConfigError):
        core.control.change(patch)
    assert core.control.settings.privacy.allow_raw is False
    assert core.show().origin in ("effect", "placeholder")


class ByNumber:
    """Answers with the mask of the frame that ``now`` names."""

    input_size = MASK_SIZE

    def __init__(self, masks: list[Mask]) -> None:
        self._masks = masks
        self.now = 0

    def segment(self, rgb: Plane) -> Mask:
        return self._masks[self.now]

    def close(self) -> None:
        pass


ONE_OF_THREE = Level(4, refine=False, every=3)


def same_before_two_rooms(*, reuse_masks: bool, max_zoom: float = 1.0) -> list[bool]:
    """Whether each of nine pictures of a walking person is, when there is time for one mask in three.

    In each frame the rooms differ wherever the matte of the frame's own mask is 0.
    """
    local = {"budget": {"reuse_masks": reuse_masks}, "matte": {"smooth": False}, "effect": "color"}
    wanted = Settings().patched(local)
    look = replace(prepare_look(wanted, SIZE, 1), wishes=Wishes(max_zoom=max_zoom))
    masks = [np.roll(mask_of(2, 1), -5 * number, axis=1) for number in range(9)]
    shown: list[list[SafeFrame | None]] = []
    for is_other in (False, True):
        segmenter = ByNumber(masks)
        pipeline = Pipeline(SIZE, segmenter, look, FramePool(SIZE, 10))
        pipeline.degrade(ONE_OF_THREE)
        shown.append([])
        for number, mask in enumerate(masks):
            segmenter.now = number
            rooms = camera_rooms(Sight(mask, FULL, ONE_OF_THREE, wanted, 1)) if is_other else ()
            picture = other_room(picture_of(0, number), *rooms)
            shown[-1].append(pipeline.process(Frame(Planes.of(picture), number, number)))
    pairs = zip(*shown, strict=True)
    return [
        one is not None and other is not None and np.array_equal(one.i420, other.i420) for one, other in pairs
    ]


def test_p2_a_reused_mask_is_a_leak_for_the_frames_after_its_own_and_for_no_other() -> None:
    assert same_before_two_rooms(reuse_masks=True) == [True, False, False] * 3


def test_p2_without_leave_no_mask_is_reused() -> None:
    assert all(same_before_two_rooms(reuse_masks=False))


def test_p2_while_the_picture_follows_the_person_no_mask_is_reused() -> None:
    assert all(same_before_two_rooms(reuse_masks=True, max_zoom=2.0))

"""What happens in one sequence: frames, faults, silences and changes of settings, in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from hypothesis import strategies as st

from scrim.core.capture.orient import Rotation
from scrim.core.ladder import ladder

Patch = Mapping[str, Any]

Region = tuple[float, float, float, float]

LEVELS = tuple(level for level in ladder(refine=True, has_small_model=True) if level.every <= 6)
"""What the regulator chooses from, but for the slowest."""


class Fault(StrEnum):
    """What can go wrong with one frame."""

    RAISES = "the segmenter raises SegmentError"
    BLOWS_UP = "the segmenter raises what nobody expects"
    ODD_SHAPE = "the mask has an odd shape"
    HALF_SIZE = "the mask is right but for its size"
    ONE_PIXEL = "the mask is a single pixel"
    THREE_AXES = "the mask has a channel axis"
    EMPTY = "the mask has no pixels"
    FLOATS = "the mask is of floats"
    NAN = "the mask is of NaN"
    NOT_ARRAY = "the mask is a list"
    POOL_OUT = "every output buffer is in use"


@dataclass(frozen=True)
class Change:
    """A change of settings."""

    patch: Patch


@dataclass(frozen=True)
class Degrade:
    """Another level of quality, by its number on the ladder."""

    number: int


@dataclass(frozen=True)
class Hold:
    """Somebody beside the settings, such as a button, wants the camera closed, or does not any more."""

    is_private: bool


@dataclass(frozen=True)
class Blink:
    """The same, and back again at once."""


Deed = Change | Degrade | Hold | Blink


class Order(StrEnum):
    """Where frames overlap: when a frame's second half is done."""

    AT_ONCE = "right after its first half"
    BEFORE_NEXT = "before the next frame's first half, after what happens between them"
    INSIDE_NEXT = "while the model looks at the next frame"
    AROUND_NEXT = "the whole first half of the next frame falls between this one's matte and its picture"
    AFTER_NEXT = "after the next frame's first half"


@dataclass(frozen=True)
class Shoot:
    """A camera frame is processed and put into the outlet.

    Attributes:
        takes_ms: how long the pipeline is at it.
        fault: what goes wrong.
        is_late: whether it does at the second look only, if there is one.
        inside: what changes while the segmenter runs.
        before_put: what changes between its second half and ``put``.
        deliver: whether the outlet is asked at once.
        order: when its second half is done, where frames overlap.
    """

    takes_ms: int = 10
    fault: Fault | None = None
    is_late: bool = False
    inside: Deed | None = None
    before_put: Deed | None = None
    deliver: bool = True
    order: Order = Order.AT_ONCE


@dataclass(frozen=True)
class Wait:
    """No frame for so long, while the outlet is asked every ``step_ms``."""

    ms: int
    step_ms: int


@dataclass(frozen=True)
class Hide:
    """The camera is switched off, by the settings or by somebody else, and on again after so long."""

    ms: int
    by_settings: bool


@dataclass(frozen=True)
class Lose:
    """The camera is gone: every camera picture is to be forgotten."""


Event = Shoot | Wait | Hide | Deed | Lose


@dataclass(frozen=True)
class Schedule:
    """One sequence, the same for both runs.

    Attributes:
        events: in order.
        start: effect at start, as a patch of the local file's settings.
        more: how people are shown, as further patches of them.
        allow_raw: what the local file says.
        salt: which of many cameras and scripts of masks.
        has_model: whether there is a segmenter at all.
        smooth: calm the matte over time.
        refine: let the matte's edge follow the picture, at start.
        frame_rate: of the camera, per second.
        keep: parts of the room that are always shown, as the settings write them.
        mirror: swap left and right of what the camera sees.
        rotate: turn it by so many degrees first.
        overlaps: whether frames overlap; ``sometimes`` changes every third frame.
    """

    events: tuple[Event, ...]
    start: Patch
    more: tuple[Patch, ...] = ()
    allow_raw: bool = False
    salt: int = 0
    has_model: bool = True
    smooth: bool = False
    refine: bool = False
    frame_rate: float = 30.0
    keep: tuple[Region, ...] = ()
    mirror: bool = False
    rotate: Rotation = 0
    overlaps: Literal["never", "always", "sometimes"] = "never"

    def overlaps_at(self, sequence: int) -> bool:
        """Whether frames overlap when this one comes."""
        return self.overlaps == "always" or (self.overlaps == "sometimes" and sequence // 3 % 2 == 0)


IMAGES = ("wide.png", "tall.png")
"""Good background images that the rig puts into the backgrounds folder; FOLDER stands for its path."""

EFFECTS: tuple[Patch, ...] = (
    {"effect": "color", "color": "#20c040"},
    {"effect": "color", "color": "tomato"},
    {"effect": "image", "image": "file:FOLDER/wide.png"},
    {"effect": "image", "image": "file:FOLDER/tall.png", "fit": "contain"},
    {"effect": "blur", "strength": "low"},
    {"effect": "blur", "strength": "high"},
    {"effect": "blur", "strength": 3.5},
    {"effect": "off"},
)

NOBODY: tuple[Patch, ...] = tuple(
    {"person": {"nobody": "placeholder", "placeholder_after_s": after_s}} for after_s in (0, 0, 3, 10)
)

CAMERA_OFF: Patch = {"camera": {"is_enabled": False}}
CAMERA_ON: Patch = {"camera": {"is_enabled": True}}

OTHERS: tuple[Patch, ...] = (
    CAMERA_OFF,
    CAMERA_ON,
    CAMERA_ON,
    {"matte": {"refine": True}},
    {"matte": {"refine": False}},
    {"matte": {"smooth": False}},
    {"matte": {"second_look": "always"}},
    {"matte": {"second_look": "off"}},
    {"person": {"persons": "largest"}},
    {"person": {"persons": "all"}},
    {"person": {"nobody": "blur"}},
    {"framing": {"is_enabled": True, "max_zoom": 1.4}},
    {"framing": {"is_enabled": True, "max_zoom": 3}},
    {"framing": {"is_enabled": False}},
    *NOBODY[1:],
    {"fit": "stretch"},
    {"fit": "cover"},
    {"color": "#00f"},
    {"strength": "medium"},
)

MODELS: tuple[Patch, ...] = ({"model": {"name": "small"}}, {"model": {"name": "person-256x144"}})
"""Another model, of another size, and the one of the start."""

NEAR: Patch = {"framing": {"is_enabled": True, "max_zoom": 3}}
ONE: Patch = {"person": {"persons": "largest"}}
TWICE: Patch = {"matte": {"second_look": "always"}}

KEPT: tuple[tuple[Region, ...], ...] = (
    ((0.02, 0.6, 0.2, 0.35),),
    ((0.7, 0.1, 0.15, 0.2), (0.3, 0.8, 0.3, 0.2)),
)

REFUSED: tuple[Patch, ...] = (
    {"effect": "image", "image": "file:FOLDER/missing.png"},
    {"effect": "image", "image": "file:FOLDER/broken.png"},
    {"effect": "image", "image": "file:/etc/passwd"},
    {"privacy": {"allow_raw": True}},
    {"effect": "off", "privacy": {"allowRaw": True}},
    {"effect": "off", "Privacy": {"allow_raw": True}},
    {"budget": {"reuse_masks": True}},
    {"budget": {"reuseMasks": True}, "effect": "blur"},
    {"keep": {"regions": [[0.0, 0.0, 1.0, 1.0]]}},
    {"camera": {"source": "demo:"}},
    {"model": {"name": "nobody"}},
    {"model": {"threads": 4}},
    {"strength": "ultra"},
    {"backgroundReplacement": {"isEnabled": True}, "backgroundBlur": {"isEnabled": True}},
    {"color": "transparent"},
)

patches = st.sampled_from(EFFECTS + OTHERS + MODELS + REFUSED)

levels = st.sampled_from((*(0,) * len(LEVELS), *range(len(LEVELS))))
"""Half of them full quality, where most is done."""

turns = st.sampled_from((Blink(), Hold(True), Hold(False), Hold(False), Change(CAMERA_ON)))

deeds = patches.map(Change) | levels.map(Degrade) | turns

seldom = st.integers(0, 4).flatmap(lambda number: st.none() if number else deeds)

shots = st.builds(
    Shoot,
    takes_ms=st.sampled_from((5, 30, 90, 90, 190, 450)),
    fault=st.sampled_from((*(None,) * 3 * len(Fault), *Fault)),
    is_late=st.sampled_from((False, True, True)),
    inside=seldom,
    before_put=seldom,
    deliver=st.sampled_from((True, True, True, False)),
    order=st.sampled_from(Order),
)

waits = st.sampled_from(
    [*(Wait(ms, step_ms) for ms in (40, 150, 210, 420) for step_ms in (20, 70, 100)), Wait(3300, 1100)]
)

manners = st.tuples(
    st.sampled_from(((), (NEAR,))),
    st.sampled_from(((), (ONE,))),
    st.sampled_from(((), (), (TWICE,))),
    st.sampled_from((*((),) * 8, *((patch,) for patch in NOBODY))),
).map(lambda choices: sum(choices, ()))
"""How people are shown from the start; a sequence is too short to come to each by chance."""

switches = st.sampled_from(({"effect": "off"}, EFFECTS[0], EFFECTS[4])).map(Change)

hidings = st.builds(Hide, ms=st.sampled_from((0, 20, 150, 420)), by_settings=st.booleans())

between = (*(st.none(),) * 6, *(waits,) * 3, *(deeds,) * 4, switches, hidings, hidings, st.just(Lose()))
"""One of these; ``st.one_of`` would count equals once."""

steps = st.tuples(st.integers(0, len(between) - 1).flatmap(between.__getitem__), shots)


def in_order(steps: list[tuple[Event | None, Shoot]]) -> tuple[Event, ...]:
    """Between any two frames something else happens, or nothing."""
    return tuple(event for step in steps for event in step if event is not None)


schedules = st.builds(
    Schedule,
    events=st.lists(steps, min_size=8, max_size=14).map(in_order),
    start=st.sampled_from(EFFECTS),
    more=manners,
    allow_raw=st.sampled_from((False, False, False, True)),
    salt=st.sampled_from(range(12)),
    has_model=st.sampled_from((True,) * 7 + (False,)),
    smooth=st.sampled_from((False, False, True)),
    refine=st.booleans(),
    frame_rate=st.sampled_from((30.0, 30.0, 4.0)),
    keep=st.sampled_from(((), *KEPT)),
    mirror=st.sampled_from((False, False, True)),
    rotate=st.sampled_from((0, 0, 0, 90, 180, 270)),
    overlaps=st.sampled_from(("never", "never", "always", "sometimes")),
)

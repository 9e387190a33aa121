"""What happens in one sequence: frames, faults, silences and changes of settings, in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

Patch = Mapping[str, Any]


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
class Shoot:
    """A camera frame is processed and put into the outlet.

    Attributes:
        takes_ms: how long the pipeline is at it.
        fault: what goes wrong.
        inside: change of settings while the segmenter runs.
        before_put: change of settings between ``process`` and ``put``.
        deliver: whether the outlet is asked at once.
    """

    takes_ms: int = 10
    fault: Fault | None = None
    inside: Patch | None = None
    before_put: Patch | None = None
    deliver: bool = True


@dataclass(frozen=True)
class Wait:
    """No frame for so long, while the outlet is asked every ``step_ms``."""

    ms: int
    step_ms: int


@dataclass(frozen=True)
class Change:
    """A change of settings between two frames."""

    patch: Patch


@dataclass(frozen=True)
class Lose:
    """The camera is gone: every camera picture is to be forgotten."""


Event = Shoot | Wait | Change | Lose


@dataclass(frozen=True)
class Schedule:
    """One sequence, the same for both runs.

    Attributes:
        events: in order.
        start: effect at start, as a patch of the local file's settings.
        allow_raw: what the local file says.
        salt: which of many cameras and scripts of masks.
        has_model: whether there is a segmenter at all.
        smooth: calm the matte over time.
        refine: let the matte's edge follow the picture, at start.
        frame_rate: of the camera, per second.
    """

    events: tuple[Event, ...]
    start: Patch
    allow_raw: bool = False
    salt: int = 0
    has_model: bool = True
    smooth: bool = False
    refine: bool = False
    frame_rate: float = 30.0


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

OTHERS: tuple[Patch, ...] = (
    {"matte": {"refine": True}},
    {"matte": {"refine": False}},
    {"matte": {"smooth": False}},
    {"fit": "stretch"},
    {"fit": "cover"},
    {"color": "#00f"},
    {"strength": "medium"},
)

REFUSED: tuple[Patch, ...] = (
    {"effect": "image", "image": "file:FOLDER/missing.png"},
    {"effect": "image", "image": "file:FOLDER/broken.png"},
    {"effect": "image", "image": "file:/etc/passwd"},
    {"privacy": {"allow_raw": True}},
    {"effect": "off", "privacy": {"allowRaw": True}},
    {"effect": "off", "Privacy": {"allow_raw": True}},
    {"strength": "ultra"},
    {"backgroundReplacement": {"isEnabled": True}, "backgroundBlur": {"isEnabled": True}},
    {"color": "transparent"},
)

patches = st.sampled_from(EFFECTS + OTHERS + REFUSED)

shots = st.builds(
    Shoot,
    takes_ms=st.sampled_from((5, 10, 30, 190, 450)),
    fault=st.none() | st.none() | st.sampled_from(Fault),
    inside=st.none() | st.none() | st.none() | patches,
    before_put=st.none() | st.none() | st.none() | patches,
    deliver=st.sampled_from((True, True, True, False)),
)

waits = st.builds(Wait, ms=st.sampled_from((40, 150, 210, 420)), step_ms=st.sampled_from((20, 70, 100)))

events = st.one_of(shots, shots, shots, shots, waits, patches.map(Change), st.just(Lose()))

schedules = st.builds(
    Schedule,
    events=st.lists(events, min_size=12, max_size=18).map(tuple),
    start=st.sampled_from(EFFECTS),
    allow_raw=st.sampled_from((False, False, False, True)),
    salt=st.integers(0, 7),
    has_model=st.sampled_from((True,) * 7 + (False,)),
    smooth=st.sampled_from((False, False, True)),
    refine=st.booleans(),
    frame_rate=st.sampled_from((30.0, 30.0, 4.0)),
)

"""The camera switch: who may close the camera, and what is shown meanwhile."""

from typing import Any

import numpy as np
import pytest

from scrim.config import Settings
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control
from scrim.core.images import Images
from scrim.core.look import prepare_look
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.privacy import SETTINGS_PARTY, Privacy
from scrim.core.segment.constant import ConstantSegmenter, ScriptedSegmenter
from scrim.decode import GiveUp
from scrim.errors import ConfigError, ImageError
from scrim.frame import Frame, FramePool, Planes, SafeFrame

SIZE = (96, 64)
OFF: dict[str, Any] = {"camera": {"is_enabled": False}}
ON: dict[str, Any] = {"camera": {"is_enabled": True}}
IMAGE = {"effect": "image", "image": "https://example.org/room.png"}


class Slow:
    """Where images come from: does ``meanwhile`` and fails."""

    def __init__(self) -> None:
        self.meanwhile: Any = lambda: None

    def fetch(self, url: str, give_up: GiveUp) -> Any:
        self.meanwhile()
        raise ImageError(f"{url}: planted")


class Rig:
    """Outlet, privacy, pipeline and control as the service joins them, on a clock that the test moves."""

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.now_ns = 10**12
        self.outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30, lambda: self.now_ns)
        self.privacy = Privacy(self.outlet)
        look = prepare_look(settings, SIZE, 1)
        self.pipeline = Pipeline(SIZE, ConstantSegmenter(0, (48, 32)), look, FramePool(SIZE, 8))
        self.privacy.follow(self.pipeline.forget)
        self.outside = Slow()
        self.control = Control(
            settings,
            self.pipeline,
            self.outlet,
            Images(outside=self.outside),
            switch=self.privacy.switch(SETTINGS_PARTY),
        )

    def take_picture(self) -> SafeFrame:
        """What the pipeline makes of a camera frame taken now."""
        self.now_ns += 1
        safe = self.pipeline.process(Frame(Planes.of(np.full((96, 96), 90, np.uint8)), self.now_ns, 0))
        assert safe is not None
        return safe

    def shown(self) -> str:
        taken = self.outlet.take()
        assert taken is not None
        return taken.origin

    def live(self) -> str:
        """What is shown when a camera frame comes now."""
        self.outlet.put(self.take_picture())
        return self.shown()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_switched_off_the_placeholder_is_shown_at_once_and_says_so(rig: Rig):
    assert rig.live() == "effect"
    rig.control.change(OFF)
    assert rig.shown() == "placeholder"
    assert rig.outlet.reason is Reason.PRIVACY
    assert rig.privacy.parties == (SETTINGS_PARTY,)
    assert rig.live() == "placeholder"
    rig.control.change(ON)
    assert rig.live() == "effect"


def test_no_picture_of_before_is_shown_after(rig: Rig):
    before = rig.take_picture()
    rig.privacy.switch("button").set_private(True)
    rig.outlet.put(before)
    assert rig.shown() == "placeholder"
    rig.now_ns += 5
    between = rig.take_picture()
    rig.now_ns += 5
    rig.privacy.switch("button").set_private(False)
    for late in (before, between):
        rig.outlet.put(late)
        assert rig.shown() == "placeholder"
    assert rig.live() == "effect"


def test_any_party_is_enough_and_all_must_agree(rig: Rig):
    button, host = rig.privacy.switch("button"), rig.privacy.switch("usb")
    button.set_private(True)
    rig.control.change(OFF)
    host.set_private(True)
    assert rig.privacy.parties == ("button", SETTINGS_PARTY, "usb")
    button.set_private(False)
    host.set_private(False)
    assert rig.live() == "placeholder"
    button.set_private(True)
    rig.control.change(ON)
    assert rig.live() == "placeholder"
    button.set_private(False)
    assert rig.live() == "effect"


def test_saying_it_twice_counts_once(rig: Rig):
    button = rig.privacy.switch("button")
    told: list[bool] = []
    rig.privacy.follow(lambda: told.append(rig.privacy.is_private))
    for is_private in (True, True, False, False):
        button.set_private(is_private)
    assert told == [True, False]
    assert rig.privacy.epoch == 1


def test_off_is_obeyed_before_its_turn_and_on_only_then(rig: Rig):
    """An image may take 15 s to come; nobody waits that long to be unseen."""
    seen: list[bool] = []

    def meanwhile() -> None:
        off = rig.control.submit(OFF)
        seen.append(rig.privacy.is_private)
        on = rig.control.submit(ON)
        seen.append(rig.privacy.is_private)
        assert not off.done()
        assert not on.done()

    rig.outside.meanwhile = meanwhile
    changed = rig.control.submit(IMAGE)
    rig.control.step()
    assert changed.exception() is not None
    assert seen == [True, True]
    rig.control.step()
    assert rig.privacy.is_private
    rig.control.step()
    assert not rig.privacy.is_private
    assert rig.control.settings == Settings()


def test_a_change_that_is_refused_gives_the_camera_back(rig: Rig):
    answer = rig.control.submit(OFF | IMAGE)
    assert rig.privacy.is_private
    rig.control.step()
    with pytest.raises(ConfigError):
        answer.result()
    assert not rig.privacy.is_private
    assert rig.control.settings == Settings()


def test_settings_that_start_switched_off_open_nothing():
    rig = Rig(Settings().patched(OFF))
    assert rig.privacy.is_private
    assert rig.live() == "placeholder"
    assert rig.outlet.reason is Reason.PRIVACY


def test_both_kinds_of_hiding_are_independent(rig: Rig):
    with pytest.raises(ConfigError, match="raw picture is not allowed"):
        rig.control.change({"effect": "off"})
    button = rig.privacy.switch("button")
    button.set_private(True)
    rig.control.change({"effect": "blur"})
    assert rig.live() == "placeholder"
    assert rig.outlet.reason is Reason.PRIVACY
    with pytest.raises(ConfigError):
        rig.control.change({"effect": "off"})
    button.set_private(False)
    assert rig.live() == "placeholder"
    assert rig.outlet.reason is Reason.EFFECT_OFF


@pytest.mark.parametrize("is_blink", [False, True])
def test_what_earlier_masks_said_is_forgotten(is_blink: bool):
    """The matte is calmed over time, but not across the switch."""
    rig = Rig(Settings().patched({"effect": "color"}))
    faint, firm = (np.full((32, 48), value, np.uint8) for value in (120, 160))
    look = prepare_look(rig.control.settings, SIZE, 1)
    calm, alone = (
        Pipeline(SIZE, ScriptedSegmenter(script, (48, 32)), look, FramePool(SIZE, 8))
        for script in ([firm, faint], [faint])
    )
    rig.privacy.follow(calm.forget)
    calm.process(frame(1))
    if is_blink:
        rig.privacy.switch("button").set_private(True)
        rig.privacy.switch("button").set_private(False)
    later, fresh = calm.process(frame(2)), alone.process(frame(2))
    assert later is not None
    assert fresh is not None
    assert np.array_equal(later.i420, fresh.i420) is is_blink


def frame(pts_ns: int) -> Frame:
    return Frame(Planes.of(np.full((96, 96), 90, np.uint8)), pts_ns, 0)

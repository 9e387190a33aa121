"""Changing settings while it runs: whole or not at all."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scrim.config import Settings
from scrim.core.changes import Terms
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control
from scrim.core.images import Images, decode_image
from scrim.core.look import prepare_look
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.segment.constant import ConstantSegmenter
from scrim.errors import ConfigError, ImageError, LocalError
from scrim.frame import Frame, FramePool, Plane, Planes

SIZE = (96, 64)
TEAL = {"effect": "color", "color": "teal"}


class Rig:
    """A control over a real pipeline in which nobody is seen."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        look = prepare_look(settings, SIZE, 1, (folder,))
        self.folder = folder
        self.pipeline = Pipeline(SIZE, ConstantSegmenter(0, (48, 32)), look, FramePool(SIZE, 4))
        self.outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30)
        self.control = Control(settings, self.pipeline, self.outlet, Images((folder,), decode=decode_image))

    def shown(self) -> Plane:
        """What one frame becomes."""
        safe = self.pipeline.process(Frame(Planes.of(np.full((96, 96), 90, np.uint8)), 0, 0))
        assert safe is not None
        assert safe.revision == self.control.revision
        return safe.i420.copy()

    def origin(self) -> str:
        safe = self.pipeline.process(Frame(Planes.of(np.full((96, 96), 90, np.uint8)), 0, 0))
        if safe is not None:
            self.outlet.put(safe)
        taken = self.outlet.take()
        assert taken is not None
        return taken.origin


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, Settings())


def image(folder: Path, name: str = "room.png", grey: int = 200) -> str:
    path = folder / name
    assert cv2.imwrite(str(path), np.full((48, 64, 3), grey, np.uint8))
    return path.as_uri()


def test_a_change_is_in_effect_at_the_next_frame_and_counts_the_revision(rig: Rig):
    before = rig.shown()
    settings = rig.control.change(TEAL)
    assert settings.effect == "color"
    assert rig.control.settings == settings
    assert rig.control.revision == 2
    assert not np.array_equal(rig.shown(), before)


def test_a_change_may_be_bound_to_a_revision(rig: Rig):
    first = rig.control.submit(TEAL, Terms(if_revision=1))
    second = rig.control.submit({"strength": "high"}, Terms(if_revision=1))
    for _ in range(2):
        rig.control.step()
    assert first.result().revision == 2
    error = second.exception()
    assert isinstance(error, LocalError)
    assert "if_revision = 1: revision 2 is in effect" in str(error)
    assert error.in_effect is not None
    assert error.in_effect["revision"] == 2
    assert rig.control.settings.background_blur.strength == "medium"


def test_a_change_says_whether_it_is_to_be_remembered(rig: Rig):
    noted: list[bool] = []
    rig.control.on_change = lambda in_effect: noted.append(in_effect.is_remembered)
    for remember in (False, True):
        rig.control.submit({"strength": 40 + remember}, Terms(is_remembered=remember))
        rig.control.step()
    assert noted == [False, True]


def test_the_later_of_two_changes_wins(rig: Rig):
    rig.control.change(TEAL)
    rig.control.change({"color": "red"})
    assert rig.control.revision == 3
    assert rig.control.settings.background_replacement.default_color == "#ff0000"


def test_identical_settings_load_nothing_and_count_nothing(rig: Rig):
    url = image(rig.folder)
    rig.control.change({"effect": "image", "image": url})
    (rig.folder / "room.png").unlink()
    rig.control.change({"effect": "image", "image": url})
    rig.control.change({})
    assert rig.control.revision == 2


@pytest.mark.parametrize(
    "patch",
    [
        {"strength": 0},
        {"strength": "low", "color": "transparent"},
        {"effect": "image"},
        {"camera": {"source": "demo:"}},
        {"camera": {"width": 641}},
        {"strength": "low", "privacy": {"allow_raw": True}},
        {"effect": "color", "color": "teal", "web": None},
    ],
)
def test_a_wrong_patch_leaves_everything(rig: Rig, patch: dict[str, Any]):
    before = rig.shown()
    with pytest.raises(ConfigError):
        rig.control.change(patch)
    assert rig.control.settings == Settings()
    assert rig.control.revision == 1
    assert np.array_equal(rig.shown(), before)


@pytest.mark.parametrize("name", ["none.png", "broken.png", "../outside.png"])
def test_an_image_that_fails_leaves_everything_and_says_why(rig: Rig, name: str):
    rig.control.change(TEAL)
    (rig.folder / "broken.png").write_bytes(b"no picture")
    before = rig.shown()
    with pytest.raises(ConfigError) as caught:
        rig.control.change({"effect": "image", "image": f"file:{rig.folder}/{name}", "strength": "high"})
    (problem,) = caught.value.problems
    assert problem.key == "background_replacement.background_image_url"
    assert name in problem.value
    assert rig.control.settings == Settings().patched(TEAL)
    assert rig.control.revision == 2
    assert np.array_equal(rig.shown(), before)


def test_off_without_leave_answers_an_error_and_shows_the_placeholder(rig: Rig):
    assert rig.origin() == "effect"
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"privacy\.allow_raw = true in the local settings file"):
            rig.control.change({"effect": "off"})
        assert rig.origin() == "placeholder"
    assert rig.control.settings.effect == "off"
    assert rig.control.revision == 2
    assert rig.outlet.reason is Reason.EFFECT_OFF
    rig.control.change({"effect": "blur"})
    assert rig.origin() == "effect"


def test_while_off_something_else_may_be_changed(rig: Rig):
    with pytest.raises(ConfigError):
        rig.control.change({"effect": "off"})
    assert rig.control.change({"strength": "high"}).background_blur.strength == "high"
    assert rig.origin() == "placeholder"


def test_off_with_leave_shows_the_picture_as_it_is(tmp_path: Path):
    rig = Rig(tmp_path, Settings().patched({"privacy": {"allow_raw": True}}))
    assert rig.control.change({"effect": "off"}).effect == "off"
    assert (rig.shown() == 90).all()
    assert rig.origin() == "raw"


def test_nothing_made_under_the_settings_before_goes_out(rig: Rig):
    old = rig.pipeline.process(Frame(Planes.of(np.zeros((96, 96), np.uint8)), 0, 0))
    assert old is not None
    rig.control.change(TEAL)
    rig.outlet.put(old)
    taken = rig.outlet.take()
    assert taken is not None
    assert taken.origin == "placeholder"


# From settings to a look.


def filled(settings: Settings, size: tuple[int, int], folder: Path) -> Plane:
    width, height = size
    pipeline = Pipeline(size, None, prepare_look(settings, size, 1, (folder,)), FramePool(size, 2))
    safe = pipeline.process(Frame(Planes.of(np.full((height * 3 // 2, width), 90, np.uint8)), 0, 0))
    assert safe is not None
    return safe.i420.copy()


def test_neither_image_nor_colour_is_black(tmp_path: Path):
    i420 = filled(Settings().patched({"effect": "color"}), SIZE, tmp_path)
    planes = Planes.of(i420)
    assert (planes.y == 16).all()
    assert (planes.u == 128).all()
    assert (planes.v == 128).all()


def test_an_image_is_fitted_from_its_original(tmp_path: Path):
    settings = Settings().patched({"effect": "image", "image": image(tmp_path, grey=255)})
    for size in (SIZE, (32, 64), (128, 2)):
        assert (Planes.of(filled(settings, size, tmp_path)).y == 235).all()


def test_an_image_that_is_not_there_is_an_image_error(tmp_path: Path):
    settings = Settings().patched({"effect": "image", "image": f"file:{tmp_path}/none.png"})
    with pytest.raises(ImageError, match=r"none\.png"):
        prepare_look(settings, SIZE, 1, (tmp_path,))


def test_matte_settings_reach_the_look():
    look = prepare_look(Settings().patched({"matte": {"refine": False, "smooth": False}}), SIZE, 7)
    assert (look.revision, look.refine, look.smooth, look.is_raw) == (7, False, False, False)


def test_off_has_no_background_and_is_raw_only_with_leave():
    off = Settings().patched({"effect": "off"})
    assert prepare_look(off, SIZE, 1).background is None
    assert prepare_look(off, SIZE, 1).is_raw is False
    assert prepare_look(off.patched({"privacy": {"allow_raw": True}}), SIZE, 1).is_raw is True
    blurred = Settings().patched({"privacy": {"allow_raw": True}})
    assert prepare_look(blurred, SIZE, 1).is_raw is False

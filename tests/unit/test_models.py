"""Another model while it runs: prepared aside, swapped between two frames, rolled back whole."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from scrim.config import ModelSettings, Settings
from scrim.core import models as models_module
from scrim.core.changes import InEffect, SupersededError
from scrim.core.composite.placeholder import PlaceholderPainter
from scrim.core.control import Control
from scrim.core.images import Images, decode_image
from scrim.core.look import prepare_look
from scrim.core.model_store import ModelStore
from scrim.core.models import FirstModel, Models, first_model
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.privacy import SETTINGS_PARTY, Privacy
from scrim.core.segment.loading import LoadedModel
from scrim.core.segment.model import InputSpec, ModelSpec, NotFetchedError, OutputSpec
from scrim.errors import ConfigError, LocalError, ModelError, SegmentError
from scrim.frame import Frame, FramePool, Mask, Plane, Planes, SafeFrame

SIZE = (96, 64)
TEAL = {"effect": "color", "color": "teal"}
OTHER: dict[str, Any] = {"model": {"name": "other"}}
FIRST = Settings().model.name
CAMERA_LUMA = 90


class Level:
    """A segmenter that says the same of every pixel, and remembers whether it was let go of."""

    def __init__(self, value: int, size: tuple[int, int] = (48, 32)) -> None:
        self.input_size = size
        self.mask: Any = np.full((size[1], size[0]), value, np.uint8)
        self.calls = self.closed = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def segment(self, rgb: Plane) -> Mask:
        assert not self.closed
        self.calls += 1
        if isinstance(self.mask, Exception):
            raise self.mask
        self.meanwhile()
        mask: Mask = self.mask
        return mask

    def close(self) -> None:
        self.closed += 1


def loaded(segmenter: Level, name: str = "x") -> LoadedModel:
    width, height = segmenter.input_size
    given = InputSpec(width, height, 3, (0, 1), "uint8")
    taken = OutputSpec("alpha", width, height, 1, (0, 1), "uint8", 0, 1)
    spec = ModelSpec(name, "int8", Path(f"/models/{name}.tflite"), "", "", "", given, taken)
    return LoadedModel(segmenter, spec, 1, 1.0, "test")


class Rig:
    """A control and its models over a real pipeline; ``here`` is what can be loaded, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = Settings().patched(TEAL)
        self.first, self.other = Level(255), Level(0, (24, 16))
        self.here: dict[str, Level | ModelError] = {"other": self.other}
        self.asked: list[ModelSettings] = []
        look = prepare_look(settings, SIZE, 1, (folder,))
        self.pipeline = Pipeline(SIZE, self.first, look, FramePool(SIZE, 6))
        first = FirstModel(settings.model, settings.model, loaded(self.first, FIRST))
        self.models = Models(first, self.pipeline, load=self._load, offer=self._offer)
        outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30)
        images = Images((folder,), decode=decode_image)
        self.control = Control(settings, self.pipeline, outlet, images, models=self.models)

    def _offer(self) -> tuple[str, ...]:
        return (FIRST, *self.here)

    def _load(self, wanted: ModelSettings) -> LoadedModel:
        self.asked.append(wanted)
        found = self.here.get(wanted.name, ModelError(f"model.name = {wanted.name}: not here"))
        if isinstance(found, ModelError):
            raise found
        return loaded(found, wanted.name)

    def process(self, pts_ns: int = 0) -> SafeFrame:
        safe = self.pipeline.process(Frame(Planes.of(np.full((96, 96), CAMERA_LUMA, np.uint8)), pts_ns, 0))
        assert safe is not None
        return safe

    def is_person_shown(self, pts_ns: int = 0) -> bool:
        """Whether one frame shows the camera's middle: whether its model took it for a person."""
        return int(self.process(pts_ns).planes.y[32, 48]) == CAMERA_LUMA


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_another_model_is_used_from_the_next_frame_on(rig: Rig):
    assert rig.is_person_shown()
    settings = rig.control.change(OTHER)
    assert (settings.model.name, rig.control.revision) == ("other", 2)
    assert rig.models.current.spec.name == "other"
    assert not rig.is_person_shown()
    rig.control.step()
    assert (rig.first.closed, rig.other.closed) == (1, 0)


def test_another_model_is_used_however_many_changes_come_before_the_next_frame(rig: Rig):
    """The look that brought it is replaced by the next before any frame has seen it."""
    assert rig.is_person_shown()
    rig.control.change(OTHER)
    rig.control.change({"matte": {"refine": False}})
    rig.control.change({"effect": "color", "color": "#123456"})
    rig.control.step()
    assert rig.first.closed == 1
    assert not rig.is_person_shown()
    assert rig.pipeline.finder is not None


def test_a_frame_is_finished_with_the_model_it_was_begun_with(rig: Rig):
    calls: list[int] = []

    def meanwhile() -> None:
        rig.control.change(OTHER)
        rig.control.step()
        calls.append(rig.first.closed)

    rig.first.meanwhile = meanwhile
    assert rig.process().revision == 1
    assert calls == [0], "the model was let go of while a frame used it"
    assert not rig.is_person_shown()
    rig.control.step()
    assert rig.first.closed == 1


def test_the_same_model_loads_nothing(rig: Rig):
    rig.control.change({"model": {"name": FIRST, "form": "auto"}, "strength": "high"})
    rig.control.change(OTHER)
    rig.control.change(OTHER)
    assert [wanted.name for wanted in rig.asked] == ["other"]
    rig.control.change({"strength": 3})
    assert len(rig.asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (SegmentError("the model is broken"), "does not work: the model is broken"),
        (np.zeros((3, 3), np.uint8), "a mask has the proportions of the input"),
        (np.full((16, 24), np.nan, np.float32), "not a mask of bytes"),
    ],
)
def test_a_model_that_does_not_work_changes_nothing(rig: Rig, answer: object, said: str):
    rig.other.mask = answer
    with pytest.raises(ConfigError, match=said) as caught:
        rig.control.change(OTHER | {"strength": "high"})
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("model.name", "other")
    assert problem.allowed == f"{FIRST}, other"
    nothing_changed(rig)
    assert rig.other.closed == 1


def nothing_changed(rig: Rig) -> None:
    assert rig.control.settings == Settings().patched(TEAL)
    assert rig.control.revision == 1
    assert rig.is_person_shown()
    assert rig.models.current.segmenter is rig.first
    assert rig.first.closed == 0


def test_a_name_that_is_not_offered_changes_nothing(rig: Rig):
    with pytest.raises(ConfigError, match=f"not here .allowed: {FIRST}, other"):
        rig.control.change({"model": {"name": "nobody"}})
    nothing_changed(rig)


def test_when_the_second_load_fails_the_first_is_let_go_of_too(rig: Rig):
    """The model is ready, and then the image is not there."""
    with pytest.raises(ConfigError, match=r"none\.png"):
        rig.control.change(OTHER | {"effect": "image", "image": f"file:{rig.folder}/none.png"})
    nothing_changed(rig)
    assert (rig.other.calls, rig.other.closed) == (1, 1)


def test_when_the_model_fails_the_image_is_not_shown_either(rig: Rig):
    cv2.imwrite(str(rig.folder / "room.png"), np.full((64, 96, 3), 255, np.uint8))
    rig.here["other"] = ModelError("model.name = other: gone")
    with pytest.raises(ConfigError, match="gone"):
        rig.control.change(OTHER | {"effect": "image", "image": f"file:{rig.folder}/room.png"})
    nothing_changed(rig)


def test_masks_of_the_model_before_are_forgotten(rig: Rig, tmp_path: Path):
    """Of the same size too: what was learned in between frames belongs to another model."""
    firm, faint = Level(160), Level(120)
    rig.first.mask, rig.here["other"] = firm.mask, faint
    rig.process(1)
    rig.control.change(OTHER)
    after = rig.process(2)
    alone = Pipeline(SIZE, Level(120), prepare_look(rig.control.settings, SIZE, 2), FramePool(SIZE, 2))
    fresh = alone.process(Frame(Planes.of(np.full((96, 96), CAMERA_LUMA, np.uint8)), 2, 0))
    assert fresh is not None
    assert np.array_equal(after.i420, fresh.i420)


def test_a_reset_goes_back_to_the_first_model(rig: Rig):
    rig.control.change(OTHER)
    again = Level(255)
    rig.here[FIRST] = again
    rig.control.reset()
    rig.control.step()
    assert rig.is_person_shown()
    assert again.calls == 2
    rig.models.close()
    assert (rig.first.closed, rig.other.closed, again.closed) == (1, 1, 1)


def test_closing_lets_go_of_everything(rig: Rig):
    rig.first.meanwhile = lambda: rig.control.change(OTHER)
    rig.process()
    rig.models.close()
    assert (rig.first.closed, rig.other.closed) == (1, 1)


def test_a_model_that_was_chosen_at_run_time_and_is_gone_gives_way_to_the_file_s(
    caplog: pytest.LogCaptureFixture,
):
    base, wanted = ModelSettings(), ModelSettings(name="gone")

    def load(settings: ModelSettings) -> LoadedModel:
        if settings.name == "gone":
            raise ModelError("model.name = gone: not here")
        return loaded(Level(0), settings.name)

    first = first_model(wanted, base, load)
    assert (first.settings, first.in_use, first.model.spec.name, first.awaited) == (base, base, FIRST, ())
    assert "gone: not here; the settings file's model is used instead" in caplog.text
    with pytest.raises(ModelError, match="gone"):
        first_model(wanted, wanted, load)


# What needs a restart.


def test_what_goes_out_keeps_its_format_and_what_was_set_is_told(rig: Rig):
    answer = rig.control.submit({"camera": {"width": 640, "frame_rate": 15.0, "mirror": True, "rotate": 180}})
    rig.control.step()
    in_effect = answer.result()
    assert in_effect.restart_needed == ("camera.width", "camera.frame_rate")
    assert in_effect.settings.camera.width == 640
    assert rig.process().size == SIZE
    rig.control.change({"camera": {"width": 1280}})
    assert rig.control.in_effect.restart_needed == ("camera.frame_rate",)


@pytest.mark.parametrize(
    ("rotate", "needed"), [(0, ()), (90, ("camera.rotate",)), (180, ()), (270, ("camera.rotate",))]
)
def test_a_picture_on_its_side_needs_a_restart(rig: Rig, rotate: int, needed: tuple[str, ...]):
    rig.control.change({"camera": {"rotate": rotate}})
    assert rig.control.in_effect.restart_needed == needed


# Models that have to be fetched.

FAR: dict[str, Any] = {"model": {"name": "far"}}


class Store:
    """Brings models when it is told to."""

    def __init__(self) -> None:
        self.wanted: list[tuple[str, Callable[[ModelError | None], None]]] = []
        self.given_up = 0
        self.fetching = None

    def want(self, specs: Any, done: Callable[[ModelError | None], None]) -> None:
        self.wanted.append((specs[0].name, done))

    def give_up(self) -> None:
        self.given_up += 1

    def done(self, number: int, error: ModelError | None = None) -> None:
        self.wanted[number][1](error)


def far_spec(name: str = "far") -> ModelSpec:
    return replace(loaded(Level(0), name).spec, url=f"https://models.example/{name}")


class FarRig(Rig):
    """The same with a store; ``far`` and ``farther`` are not here yet."""

    def __init__(self, folder: Path, awaited: tuple[ModelSpec, ...] = ()) -> None:
        super().__init__(folder)
        self.store = Store()
        self.far = Level(0)
        for name in ("far", "farther"):
            self.here[name] = NotFetchedError([far_spec(name)])
        settings = self.control.settings.patched(FAR) if awaited else self.control.settings
        in_use = Settings().model
        first = FirstModel(settings.model, in_use, loaded(self.first, FIRST), awaited)
        store = cast("ModelStore", self.store)
        self.models = Models(first, self.pipeline, store, load=self._load, offer=self._offer)
        images = Images((folder,), decode=decode_image)
        outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30)
        self.privacy = Privacy(outlet)
        self.control = Control(
            settings,
            self.pipeline,
            outlet,
            images,
            base=Settings().patched(TEAL),
            switch=self.privacy.switch(SETTINGS_PARTY),
            models=self.models,
        )

    def submit(self, patch: dict[str, Any]) -> "Future[InEffect]":
        answer = self.control.submit(patch)
        self.control.step()
        return answer

    def arrive(self, number: int = -1) -> None:
        self.here["far"] = self.far
        self.store.done(number)
        self.control.step()


@pytest.fixture
def far(tmp_path: Path) -> FarRig:
    return FarRig(tmp_path)


def test_a_change_whose_model_is_fetched_lets_others_pass_and_is_made_when_it_is_here(far: FarRig):
    answer = far.submit(FAR | {"strength": "low"})
    assert not answer.done()
    assert [name for name, _ in far.store.wanted] == ["far"]
    assert far.submit({"color": "red"}).result().revision == 2
    assert far.is_person_shown()
    far.arrive()
    made = answer.result()
    assert (made.settings.model.name, made.revision) == ("far", 3)
    assert made.settings.background_blur.strength == "low"
    assert made.settings.background_replacement.default_color == "#ff0000"
    assert not far.is_person_shown()


def test_a_model_that_cannot_be_had_changes_nothing(far: FarRig):
    answer = far.submit(FAR | {"strength": "low"})
    far.store.done(0, ModelError("https://models.example/far: the server answered 404 Not Found"))
    with pytest.raises(ConfigError, match="404 Not Found") as caught:
        answer.result()
    assert caught.value.problems[0].key == "model.name"
    assert caught.value.in_effect is not None
    nothing_changed(far)
    assert far.control.results == {"made": 0, "refused": 1, "superseded": 0, "failed": 0}


def test_a_model_that_is_here_and_does_not_work_changes_nothing(far: FarRig):
    answer = far.submit(FAR)
    far.far.mask = SegmentError("the model is broken")
    far.arrive()
    with pytest.raises(ConfigError, match="does not work"):
        answer.result()
    nothing_changed(far)


@pytest.mark.parametrize("later", [OTHER, {"model": {"name": FIRST}}, {"model": {"form": "auto"}}, None])
def test_what_is_said_of_the_model_later_wins(far: FarRig, later: dict[str, Any] | None):
    answer = far.submit(FAR)
    second = far.control.submit(later) if later is not None else far.control.reset()
    far.control.step()
    in_effect = second.result().settings.model.name
    assert in_effect == ("other" if later is OTHER else FIRST)
    assert isinstance(answer.exception(), SupersededError)
    assert far.store.given_up == 1
    far.arrive(0)
    assert far.control.settings.model.name == in_effect


def test_of_two_models_to_be_fetched_the_later_wins(far: FarRig):
    earlier, later = far.submit(FAR), far.submit({"model": {"name": "farther"}})
    assert isinstance(earlier.exception(), SupersededError)
    far.arrive(0)
    assert not later.done()
    far.here["farther"] = far.far
    far.store.done(1)
    far.control.step()
    assert later.result().settings.model.name == "farther"


def test_a_model_that_comes_late_does_not_overtake_a_later_word(far: FarRig):
    """It is here, but before its turn another model has been asked for."""
    answer = far.submit(FAR)
    far.here["far"] = far.far
    other = far.control.submit(OTHER)
    far.store.done(0)
    far.control.step()
    far.control.step()
    assert other.result().settings.model.name == "other"
    assert isinstance(answer.exception(), SupersededError)
    assert far.control.settings.model.name == "other"


def test_a_change_that_waits_for_its_model_closes_the_camera_already(far: FarRig):
    answer = far.submit(FAR | {"camera": {"is_enabled": False}})
    assert far.privacy.is_private
    far.submit({"color": "red"})
    assert far.privacy.is_private
    far.store.done(0, ModelError("404"))
    assert isinstance(answer.exception(), ConfigError)
    assert not far.privacy.is_private


def test_a_core_that_stops_answers_who_waits_for_a_model(far: FarRig):
    answer = far.submit(FAR)
    far.control.close()
    with pytest.raises(LocalError, match="stopping"):
        answer.result()
    far.store.done(0)


def test_without_a_store_what_to_save_where_is_said(rig: Rig):
    rig.here["far"] = NotFetchedError([far_spec()])
    with pytest.raises(ConfigError, match=r"save https://models\.example/far there"):
        rig.control.change(FAR)
    nothing_changed(rig)


def test_another_model_stands_in_for_one_that_is_not_fetched():
    def load(settings: ModelSettings) -> LoadedModel:
        if settings.name in here:
            return loaded(Level(0), settings.name)
        raise NotFetchedError([far_spec()]) if settings.name == "far" else ModelError("broken")

    far, base = ModelSettings(name="far", form="int8"), ModelSettings(name="base")
    here = {"base", FIRST}
    first = first_model(far, base, load)
    assert (first.settings, first.in_use, [spec.name for spec in first.awaited]) == (far, base, ["far"])
    here = {FIRST}
    for given in (base, far):
        first = first_model(far, given, load)
        assert (first.settings, first.in_use.name, first.in_use.form) == (far, FIRST, "auto")
    here = set()
    with pytest.raises(ModelError, match="broken"):
        first_model(far, far, load)


def test_what_stands_in_gives_way_when_the_model_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    now_s = [1000.0]
    monkeypatch.setattr(models_module.time, "monotonic", lambda: now_s[0])
    rig = FarRig(tmp_path, (far_spec(),))
    assert rig.models.missing is not None
    assert "is not fetched yet" in rig.models.missing
    assert rig.is_person_shown()
    tries = []
    for _ in range(9):
        while len(rig.store.wanted) == len(tries):
            now_s[0] += 1
            rig.models.fetch_awaited(rig.control._awaited_is_here)
        tries.append(now_s[0])
        rig.store.done(-1, ModelError("the gateway is not running"))
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert rig.models.missing == "the gateway is not running"
    rig.control.change({"strength": "high"})
    assert rig.is_person_shown(), "an unrelated change waits for no model"
    now_s[0] += 60
    rig.models.fetch_awaited(rig.control._awaited_is_here)
    rig.arrive()
    assert rig.models.missing is None
    assert not rig.is_person_shown()
    assert (rig.control.settings.model.name, rig.control.revision) == ("far", 3)


def test_another_model_may_be_chosen_while_one_stands_in(tmp_path: Path):
    rig = FarRig(tmp_path, (far_spec(),))
    rig.control.step()
    assert len(rig.store.wanted) == 1
    assert rig.submit(OTHER).result().settings.model.name == "other"
    assert rig.models.missing is None
    rig.arrive(0)
    assert rig.models.current.spec.name == "other"

"""Another model while it runs: prepared aside, swapped between two frames, rolled back whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scrim.config import ModelSettings, Settings
from scrim.core.composite.placeholder import PlaceholderPainter
from scrim.core.control import Control
from scrim.core.images import Images, decode_image
from scrim.core.look import prepare_look
from scrim.core.models import Models, first_model
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.segment.loading import LoadedModel
from scrim.core.segment.model import InputSpec, ModelSpec, OutputSpec
from scrim.errors import ConfigError, ModelError, SegmentError
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
        self.models = Models(
            settings.model, loaded(self.first, FIRST), self.pipeline, self._load, self._offer
        )
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

    settings, model = first_model(wanted, base, load)
    assert (settings, model.spec.name) == (base, FIRST)
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

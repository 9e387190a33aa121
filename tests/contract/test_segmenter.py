"""What every segmenter keeps to, whichever runtime is installed and whatever form the model has."""

import tracemalloc
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.segment.base import Segmenter
from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.constant import ConstantSegmenter, ScriptedSegmenter
from scrim.core.segment.delegated import Delegated
from scrim.core.segment.model import models_folder
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.errors import ModelError, SegmentError

SIZE = (64, 48)
MODELS = ["person-192x112", "person-256x144", "person-320x176", "person-384x208"]
SHIPPED = [(model, form) for model in MODELS for form in ("int8", "float16", "tpu-int8")]


def constant() -> Segmenter:
    return ConstantSegmenter(200, SIZE)


def scripted() -> Segmenter:
    return ScriptedSegmenter([np.full((24, 32), 200, np.uint8)], SIZE)


def shipped(model: str, form: str) -> Callable[[], Segmenter]:
    return lambda: TFLiteSegmenter(Catalogue(models_folder())[model][form])


def lost_delegate() -> Segmenter:
    def start() -> Segmenter:
        raise ModelError("planted: no device")

    return Delegated("planted", constant(), start)


def found_delegate() -> Segmenter:
    made = Delegated("planted", ConstantSegmenter(0, SIZE), constant)
    made.wait(180)
    return made


BACKENDS = {
    "constant": constant,
    "scripted": scripted,
    "lost delegate": lost_delegate,
    "delegate": found_delegate,
} | {f"{model}-{form}": shipped(model, form) for model, form in SHIPPED}


@pytest.fixture(params=BACKENDS)
def segmenter(request: pytest.FixtureRequest) -> Iterator[Segmenter]:
    made = BACKENDS[request.param]()
    yield made
    made.close()


@pytest.fixture(params=SHIPPED, ids="-".join)
def model(request: pytest.FixtureRequest) -> Iterator[Segmenter]:
    made = shipped(*request.param)()
    yield made
    made.close()


def draw_person(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Head and shoulders before a grey wall, drawn large and made small."""
    width, height = size[0] * 4, size[1] * 4
    picture = np.full((height, width, 3), (150, 160, 165), np.uint8)

    def oval(x: float, y: float, rx: float, ry: float, colour: tuple[int, int, int]) -> None:
        centre, radii = (width // 2 + int(x * height), int(y * height)), (int(rx * height), int(ry * height))
        cv2.ellipse(picture, centre, radii, 0, 0, 360, colour, -1)

    oval(0, 1.02, 0.42, 0.36, (40, 60, 110))
    oval(0, 0.61, 0.07, 0.11, (205, 160, 135))
    oval(0, 0.33, 0.19, 0.24, (60, 40, 30))
    oval(0, 0.38, 0.155, 0.215, (222, 180, 155))
    for side in (-1, 1):
        oval(side * 0.065, 0.34, 0.02, 0.02, (40, 30, 30))
        oval(side * 0.065, 0.293, 0.035, 0.007, (60, 40, 30))
    oval(-0.01, 0.41, 0.015, 0.03, (190, 140, 120))
    oval(0, 0.49, 0.06, 0.02, (170, 80, 80))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def test_a_mask_is_two_sided_and_of_bytes(segmenter):
    mask = segmenter.segment(draw_person(segmenter.input_size))
    assert mask.ndim == 2
    assert mask.dtype == np.uint8
    assert mask.flags.c_contiguous


def test_the_picture_is_left_alone(segmenter):
    picture = draw_person(segmenter.input_size)
    before = picture.copy()
    segmenter.segment(picture)
    assert np.array_equal(picture, before)


def test_a_read_only_picture_will_do(segmenter):
    picture = draw_person(segmenter.input_size)
    picture.flags.writeable = False
    assert segmenter.segment(picture).size


def test_the_same_picture_gives_the_same_mask(segmenter):
    picture = draw_person(segmenter.input_size)
    first = segmenter.segment(picture).copy()
    segmenter.segment(np.zeros_like(picture))
    assert np.array_equal(segmenter.segment(picture), first)


def test_what_the_caller_scribbles_into_the_mask_does_not_stay(model):
    picture = draw_person(model.input_size)
    first = model.segment(picture)
    kept = first.copy()
    first.fill(77)
    assert np.array_equal(model.segment(picture), kept)


def test_the_mask_s_memory_is_used_again(model):
    picture = draw_person(model.input_size)
    assert np.shares_memory(model.segment(picture), model.segment(picture))


def test_a_call_allocates_less_than_one_mask(model):
    picture = draw_person(model.input_size)
    mask = model.segment(picture)
    tracemalloc.start()
    try:
        model.segment(picture)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < mask.nbytes


@pytest.mark.parametrize("shape", [(48, 64), (1, 48, 64, 3), (64, 48, 3), (48, 64, 4), (0, 0, 3)])
def test_a_picture_of_another_shape_is_refused(segmenter, shape):
    with pytest.raises(SegmentError, match="wants"):
        segmenter.segment(np.zeros(shape, np.uint8))


def test_a_picture_of_floats_is_refused(segmenter):
    width, height = segmenter.input_size
    with pytest.raises(SegmentError, match="uint8"):
        segmenter.segment(np.zeros((height, width, 3), np.float32))


def test_after_a_refusal_it_goes_on(segmenter):
    with pytest.raises(SegmentError):
        segmenter.segment(np.zeros((2, 2, 3), np.uint8))
    assert segmenter.segment(draw_person(segmenter.input_size)).any()


def test_closing_is_final_and_may_be_repeated(segmenter):
    picture = draw_person(segmenter.input_size)
    segmenter.segment(picture)
    segmenter.close()
    segmenter.close()
    with pytest.raises(SegmentError, match="closed"):
        segmenter.segment(picture)


def test_a_person_is_found_and_the_wall_is_not(model):
    mask = model.segment(draw_person(model.input_size))
    height, width = mask.shape
    assert (width, height) == model.input_size
    assert mask[height * 2 // 5, width // 2] > 250
    assert mask[height - 2, width // 2] > 250
    assert mask[: height // 2, : width // 4].mean() < 1
    assert 0.15 < (mask > 127).mean() < 0.3


def test_the_mask_follows_the_person(model):
    picture = np.roll(draw_person(model.input_size), model.input_size[0] // 5, axis=1)
    mask = model.segment(np.ascontiguousarray(picture))
    weight = mask.sum(axis=0, dtype=np.float64)
    centre = (weight * np.arange(mask.shape[1])).sum() / weight.sum()
    assert centre / mask.shape[1] == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", ["int8", "tpu-int8"])
def test_the_forms_of_a_model_agree(name, form):
    masks = []
    for one in ("float16", form):
        segmenter = shipped(name, one)()
        masks.append(segmenter.segment(draw_person(segmenter.input_size)) > 127)
        segmenter.close()
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.97


def test_a_script_is_played_in_order_and_its_end_repeated():
    one, two = np.zeros((4, 4), np.uint8), np.full((4, 4), 9, np.uint8)
    fault = SegmentError("planted")
    segmenter = ScriptedSegmenter([one, fault, two], SIZE)
    picture = draw_person(SIZE)
    assert segmenter.segment(picture) is one
    with pytest.raises(SegmentError) as caught:
        segmenter.segment(picture)
    assert caught.value is fault
    assert segmenter.segment(picture) is two
    assert segmenter.segment(picture) is two


def test_a_script_may_end_in_a_fault():
    segmenter = ScriptedSegmenter([RuntimeError("planted")], SIZE)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="planted"):
            segmenter.segment(draw_person(SIZE))


def test_an_empty_script_is_refused():
    with pytest.raises(ValueError, match="script"):
        ScriptedSegmenter([], SIZE)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_constant_is_everywhere(value):
    assert (ConstantSegmenter(value, SIZE).segment(draw_person(SIZE)) == value).all()

"""The adapter and the decoding, by models made on the spot, whose answer can be worked out by hand."""

import math

import numpy as np
import pytest

from scrim.core.segment import tflite
from scrim.core.segment.model import SpecError, load_spec
from scrim.core.segment.tflite import TFLiteSegmenter, find_runtime
from scrim.errors import ModelError, SegmentError

pytestmark = pytest.mark.usefixtures("model_build")

RED = [[1.0, 0.0, 0.0]]
ONE = "width = 6\nheight = 4\nchannels = 1\n"
TWO = "width = 6\nheight = 4\nchannels = 2\nperson_index = 1\n"
FLOAT = 'dtype = "float32"\n'
INT8 = 'dtype = "int8"\n'
UNIT = "range = [0.0, 1.0]\n"
WIDE = "range = [-8.0, 8.0]\n"


@pytest.fixture
def picture() -> np.ndarray:
    """Red rises through all pixels; green and blue stay apart."""
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[..., 0] = np.linspace(0, 255, 24).reshape(4, 6).round()
    rgb[..., 1] = 50
    rgb[..., 2] = 255 - rgb[..., 0]
    return rgb


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def share(picture: np.ndarray, channel: int) -> np.ndarray:
    """One channel in 0..1."""
    return picture[..., channel] / 255


def segmented(toml, picture) -> np.ndarray:
    segmenter = TFLiteSegmenter(load_spec(toml))
    mask = segmenter.segment(picture).astype(int)
    segmenter.close()
    return mask


def test_alpha_in_float_is_the_byte_itself(tiny_model, picture):
    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + FLOAT)
    assert np.array_equal(segmented(toml, picture), picture[..., 0])


def test_alpha_outside_its_range_is_cut(tiny_model, picture):
    toml = tiny_model([[4.0, 0, 0]], [-1], 'kind = "alpha"\n' + ONE + UNIT + FLOAT)
    expected = np.clip(4.0 * picture[..., 0] - 255, 0, 255)
    assert np.array_equal(segmented(toml, picture), expected)


def test_alpha_of_another_range_is_stretched(tiny_model, picture):
    toml = tiny_model([[2.0, 0, 0]], [-1], 'kind = "alpha"\n' + ONE + "range = [-1.0, 1.0]\n" + FLOAT)
    assert np.abs(segmented(toml, picture) - picture[..., 0]).max() <= 1


def test_logits_of_one_channel_go_through_a_sigmoid(tiny_model, picture):
    toml = tiny_model([[12.0, 0, 0]], [-6], 'kind = "logits"\n' + ONE + WIDE + FLOAT)
    expected = 255 * sigmoid(12 * share(picture, 0) - 6)
    assert np.abs(segmented(toml, picture) - expected).max() < 1


def test_logits_of_two_channels_go_through_a_softmax(tiny_model, picture):
    toml = tiny_model([[0, 0, 5.0], [9.0, 0, 0]], [1, -2], 'kind = "logits"\n' + TWO + WIDE + FLOAT)
    background, person = 5 * share(picture, 2) + 1, 9 * share(picture, 0) - 2
    assert np.abs(segmented(toml, picture) - 255 * sigmoid(person - background)).max() < 1


def test_huge_logits_do_not_overflow(tiny_model, picture):
    toml = tiny_model([[2e6, 0, 0], [0, 0, 2e6]], [-1e6, -1e6], 'kind = "logits"\n' + TWO + WIDE + FLOAT)
    expected = np.where(picture[..., 2] > picture[..., 0], 255, 0)
    assert np.array_equal(segmented(toml, picture), expected)


def test_softmax_takes_the_person_s_channel(tiny_model, picture):
    toml = tiny_model([[0, 0, 1.0], [1.0, 0, 0]], [0, 0], 'kind = "softmax"\n' + TWO + UNIT + FLOAT)
    assert np.array_equal(segmented(toml, picture), picture[..., 0])


def test_the_best_score_decides_the_class(tiny_model, picture):
    output = 'kind = "classes"\nwidth = 6\nheight = 4\nchannels = 3\nperson_index = 2\n' + UNIT + FLOAT
    toml = tiny_model([[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]], [0, 0, 0], output)
    expected = np.where(picture[..., 0] > np.maximum(picture[..., 1], picture[..., 2]), 255, 0)
    assert np.array_equal(segmented(toml, picture), expected)


def test_the_number_of_the_class_is_compared(tiny_model, picture):
    output = 'kind = "classes"\nperson_index = 15\nrange = [0, 20]\n' + ONE + FLOAT
    picture[...] = 0
    picture[1, 2] = 255
    toml = tiny_model([[15.0, 0, 0]], [0], output)
    expected = np.zeros((4, 6))
    expected[1, 2] = 255
    assert np.array_equal(segmented(toml, picture), expected)


def test_alpha_in_int8_is_the_byte_itself(tiny_model, picture):
    ranges = {"image": (1 / 255, -128), "answer": (1 / 255, -128)}
    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + INT8, ranges, form="int8")
    assert np.abs(segmented(toml, picture) - picture[..., 0]).max() <= 1


def test_the_last_step_of_int8_alpha_is_all_person(tiny_model, picture):
    ranges = {"image": (1 / 255, -128), "answer": (1 / 256, -128)}
    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + INT8, ranges, form="int8")
    mask = segmented(toml, picture)
    assert mask.max() == 255
    assert mask.min() == 0


def test_an_int8_input_of_another_range_is_translated(tiny_model, picture):
    """The picture as -1 to 1, as many models want it."""
    ranges = {"image": (2 / 255, 0), "answer": (1 / 255, -128)}
    toml = tiny_model([[0.5, 0, 0]], [0.5], 'kind = "alpha"\n' + ONE + UNIT + INT8, ranges, form="int8")
    text = toml.read_text().replace("range = [0.0, 1.0]", "range = [-1.0, 1.0]", 1)
    toml.write_text(text)
    assert np.abs(segmented(toml, picture) - picture[..., 0]).max() <= 2


def test_int8_logits_of_two_channels(tiny_model, picture):
    ranges = {"image": (1 / 255, -128), "answer": (16 / 255, 0)}
    toml = tiny_model(
        [[0, 0, 5.0], [9.0, 0, 0]], [1, -2], 'kind = "logits"\n' + TWO + WIDE + INT8, ranges, form="int8"
    )
    background, person = 5 * share(picture, 2) + 1, 9 * share(picture, 0) - 2
    assert (
        np.abs(segmented(toml, picture) - 255 * sigmoid(person - background)).max() < 255 * 16 / 255 / 4 + 3
    )


BLOCKS = "width = 12\nheight = 8\nchannels = 1\nblock = 2\n"
"""Channel k of the tensor is the pixel at row k // 2, column k % 2 of its block."""


@pytest.mark.parametrize("form", ["float16", "int8"])
def test_blocks_of_logits_are_spread(tiny_model, picture, form):
    offsets = [-3.0, -1.0, 1.0, 3.0]
    ranges = {"image": (1 / 255, -128), "answer": (16 / 255, 0)} if form == "int8" else None
    dtype = INT8 if ranges else FLOAT
    toml = tiny_model(
        [[2.0, 0, 0]] * 4, offsets, 'kind = "logits"\n' + BLOCKS + WIDE + dtype, ranges, form=form
    )
    mask = segmented(toml, picture)
    assert mask.shape == (8, 12)
    for k, offset in enumerate(offsets):
        expected = 255 * sigmoid(2 * share(picture, 0) + offset)
        assert np.abs(mask[k // 2 :: 2, k % 2 :: 2] - expected).max() < (1 if form == "float16" else 4)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["alpha", "logits"])
def test_numbers_that_are_none_are_no_mask(tiny_model, picture, bad, kind):
    toml = tiny_model(RED, [bad], f'kind = "{kind}"\n' + ONE + UNIT + FLOAT)
    segmenter = TFLiteSegmenter(load_spec(toml))
    for _ in range(2):
        # Twice: a view left behind by the first fault would stop the runtime.
        with pytest.raises(SegmentError, match="NaN or infinity") as caught:
            segmenter.segment(picture)
        assert "NaN" in str(caught.value)


def test_every_difference_between_toml_and_file_is_told(tiny_model):
    toml = tiny_model(RED, [0], 'kind = "logits"\n' + TWO + WIDE + INT8)
    text = toml.read_text().replace(
        "width = 6\nheight = 4\nchannels = 3", "width = 8\nheight = 5\nchannels = 3"
    )
    toml.write_text(text.replace('dtype = "float32"', 'dtype = "uint8"'))
    with pytest.raises(SpecError) as caught:
        TFLiteSegmenter(load_spec(toml))
    told = {problem.key: str(problem) for problem in caught.value.problems}
    assert told.keys() == {"input.width", "input.height", "input.dtype", "output.channels", "output.dtype"}
    assert "input.width = 8: the file's tensor 'image' has shape 1x4x6x3 (allowed: 6)" in str(caught.value)
    assert "is float32" in told["input.dtype"]
    assert "1x4x6x1" in told["output.channels"]


def test_a_block_that_is_not_there_is_told(tiny_model):
    toml = tiny_model(RED, [0], 'kind = "logits"\nblock = 2\n' + ONE + WIDE + FLOAT)
    with pytest.raises(SpecError, match=r"output\.height = 4: the file's tensor 'answer' has shape 1x4x6x1"):
        TFLiteSegmenter(load_spec(toml))


def test_a_range_the_tensor_cannot_hold_is_told(tiny_model):
    ranges = {"image": (1 / 255, -128), "answer": (0.5 / 255, -128)}
    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + INT8, ranges, form="int8")
    with pytest.raises(SpecError, match=r"output\.range = \[0, 1\]: .* can hold \[0, 0\.5\]"):
        TFLiteSegmenter(load_spec(toml))


def test_a_file_that_is_no_model_is_told(tiny_model):
    import hashlib

    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + FLOAT)
    spec = load_spec(toml)
    spec.path.write_bytes(b"nonsense" * 100)
    toml.write_text(toml.read_text().replace(spec.sha256, hashlib.sha256(b"nonsense" * 100).hexdigest()))
    with pytest.raises(ModelError, match="cannot run it"):
        TFLiteSegmenter(load_spec(toml))


def test_a_compiled_model_without_a_delegate_is_told(tiny_model):
    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + FLOAT, form="edgetpu")
    with pytest.raises(ModelError, match="a delegate is needed"):
        TFLiteSegmenter(load_spec(toml))


def test_a_missing_delegate_is_told(tiny_model):
    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + FLOAT)
    with pytest.raises(
        ModelError, match=r"delegate = /nowhere/libedgetpu\.so\.1: the library cannot be loaded"
    ):
        TFLiteSegmenter(load_spec(toml), delegate="/nowhere/libedgetpu.so.1")


def test_a_library_that_is_no_delegate_is_told(tiny_model):
    import ctypes.util

    library = ctypes.util.find_library("m") or "libm.so.6"
    toml = tiny_model(RED, [0], 'kind = "alpha"\n' + ONE + UNIT + FLOAT)
    with pytest.raises(ModelError, match="is not a TensorFlow Lite delegate"):
        TFLiteSegmenter(load_spec(toml), delegate=library)


def test_the_runtime_has_a_name_and_a_version():
    assert str(find_runtime()).split()[0] in ("ai-edge-litert", "tflite-runtime")


def test_no_runtime_names_what_to_install(monkeypatch):
    monkeypatch.setattr(tflite, "_RUNTIMES", (("no-such-package", "no_such_package.interpreter"),))
    with pytest.raises(ModelError, match="pip install 'ai-edge-litert"):
        find_runtime()

"""Tensors filled and read in C, and by OpenCV and NumPy: the same bytes."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.segment import codec
from scrim.core.segment.model import InputSpec, OutputSpec
from scrim.core.segment.tensors import TensorInfo

BYTES = np.arange(256, dtype=np.uint8)
SPANS = st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-2.1, 2.6), (0.1, 0.1000001)])
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 30))


def native() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "scrim.core._picture", reason="the extension in C was not built: no compiler"
    )
    return module


def output(size: tuple[int, int], span: tuple[float, float]) -> tuple[OutputSpec, TensorInfo]:
    spec = OutputSpec("alpha", *size, 1, span, "float32", 0, 1)
    return spec, TensorInfo("out", spec.tensor_shape, "float32")


def by_numpy(spec: OutputSpec, info: TensorInfo, tensor: NDArray[np.float32]) -> NDArray[np.uint8]:
    shares = codec.make_shares(spec, info, tensor.shape)(tensor)
    mask = np.zeros(shares.shape, np.uint8)
    codec._to_bytes(shares, mask)
    return mask[0]


@given(span=SPANS)
def test_every_byte_becomes_what_the_table_says(span: tuple[float, float]):
    spec = InputSpec(16, 16, 1, span, "float32")
    info = TensorInfo("in", (1, 16, 16, 1), "float32")
    tensor = np.full(info.shape, 7, np.float32)
    codec.make_feed(spec, info)(BYTES.reshape(16, 16, 1), tensor)
    expected = (span[0] + BYTES.astype(np.float64) / 255 * (span[1] - span[0])).astype(np.float32)
    assert np.array_equal(tensor.reshape(-1), expected)


def test_a_table_that_the_extension_does_not_hit_is_looked_up():
    table = (BYTES.astype(np.float32) / 255) ** 2
    tensor = np.zeros((1, 1, 256, 1), np.float32)
    codec.best_float_feed(table, 0.0, 1 / 255)(BYTES.reshape(1, 256, 1), tensor)
    assert np.array_equal(tensor.reshape(-1), table)


@given(size=SIZES)
def test_a_picture_goes_in_as_it_is(size: tuple[int, int]):
    feed = native().feed
    picture = np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 3), np.uint8)
    memory = np.full(picture.size + 32, 7, np.float32)
    feed(memory[16:-16].reshape(1, *picture.shape), picture, 0.0, 1.0, 0.0)
    assert np.array_equal(memory[16:-16], picture.reshape(-1))
    assert (memory[:16] == 7).all()
    assert (memory[-16:] == 7).all()


@given(seed=st.integers(0, 2**32 - 1), size=SIZES, span=SPANS)
def test_both_read_the_same_mask(seed: int, size: tuple[int, int], span: tuple[float, float]):
    native()
    random = np.random.default_rng(seed)
    spec, info = output(size, span)
    low, high = span
    tensor = low + (high - low) * random.uniform(-0.1, 1.1, info.shape)
    tensor[random.random(info.shape) < 0.3] = low + (high - low) * (random.integers(0, 511) + 0.5) / 255 / 2
    floats = tensor.astype(np.float32)
    reader = codec.MaskReader(spec, info)
    assert reader.read(floats)
    assert np.array_equal(reader.mask, by_numpy(spec, info, floats))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none_leaves_the_mask_as_it_was(bad: float):
    native()
    spec, info = output((21, 5), (0.0, 1.0))
    reader = codec.MaskReader(spec, info)
    assert reader.read(np.full(info.shape, 0.2, np.float32))
    for at in range(21 * 5):
        tensor = np.ones(info.shape, np.float32)
        tensor.reshape(-1)[at] = bad
        assert not reader.read(tensor)
    assert (reader.mask == 51).all()


def test_the_greatest_numbers_are_cut():
    native()
    spec, info = output((4, 1), (0.0, 1.0))
    reader = codec.MaskReader(spec, info)
    assert reader.read(np.array([3.4e38, -3.4e38, 1e-45, -0.0], np.float32).reshape(info.shape))
    assert reader.mask.tolist() == [[255, 0, 0, 0]]


def test_what_does_not_fit_together_is_refused():
    read_shares = native().read_shares
    floats, plane = np.zeros((3, 4), np.float32), np.zeros((3, 4), np.uint8)

    def refuses(why: str, mask: object, tensor: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            read_shares(mask, tensor, 0.0, 1.0)

    refuses("contiguous", plane[:, :2], floats)
    refuses("contiguous", plane, floats[:, :2])
    refuses("tensor: wants 12 floats", plane, floats[:2])
    refuses("tensor: wants 8 floats", plane[:2], floats)
    refuses("tensor: wants 12 floats", plane, floats.view(np.int32))
    refuses("tensor: wants 6 floats", plane[:, :2].copy(), floats.astype(float))
    refuses("mask: wants bytes", floats, floats)
    refuses(
        "tensor: wants 12 floats, aligned", plane, np.zeros(49, np.uint8)[1:].view(np.float32).reshape(3, 4)
    )
    frozen = plane.copy()
    frozen.flags.writeable = False
    refuses("read-only|writable", frozen, floats)
    feed = native().feed
    for tensor, picture in ((floats[:2], plane), (floats.view(np.int32), plane), (floats[:, :2], plane)):
        with pytest.raises((ValueError, BufferError), match=r"tensor: wants 12 floats|contiguous"):
            feed(tensor, picture, 0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="wants bytes"):
        feed(floats, floats, 0.0, 1.0, 0.0)
    floats.flags.writeable = False
    with pytest.raises((ValueError, BufferError), match=r"read-only|writable"):
        feed(floats, plane, 0.0, 1.0, 0.0)

"""A tensor read in C and by NumPy: the same bytes."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.segment import codec
from scrim.core.segment.model import OutputSpec
from scrim.core.segment.tensors import TensorInfo

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

"""Packing and unpacking in C and by OpenCV: the same bytes."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core import interleave

HALVES = st.tuples(st.integers(1, 70), st.integers(1, 20))
SEEDS = st.integers(0, 2**32 - 1)

Bytes = NDArray[np.uint8]


@pytest.fixture(scope="module")
def native() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "scrim.core._packed", reason="the extension in C was not built: no compiler"
    )
    return module


def noise(random: np.random.Generator, rows: int, columns: int, padding: int = 0) -> Bytes:
    """Contiguous rows that may lie apart."""
    return random.integers(0, 256, (rows, columns + padding), np.uint8)[:, :columns]


@given(half=HALVES, seed=SEEDS)
def test_both_unpack_yuyv_alike_and_pack_it_again(native: ModuleType, half: tuple[int, int], seed: int):
    columns, rows = half
    random = np.random.default_rng(seed)
    packed = noise(random, 2 * rows, 4 * columns)
    made = []
    for unpack in (native.unpack_yuyv, interleave.OpenCVUnpackYuyv((2 * columns, 2 * rows))):
        planes = [np.full(shape, 77, np.uint8) for shape in ((2 * rows, 2 * columns), half[::-1], half[::-1])]
        unpack(*planes, packed)
        made.append(planes)
    for one, other in zip(*made, strict=True):
        assert np.array_equal(one, other)
    again = [np.full_like(packed, 77) for _ in range(2)]
    native.pack_yuyv(again[0], *made[0])
    interleave.opencv_pack_yuyv(again[1], *made[0])
    assert np.array_equal(*again)


@given(half=HALVES, padding=st.integers(0, 9), seed=SEEDS)
def test_rows_may_lie_apart(native: ModuleType, half: tuple[int, int], padding: int, seed: int):
    columns, rows = half
    random = np.random.default_rng(seed)
    packed = noise(random, 2 * rows, 4 * columns, padding)
    y, u, v = (
        noise(random, *shape, padding)
        for shape in ((2 * rows, 2 * columns), (rows, columns), (rows, columns))
    )
    native.unpack_yuyv(y, u, v, packed)
    assert np.array_equal(y, packed[:, 0::2])
    sums = packed[0::2].astype(float) + packed[1::2]
    assert np.array_equal(u, np.rint(sums / 2)[:, 1::4])
    assert np.array_equal(v, np.rint(sums / 2)[:, 3::4])
    native.pack_yuyv(packed, y, u, v)
    assert np.array_equal(packed[1::2, 1::4], u)
    assert np.array_equal(packed[0::2, 3::4], v)
    assert np.array_equal(packed[:, 0::2], y)


@given(half=HALVES, seed=SEEDS)
def test_both_split_pairs_alike_and_join_them_again(native: ModuleType, half: tuple[int, int], seed: int):
    columns, rows = half
    pairs = noise(np.random.default_rng(seed), rows, 2 * columns)
    made = []
    for split in (native.split, interleave.opencv_split):
        planes = [np.full((rows, columns), 77, np.uint8) for _ in range(2)]
        split(*planes, pairs)
        made.append(planes)
    for one, other in zip(*made, strict=True):
        assert np.array_equal(one, other)
    for join in (native.join, interleave.opencv_join):
        again = np.full_like(pairs, 77)
        join(again, *made[0])
        assert np.array_equal(again, pairs)


def test_the_extension_is_taken_where_it_is_built(native: ModuleType):
    assert interleave.best_unpack_yuyv((8, 4)) is native.unpack_yuyv
    assert interleave.best_pack_yuyv() is native.pack_yuyv
    assert (interleave.best_split(), interleave.best_join()) == (native.split, native.join)


def test_what_does_not_fit_together_is_refused(native: ModuleType):
    y, half, packed, pairs = (np.zeros(shape, np.uint8) for shape in ((4, 8), (2, 4), (4, 16), (2, 8)))

    def refuses(why: str, call: object, *planes: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            call(*planes)  # type: ignore[operator]

    refuses("y: is 8 x 3, wants 8 x 4", native.unpack_yuyv, y[:3], half, half, packed)
    refuses("v: is 4 x 1, wants 4 x 2", native.unpack_yuyv, y, half, half[:1], packed)
    refuses("packed: is 14 x 4, wants 16 x 4", native.pack_yuyv, packed[:, :14], y, half, half)
    refuses("pairs: is 7 x 2, wants 8 x 2", native.split, half, half.copy(), pairs[:, :7])
    refuses("u: wants a plane of bytes", native.join, pairs, half.astype(float), half)
    refuses("u: wants a plane of bytes", native.split, pairs[:, ::2], half, pairs)
    refuses("u: is 0 x 2; allowed are", native.split, half[:, :0], half[:, :0].copy(), pairs[:, :0])
    frozen = pairs.copy()
    frozen.flags.writeable = False
    refuses("read-only|writable", native.join, frozen, half, half)
    refuses("arguments", native.join, pairs, half)

"""JPEG's range and video's, in C and by tables: the same bytes, rounded once."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core import ranges
from scrim.video_range import chroma_to_full, luma_to_full

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 130))
SEEDS = st.integers(0, 2**32 - 1)
ALL = np.arange(256, dtype=np.uint8)[None]

Bytes = NDArray[np.uint8]


@pytest.fixture(scope="module")
def native() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "scrim.core._ranges", reason="the extension in C was not built: no compiler"
    )
    return module


def noise(random: np.random.Generator, rows: int, columns: int, padding: int = 0) -> Bytes:
    """Contiguous rows that may lie apart."""
    return random.integers(0, 256, (rows, columns + padding), np.uint8)[:, :columns]


def samplings(rows: int, columns: int) -> list[tuple[int, int]]:
    """The planes of 4:2:0, 4:2:2, 4:4:0, 4:4:4 and 4:1:1 that become one of that shape."""
    widths = (columns, 2 * columns, (columns + 1) // 2)
    return [(height, width) for height in (rows, 2 * rows) for width in widths]


def chroma_of(plane: Bytes, rows: int, columns: int) -> NDArray[np.float64]:
    """The means of samples in video's range, not rounded."""
    wide = plane.astype(float)
    if wide.shape[1] < columns:
        wide = wide.repeat(2, axis=1)[:, :columns]
    means = wide.reshape(rows, wide.shape[0] // rows, columns, wide.shape[1] // columns).mean(axis=(1, 3))
    exact: NDArray[np.float64] = (means - 128) * (224 / 255) + 128
    return exact


def test_every_level_is_rounded_exactly(native: ModuleType) -> None:
    for narrow in (ranges.NativeNarrow(), ranges.NumpyNarrow((1, 256))):
        got = np.empty_like(ALL)
        narrow.luma(got, ALL)
        assert np.array_equal(got, np.rint(ALL * (219 / 255) + 16))
        narrow.chroma(got, ALL)
        assert np.array_equal(got, np.rint((ALL - 128.0) * (224 / 255) + 128))
    for widen, table in (
        (native.widen_luma, luma_to_full()),
        (native.widen_chroma, chroma_to_full()),
    ):
        widen(got, ALL)
        assert np.array_equal(got[0], table)


def test_there_and_back_again_is_where_it_was(native: ModuleType) -> None:
    """Video's levels are fewer, so each survives."""
    levels = [
        (native.widen_luma, native.narrow_luma, ALL[:, 16:236]),
        (native.widen_chroma, native.narrow_chroma, ALL[:, 16:241]),
    ]
    for widen, narrow, video in levels:
        full, again = np.empty_like(video), np.empty_like(video)
        widen(full, video)
        assert (full[0, 0], full[0, -1]) == (0, 255)
        narrow(again, full)
        assert np.array_equal(again, video)


@given(shape=SHAPES, seed=SEEDS, padding=st.integers(0, 9))
def test_both_narrow_alike_whatever_the_sampling(
    native: ModuleType, shape: tuple[int, int], seed: int, padding: int
) -> None:
    random = np.random.default_rng(seed)
    slow = ranges.NumpyNarrow(shape)
    for sampling in samplings(*shape):
        plane = noise(random, *sampling, padding)
        fast_result, slow_result = (noise(random, *shape, padding) for _ in range(2))
        native.narrow_chroma(fast_result, plane)
        slow.chroma(slow_result, plane)
        assert np.array_equal(fast_result, slow_result)
        assert np.abs(fast_result - chroma_of(plane, *shape)).max() <= 0.5 + 1e-9
    luma = noise(random, *shape, padding)
    native.narrow_luma(fast_result, luma)
    slow.luma(slow_result, np.ascontiguousarray(luma))
    assert np.array_equal(fast_result, slow_result)


@given(shape=SHAPES, seed=SEEDS, padding=st.integers(0, 9))
def test_both_widen_alike(native: ModuleType, shape: tuple[int, int], seed: int, padding: int) -> None:
    plane = noise(np.random.default_rng(seed), *shape, padding)
    for widen, table in (
        (native.widen_luma, luma_to_full()),
        (native.widen_chroma, chroma_to_full()),
    ):
        got = np.empty(shape, np.uint8)
        widen(got, plane)
        assert np.array_equal(got, table[plane])


def test_nothing_beside_the_rows_is_touched(native: ModuleType) -> None:
    for rows, columns in ((3, 1), (2, 33), (1, 64)):
        for sampling in samplings(rows, columns):
            around = np.full((rows + 2, columns + 8), 77, np.uint8)
            native.narrow_chroma(around[1:-1, 4:-4], np.full(sampling, 128, np.uint8))
            assert np.all(around[1:-1, 4:-4] == 128)
            around[1:-1, 4:-4] = 77
            assert np.all(around == 77)


def test_the_extension_is_taken_where_it_is_built(native: ModuleType) -> None:
    assert isinstance(ranges.best_narrow((2, 4)), ranges.NativeNarrow)
    assert ranges.best_widen() == (native.widen_luma, native.widen_chroma)


def test_what_does_not_fit_together_is_refused(native: ModuleType) -> None:
    to, of = np.zeros((4, 8), np.uint8), np.zeros((8, 16), np.uint8)

    def refuses(why: str, call: object, *planes: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            call(*planes)  # type: ignore[operator]

    refuses("of: is 16 x 8, wants 8 x 4", native.narrow_luma, to, of)
    refuses("of: is 7 x 4, wants 8 x 4", native.widen_luma, to, of[:4, :7])
    refuses("of: is 8 x 2, wants 8 x 4", native.widen_chroma, to, of[:2, :8])
    refuses("of: is 15 x 8, wants 8, 16 or 4 x 4 or 8", native.narrow_chroma, to, of[:, :15])
    refuses("of: is 8 x 7, wants 8, 16 or 4 x 4 or 8", native.narrow_chroma, to, of[:7, :8])
    refuses("of: is 8 x 1, wants 8, 16 or 4 x 4 or 8", native.narrow_chroma, to, of[:1, :8])
    refuses("of: wants a plane of bytes", native.narrow_chroma, to, of[:, ::2])
    refuses("to: wants a plane of bytes", native.narrow_luma, to.astype(float), of)
    refuses("to: is 0 x 4; allowed are", native.narrow_luma, to[:, :0], to[:, :0].copy())
    frozen = to.copy()
    frozen.flags.writeable = False
    refuses("read-only|writable", native.widen_luma, frozen, to)
    refuses("arguments", native.widen_luma, to)

"""The matte's arithmetic in C and by OpenCV: the same bytes."""

from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.matte.firm import firming
from scrim.core.matte.grid import Grid, Window
from scrim.core.matte.guided import NativeEdges, OpenCVEdges, best_edges, drawn_within
from scrim.core.matte.temporal import OpenCVSteady, best_steady

Bytes = NDArray[np.uint8]


def native() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "scrim.core.matte._edges", reason="the extension in C was not built: no compiler"
    )
    return module


def soft(random: np.random.Generator, shape: tuple[int, int]) -> Bytes:
    noise = random.integers(0, 256, shape, np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), float(random.choice([0.3, 1, 4]))), np.uint8)


def span(random: np.random.Generator, length: int) -> tuple[int, int]:
    """At least 5 of them: OpenCV takes less for a number."""
    begin = int(random.integers(0, length - 4))
    return begin, int(random.integers(begin + 5, length + 1))


@given(
    seed=st.integers(0, 2**32 - 1),
    cells=st.tuples(st.integers(5, 90), st.integers(5, 60)),
    mask_size=st.tuples(st.integers(1, 120), st.integers(1, 80)),
    is_noise=st.booleans(),
)
def test_both_draw_the_same_edges_in_any_window(
    seed: int, cells: tuple[int, int], mask_size: tuple[int, int], is_noise: bool
):
    native()
    random = np.random.default_rng(seed)
    # The frame may end within a coarse cell.
    grid = Grid.of_cells(2, (4 * cells[0] - 2 * (seed % 2), 4 * cells[1] - 2 * (seed // 2 % 2)))
    fine, missing = grid.shape(2), (grid.frame_size[1] // 2, grid.frame_size[0] // 2)
    mask = np.zeros(mask_size[::-1], np.uint8)
    mask[int(random.integers(mask_size[1])) :, int(random.integers(mask_size[0])) :] = random.choice(
        [255, 90]
    )
    if is_noise:
        mask = random.integers(0, 256, mask_size[::-1], np.uint8)
        mask[random.random(mask.shape) < 0.2] = 0
    planes = soft(random, missing), soft(random, missing), soft(random, missing)
    (left, right), (top, bottom) = span(random, cells[0]), span(random, cells[1])
    window = Window(left, top, right, bottom)
    made = [np.full(fine, 77, np.uint8) for _ in range(2)]
    drawn = [
        way(grid, mask_size).draw(mask, planes, window, out)
        for way, out in zip((OpenCVEdges, best_edges), made, strict=True)
    ]
    assert np.array_equal(*made)
    assert drawn[0] == drawn[1] == drawn_within(window, made[0])
    outside = made[1].copy()
    window.of(outside, 2)[:] = 77
    assert (outside == 77).all()


@pytest.mark.parametrize("columns", range(1, 7))
@pytest.mark.parametrize("rows", range(1, 7))
def test_a_person_who_fills_the_smallest_windows_is_drawn_whole(columns: int, rows: int):
    native()
    grid = Grid.of_cells(1, (2 * columns, 2 * rows))
    flat = np.full(grid.shape(2), 90, np.uint8)
    out = np.zeros_like(flat)
    mask, window = np.full((rows, columns), 255, np.uint8), Window(0, 0, columns, rows)
    whole = (0, 0, 2 * columns, 2 * rows), 255 * out.size
    assert best_edges(grid, (columns, rows)).draw(mask, (flat, flat, flat), window, out) == whole
    assert (out == 255).all()
    nothing = (0, 0, 0, 0), 0
    assert best_edges(grid, (columns, rows)).draw(mask * 0, (flat, flat, flat), window, out) == nothing
    assert not out.any()


@given(seed=st.integers(0, 2**32 - 1), size=st.tuples(st.integers(1, 90), st.integers(1, 60)))
def test_both_take_the_same_steps(seed: int, size: tuple[int, int]):
    native()
    random = np.random.default_rng(seed)
    shape = size[::-1]
    average = random.integers(0, 256, shape, np.uint8)
    averages = [average, average.copy()]
    steps = [OpenCVSteady(size), best_steady(size)]
    for number in range(4):
        near = cv2.GaussianBlur(averages[0], (5, 5), 1)
        mask = random.integers(0, 256, shape, np.uint8) if number == 2 else near
        mask = (mask * (random.random(shape) < 0.9)).astype(np.uint8)
        rects = [step(held, mask) for step, held in zip(steps, averages, strict=True)]
        assert np.array_equal(*averages)
        assert rects[0] == rects[1]


@given(
    seed=st.integers(0, 2**32 - 1),
    limits=st.tuples(st.integers(0, 256), st.integers(0, 256)),
    width=st.integers(1, 70),
)
def test_any_table_is_looked_up(seed: int, limits: tuple[int, int], width: int):
    """Pixels below and above what a table changes are not looked up; from an average that follows at once."""
    random = np.random.default_rng(seed)
    table = np.arange(256).astype(np.uint8)
    low, high = sorted(limits)
    table[:low] = 0
    table[low:high] = random.integers(0, 256, high - low, np.uint8)
    mask = random.integers(0, 256, (3, width), np.uint8)
    mask[1] = random.choice([0, 59, 60, 61, 255])
    average = np.asarray(cv2.bitwise_not(cv2.LUT(mask, table)))
    spare, at_once = np.empty(15 * (width + 8), np.float64), np.ones(256, np.float32)
    native().steady(average, mask, table, at_once, spare)
    assert np.array_equal(average, table[mask])


def test_the_extension_is_taken_where_it_is_built():
    native()
    assert isinstance(best_edges(Grid.for_frame((64, 48)), (64, 48)), NativeEdges)


def test_what_does_not_fit_together_is_refused():
    edges, steady, spare_bytes = (getattr(native(), name) for name in ("edges", "steady", "spare_bytes"))
    coarse, fine, spare = (
        np.zeros((3, 4), np.uint8),
        np.zeros((6, 8), np.uint8),
        np.zeros(spare_bytes(3, 4, 4), np.uint8),
    )
    rest = (0, 0, 4, 3), 6.5, 1.5, 60.0

    def refuses(why: str, call: object, *arguments: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            call(*arguments)  # type: ignore[operator]

    refuses("y: is 7 x 6, wants 8 x 6", edges, fine, coarse, fine[:, :7], fine, fine, spare, *rest)
    refuses("v: is 8 x 5, wants 8 x 6", edges, fine, coarse, fine, fine, fine[:5], spare, *rest)
    refuses("y: is 8 x 6, wants 4 x 2", edges, coarse, coarse, fine, fine, fine, spare, *rest)
    odd = fine[:, :7]
    refuses("y: is 7 x 6, wants 6 x 6", edges, odd, coarse, odd, odd, odd, spare, *rest)
    refuses("mask: is 4 x 0; allowed are", edges, fine, coarse[:0], fine, fine, fine, spare, *rest)
    high = np.broadcast_to(np.zeros(4, np.uint8), (2**40, 4))
    refuses("mask: is 4 x 1099511627776; allowed", edges, fine, high, fine, fine, fine, spare, *rest)
    refuses("u: wants a plane of bytes", edges, fine, coarse, fine, fine.astype(float), fine, spare, *rest)
    refuses("spare: has 8 bytes, wants", edges, fine, coarse, fine, fine, fine, spare[:8], *rest)
    shifted = np.zeros(spare.size + 8, np.uint8)[1:-1]
    refuses("spare: has", edges, fine, coarse, fine, fine, fine, shifted, *rest)
    larger = np.zeros((3, 400), np.uint8)
    refuses("spare: has", edges, fine, larger, fine, fine, fine, spare, *rest)
    for window in ((-1, 0, 4, 3), (0, -1, 4, 3), (0, 0, 5, 3), (0, 0, 4, 4), (2, 0, 2, 3), (0, 2, 4, 1)):
        refuses("window: is empty, or", edges, fine, coarse, fine, fine, fine, spare, window, *rest[1:])
    tables = firming(), np.zeros(256, np.float32)
    refuses("average: is 8 x 6, wants 4 x 3", steady, fine, coarse, *tables, spare)
    refuses("table: wants 256 of 1 bytes", steady, coarse, coarse.copy(), tables[0][1:], tables[1], spare)
    refuses("gain: wants 256 of 4 bytes", steady, coarse, coarse.copy(), tables[0], tables[1][:9], spare)
    refuses("spare: has 8 bytes, wants", steady, coarse, coarse.copy(), *tables, spare[:8])
    frozen = coarse.copy()
    frozen.flags.writeable = False
    refuses("read-only|writable", steady, frozen, coarse, *tables, spare)

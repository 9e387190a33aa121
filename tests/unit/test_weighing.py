"""Weighing before the blur of the room and dividing after it, in C and by OpenCV: the same bytes."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.core.composite.weighing import OpenCVWeighing, best_weighing


def native() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "scrim.core.composite._blur", reason="the extension in C was not built: no compiler"
    )
    return module


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(3, 60), st.integers(3, 60)),
    count=st.integers(1, 3),
    most=st.sampled_from([0, 15, 17, 255]),
)
def test_both_ways_are_one(seed: int, shape: tuple[int, int], count: int, most: int):
    random = np.random.default_rng(seed)
    planes = tuple(random.integers(0, 256, (shape[0], shape[1] + 9), np.uint8)[:, 4:-5] for _ in range(count))
    alpha = random.integers(0, most + 1, shape, np.uint8)
    mixed, made, means = [], [], []
    for way in (OpenCVWeighing(shape), native()):
        mixed.append(np.full((*shape, count + 1), 77, np.float32))
        means.append(way.weigh(mixed[-1], alpha, planes, 16))
        made.append(tuple(np.full(shape, 77, np.uint8) for _ in planes))
        way.divide(
            mixed[-1], made[-1], 0.02, tuple(0.02 * mean for mean in means[-1] or planes[0][0, :count])
        )
    assert np.array_equal(*mixed)
    assert np.array_equal(*made)
    assert means[0] == means[1]
    assert bool(means[0]) == (alpha < 16).any()


def test_what_does_not_fit_together_is_refused():
    weigh, divide = native().weigh, native().divide
    plane, mixed = np.zeros((3, 4), np.uint8), np.zeros((3, 4, 2), np.float32)

    def refuses(why: str, call: object, *arguments: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            call(*arguments)  # type: ignore[operator]

    refuses("alpha: is 3 x 3, wants 4 x 3", weigh, mixed, plane[:, :3], (plane,), 16)
    refuses("planes: is 4 x 2, wants 4 x 3", weigh, mixed, plane, (plane[:2],), 16)
    refuses("planes: one, two or three", weigh, mixed, plane, (), 16)
    refuses("planes: one, two or three", weigh, mixed, plane, (plane,) * 4, 16)
    refuses("wants floats, .rows, columns, 3", weigh, mixed, plane, (plane, plane), 16)
    refuses("wants floats", weigh, mixed.astype(float), plane, (plane,), 16)
    refuses("steepness", weigh, mixed, plane, (plane,), 256)
    refuses("wants a plane of bytes", weigh, mixed, plane, (np.zeros((3, 8), np.uint8)[:, ::2],), 16)
    refuses("contiguous", weigh, mixed[:, ::2], plane[:, ::2], (plane[:, :2],), 16)
    refuses("offsets: one for each", divide, mixed, (plane,), 0.02, ())
    refuses("real number", divide, mixed, (plane,), 0.02, ("no number",))
    frozen = plane.copy()
    frozen.flags.writeable = False
    refuses("read-only|writable", divide, mixed, (frozen,), 0.02, (1.0,))


def test_the_extension_is_taken_where_it_is_built():
    assert best_weighing((3, 4)) is native()

"""Both ways to mix pictures: exactly rounded, and the same bytes."""

from functools import partial

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.composite.blend import Blend, NativeBlend, OpenCVBlend, best_blend
from scrim.frame import Coarse, Matte, Plane, Planes

WIDTH, HEIGHT = 256, 512
Bytes = NDArray[np.uint8]


def native() -> Blend:
    planes = pytest.importorskip("scrim.core._planes", reason="the extension in C was not built: no compiler")
    return NativeBlend(planes.blend)


@pytest.fixture(params=["native", "opencv"])
def blend(request: pytest.FixtureRequest) -> Blend:
    return native() if request.param == "native" else OpenCVBlend(WIDTH)


def everything() -> tuple[Planes, Bytes]:
    """A picture with all values, each beside all alphas, in luma, and the alphas."""
    value, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    values, alphas = (np.ascontiguousarray(np.tile(plane, (2, 1))) for plane in (value, alpha))
    return Planes(values, values[: HEIGHT // 2, : WIDTH // 2], values[: HEIGHT // 2, : WIDTH // 2]), alphas


def whole(y: Bytes, uv: Bytes) -> Matte:
    return Matte(y, uv, (0, 0, y.shape[1], y.shape[0]), 0.5)


def flat(alpha: int) -> Matte:
    return whole(
        np.full((HEIGHT, WIDTH), alpha, np.uint8), np.full((HEIGHT // 2, WIDTH // 2), alpha, np.uint8)
    )


def empty() -> Planes:
    return Planes.of(np.full((HEIGHT * 3 // 2, WIDTH), 77, np.uint8))


def coarse(planes: Planes) -> tuple[Coarse, Coarse, Coarse]:
    return Coarse(planes.y), Coarse(planes.u), Coarse(planes.v)


def test_over_black_each_product_is_rounded_to_the_nearest(blend):
    camera, alpha = everything()
    out, black = empty(), Planes.of(np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8))
    blend(out, camera, coarse(black), whole(alpha, alpha[: HEIGHT // 2, : WIDTH // 2]))
    for plane, value in zip(out, camera, strict=True):
        share = alpha[: plane.shape[0], : plane.shape[1]]
        assert np.array_equal(plane, np.round(value.astype(float) * share / 255))


def test_alpha_0_is_the_background_and_255_the_camera(blend):
    camera, _ = everything()
    behind = Planes(255 - camera.y, 255 - camera.u, 255 - camera.v)
    out = empty()
    blend(out, camera, coarse(behind), flat(0))
    assert all(np.array_equal(*pair) for pair in zip(out, behind, strict=True))
    blend(out, camera, coarse(behind), flat(255))
    assert all(np.array_equal(*pair) for pair in zip(out, camera, strict=True))


def padded(random: np.random.Generator, shape: tuple[int, int], levels: list[int] | None = None) -> Plane:
    """Random bytes whose rows do not follow each other."""
    rows, columns = shape
    wide = (rows, columns + int(random.integers(0, 40)))
    plane = random.integers(0, 256, wide, np.uint8) if levels is None else random.choice(levels, wide)
    return plane.astype(np.uint8)[:, wide[1] - columns :]


def picture(random: np.random.Generator, size: tuple[int, int]) -> Planes:
    width, height = size
    half = (height // 2, width // 2)
    return Planes(padded(random, (height, width)), padded(random, half), padded(random, half))


def cells_of(random: np.random.Generator, size: tuple[int, int], step: int) -> Plane:
    """A matte on a coarse grid, with large parts of 0 and of 255."""
    columns, rows = (-(-side // (2 * step)) * 2 for side in size)
    rough = random.choice([0, 255, 255, 0, 90], (rows // 6 + 2, columns // 6 + 2)).astype(np.uint8)
    smooth = cv2.resize(rough, (columns + 7, rows), interpolation=random.choice([0, 1]))
    return np.asarray(smooth, np.uint8)[:, :columns]


def drawn(cells: Plane, step: int, size: tuple[int, int], box: tuple[int, int, int, int]) -> Matte:
    width, height = size

    def enlarged(factor: int, shape: tuple[int, int]) -> Plane:
        rows, columns = cells.shape
        if factor == 1:
            return cells[: shape[0], : shape[1]]
        large = cv2.resize(cells, (columns * factor, rows * factor), interpolation=cv2.INTER_LINEAR_EXACT)
        return np.asarray(large, np.uint8)[: shape[0], : shape[1]]

    return Matte(
        partial(enlarged, step, (height, width)),
        partial(enlarged, step // 2, (height // 2, width // 2)),
        box,
        0.5,
        Coarse(cells, step),
    )


def rooms(random: np.random.Generator, size: tuple[int, int]) -> tuple[Coarse, Coarse, Coarse]:
    """A background whose planes are kept small, or not."""
    made = []
    for width, height in (size, (size[0] // 2, size[1] // 2), (size[0] // 2, size[1] // 2)):
        factor = int(random.choice([f for f in (1, 2, 4, 8) if width % f == 0 and height % f == 0]))
        made.append(Coarse(padded(random, (height // factor, width // factor)), factor))
    return made[0], made[1], made[2]


SIDES = st.one_of(st.integers(1, 20), st.integers(1, 150), st.integers(1, 18).map(lambda side: 8 * side))


@given(seed=st.integers(0, 2**32 - 1), half=st.tuples(SIDES, SIDES), step=st.sampled_from([0, 2, 4]))
def test_both_give_the_same_bytes(seed, half, step):
    random = np.random.default_rng(seed)
    size = width, height = 2 * half[0], 2 * half[1]
    camera, behind = picture(random, size), rooms(random, size)
    left, right = sorted(2 * random.integers(0, half[0] + 1, 2))
    top, bottom = sorted(2 * random.integers(0, half[1] + 1, 2))
    box = (int(left), int(top), int(right), int(bottom)) if random.integers(2) else (0, 0, width, height)
    levels = [0, 0, 255, 255, int(random.integers(256))]
    matte = (
        drawn(cells_of(random, size, step), step, size, box)
        if step
        else Matte(padded(random, (height, width), levels), padded(random, half[::-1], levels), box, 0.5)
    )
    made = []
    for way in (OpenCVBlend(width), native()):
        memory = np.full(height * width * 3 // 2 + 128, 77, np.uint8)
        way(Planes.of(memory[64:-64].reshape(-1, width)), camera, behind, matte)
        made.append(memory)
    assert np.array_equal(*made)
    assert (made[0][:64] == 77).all()
    assert (made[0][-64:] == 77).all()


def test_what_is_no_plane_is_refused():
    planes = pytest.importorskip("scrim.core._planes", reason="the extension in C was not built: no compiler")
    plane, box = np.zeros((4, 6), np.uint8), (0, 0, 6, 4)
    every_second = np.zeros((4, 12), np.uint8)[:, ::2]
    frozen = plane.copy()
    frozen.flags.writeable = False

    def refuses(why: str, *arguments: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            planes.blend(*arguments)

    refuses("camera differ in shape", plane, plane[:, :5], plane, 1, plane, 1, box)
    refuses("behind: is smaller", plane, plane, plane[:1, :3], 2, plane, 1, box)
    refuses("alpha: is smaller", plane, plane, plane, 1, plane[:1], 2, box)
    refuses("camera: wants a plane of bytes", plane, every_second, plane, 1, plane, 1, box)
    refuses("out: wants a plane of bytes", np.zeros((4, 6), np.uint16), plane, plane, 1, plane, 1, box)
    refuses("alpha: wants a plane of bytes", plane, plane, plane, 1, np.zeros(24, np.uint8), 1, box)
    refuses("behind: factor = 3; allowed are", plane, plane, plane, 3, plane, 1, box)
    refuses("alpha: factor = 0", plane, plane, plane, 1, plane, 0, box)
    refuses("alpha: factor = -8", plane, plane, plane, 1, plane, -8, box)
    for wrong in ((-2, 0, 6, 4), (0, -2, 6, 4), (0, 0, 8, 4), (0, 0, 6, 6)):
        refuses("box: reaches out", plane, plane, plane, 1, plane, 1, wrong)
    refuses("read-only|writable", frozen, plane, plane, 1, plane, 1, box)
    refuses("plane of bytes", plane, plane, plane, 1, b"no plane", 1, box)
    wide = np.zeros((1, 8208), np.uint8)
    refuses("wider than 8192", wide, wide, wide, 1, wide, 1, (0, 0, 8208, 1))
    refuses("differ in shape|smaller|wider", np.zeros((2, 8200), np.uint8), wide, wide, 1, wide, 1, box)
    planes.blend(plane, plane.copy(), plane.copy(), 1, plane.copy(), 1, (4, 2, 2, 0))


@pytest.mark.parametrize("shape", [(0, 0), (0, 6), (4, 0)])
def test_a_plane_without_pixels_stays_one(shape):
    planes = pytest.importorskip("scrim.core._planes", reason="the extension in C was not built: no compiler")
    none = np.zeros(shape, np.uint8)
    planes.blend(none, none, none, 8, none, 4, (0, 0, *shape[::-1]))


def test_the_extension_is_taken_where_it_is_built():
    assert isinstance(best_blend(WIDTH), type(native()))

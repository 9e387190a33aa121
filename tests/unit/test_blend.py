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


def empty() -> Plane:
    return np.full((HEIGHT * 3 // 2, WIDTH), 77, np.uint8)


def coarse(planes: Planes) -> tuple[Coarse, Coarse, Coarse]:
    return Coarse(planes.y), Coarse(planes.u), Coarse(planes.v)


def test_over_black_each_product_is_rounded_to_the_nearest(blend):
    camera, alpha = everything()
    out, black = empty(), Planes.of(np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8))
    blend(out, camera, coarse(black), whole(alpha, alpha[: HEIGHT // 2, : WIDTH // 2]))
    for plane, value in zip(Planes.of(out), camera, strict=True):
        share = alpha[: plane.shape[0], : plane.shape[1]]
        assert np.array_equal(plane, np.round(value.astype(float) * share / 255))


def test_alpha_0_is_the_background_and_255_the_camera(blend):
    camera, _ = everything()
    behind = Planes(255 - camera.y, 255 - camera.u, 255 - camera.v)
    out = empty()
    blend(out, camera, coarse(behind), flat(0))
    assert all(np.array_equal(*pair) for pair in zip(Planes.of(out), behind, strict=True))
    blend(out, camera, coarse(behind), flat(255))
    assert all(np.array_equal(*pair) for pair in zip(Planes.of(out), camera, strict=True))


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
        way(memory[64:-64].reshape(-1, width), camera, behind, matte)
        made.append(memory)
    assert np.array_equal(*made)
    assert (made[0][:64] == 77).all()
    assert (made[0][-64:] == 77).all()


def test_what_is_no_plane_is_refused():
    planes = pytest.importorskip("scrim.core._planes", reason="the extension in C was not built: no compiler")
    out, y, c, box = (
        np.zeros((6, 6), np.uint8),
        np.zeros((4, 6), np.uint8),
        np.zeros((2, 3), np.uint8),
        (0, 0, 6, 4),
    )
    frozen = out.copy()
    frozen.flags.writeable = False
    right = {
        "out": out,
        "camera": (y, c, c),
        "behind": ((y, 1), (c, 1), (c, 1)),
        "luma": (y, 1),
        "chroma": (c, 1),
    }

    def refuses(why: str, **wrong: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            planes.blend(*({**right, "box": box} | wrong).values())

    refuses("camera differ in shape", camera=(y[:, :5], c, c))
    for camera in ((y, c[:1], c), (y, c, c[:, :2])):
        refuses("camera differ in shape", camera=camera)
    for at, plane in enumerate((y[:1, :3], c[:1, :1], c[:1, :1])):
        behind = [*right["behind"]]
        behind[at] = (plane, 2)
        refuses("behind: is smaller", behind=tuple(behind))
        behind[at] = (plane, 3)
        refuses("behind: factor = 3; allowed are", behind=tuple(behind))
    refuses("alpha: is smaller", luma=(y[:1], 2))
    refuses("alpha: is smaller", chroma=(c[:, :2], 1))
    refuses("camera: wants a plane of bytes", camera=(np.zeros((4, 12), np.uint8)[:, ::2], c, c))
    refuses("out: wants a plane of bytes", out=np.zeros((6, 6), np.uint16))
    refuses("alpha: wants a plane of bytes", luma=(np.zeros(24, np.uint8), 1))
    refuses("alpha: factor = 0", luma=(y, 0))
    refuses("alpha: factor = -8", chroma=(c, -8))
    for shape in ((5, 6), (6, 5), (6, 7)):
        refuses("no picture of I420", out=np.zeros((6, 8), np.uint8)[: shape[0], : shape[1]])
    for wrong in ((-2, 0, 6, 4), (0, -2, 6, 4), (0, 0, 8, 4), (0, 0, 6, 6)):
        refuses("box: reaches out", box=wrong)
    refuses("read-only|writable", out=frozen)
    refuses("plane of bytes", luma=(b"no plane", 1))
    refuses("wider than 8192", out=np.zeros((6, 8208), np.uint8))
    wide, half = np.zeros((4, 8200), np.uint8), np.zeros((2, 4100), np.uint8)
    refuses("out: is too wide", out=np.zeros((6, 8200), np.uint8), camera=(wide, half, half))
    for unlike in ({"camera": (y, c)}, {"behind": (y, c, c)}, {"luma": y}, {"box": (0, 0, 6)}):
        refuses("tuple|sequence|length|int", **unlike)
    planes.blend(*right.values(), (4, 2, 2, 0))


@pytest.mark.parametrize("shape", [(0, 0), (0, 6), (6, 0)])
def test_a_picture_without_pixels_stays_one(shape):
    planes = pytest.importorskip("scrim.core._planes", reason="the extension in C was not built: no compiler")
    rows, columns = shape
    none, chroma = np.zeros((rows * 2 // 3, columns), np.uint8), np.zeros((rows // 3, columns // 2), np.uint8)
    whole = np.zeros(shape, np.uint8)
    planes.blend(
        whole,
        (none, chroma, chroma),
        ((none, 8), (chroma, 4), (chroma, 4)),
        (none, 4),
        (chroma, 2),
        (0, 0, 0, 0),
    )


def test_the_extension_is_taken_where_it_is_built():
    assert isinstance(best_blend(WIDTH), type(native()))

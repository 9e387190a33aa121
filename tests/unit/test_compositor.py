"""The blend: exact at both ends, close in between, inside the box and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.core.composite.compositor import Compositor
from scrim.core.composite.replace import PictureBackground
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, FramePool, Matte, Plane, Planes, SafeFrame

SIZE = (96, 64)
WIDTH, HEIGHT = SIZE
WHOLE = (0, 0, WIDTH, HEIGHT)


def noise(seed: int) -> Plane:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT * 3 // 2, WIDTH), np.uint8)


CAMERA, BEHIND = noise(1), noise(2)


def matte(y: Plane, box: tuple[int, int, int, int] = WHOLE) -> Matte:
    return Matte(y, np.ascontiguousarray(y[::2, ::2]), box, float(y.mean() / 255))


def flat(alpha: int) -> Plane:
    return np.full((HEIGHT, WIDTH), alpha, np.uint8)


def composed(person: Matte, pool: FramePool | None = None) -> SafeFrame:
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(Planes.of(CAMERA), 123, 45))
    background = PictureBackground(BEHIND)
    safe = Compositor(SIZE, pool or FramePool(SIZE, 1)).compose(pyramid, person, background, 6)
    assert safe is not None
    return safe


def exact(alpha: Plane) -> np.ndarray:
    shares = [alpha, alpha[::2, ::2], alpha[::2, ::2]]
    planes = zip(Planes.of(CAMERA), Planes.of(BEHIND), shares, strict=True)
    mixed = [camera * (a / 255.0) + behind * (1 - a / 255.0) for camera, behind, a in planes]
    return np.concatenate([plane.reshape(-1) for plane in mixed]).reshape(CAMERA.shape)


def test_alpha_0_is_the_background_byte_for_byte():
    assert np.array_equal(composed(matte(flat(0))).i420, BEHIND)


def test_alpha_255_is_the_camera_byte_for_byte():
    assert np.array_equal(composed(matte(flat(255))).i420, CAMERA)


@pytest.mark.parametrize("alpha", range(256))
def test_between_them_it_is_within_1_of_exact(alpha: int):
    difference = composed(matte(flat(alpha))).i420 - exact(flat(alpha))
    assert np.abs(difference).max() <= 1


@given(st.integers(0, 1000))
def test_each_pixel_has_its_own_alpha(seed: int):
    alpha = np.random.default_rng(seed).choice([0, 255, 1, 128, 254], (HEIGHT, WIDTH)).astype(np.uint8)
    result = composed(matte(alpha)).i420
    assert np.abs(result - exact(alpha)).max() <= 1
    assert np.array_equal(result[:HEIGHT][alpha == 0], BEHIND[:HEIGHT][alpha == 0])
    assert np.array_equal(result[:HEIGHT][alpha == 255], CAMERA[:HEIGHT][alpha == 255])


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (10, 4, 50, 60), (0, 0, 2, 2), (94, 62, 96, 64), (0, 30, 96, 32), WHOLE], ids=str
)
def test_outside_the_box_there_is_background_only(box: tuple[int, int, int, int]):
    left, top, right, bottom = box
    alpha = flat(0)
    alpha[top:bottom, left:right] = 255
    whole, boxed = composed(matte(alpha)), composed(matte(alpha, box))
    assert np.array_equal(whole.i420, boxed.i420)
    assert np.array_equal(boxed.planes.y[top:bottom, left:right], Planes.of(CAMERA).y[top:bottom, left:right])


def test_what_is_outside_the_box_is_background_even_where_alpha_says_otherwise():
    safe = composed(matte(flat(255), (10, 4, 50, 60)))
    outside = flat(1).astype(bool)
    outside[4:60, 10:50] = False
    assert np.array_equal(safe.planes.y[outside], Planes.of(BEHIND).y[outside])


@pytest.mark.parametrize("box", [(0, 0, 0, 0), WHOLE])
def test_every_pixel_is_written_whatever_the_buffer_held(box: tuple[int, int, int, int]):
    results = []
    for old in (0, 255):
        pool = FramePool(SIZE, 1)
        buffer = pool.lease()
        assert buffer is not None
        buffer[:] = old
        del buffer
        results.append(composed(matte(flat(100), box), pool).i420)
    assert np.array_equal(*results)


def test_the_safe_frame_is_the_camera_frame_s_successor():
    safe = composed(matte(flat(0)))
    assert (safe.pts_ns, safe.sequence, safe.origin, safe.revision) == (123, 45, "effect", 6)


def test_padded_camera_rows_do_no_harm():
    wide = np.zeros((HEIGHT, WIDTH + 32), np.uint8)
    wide[:, :WIDTH] = Planes.of(CAMERA).y
    planes = Planes(wide[:, :WIDTH], Planes.of(CAMERA).u, Planes.of(CAMERA).v)
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(planes, 0, 0))
    safe = Compositor(SIZE, FramePool(SIZE, 1)).compose(
        pyramid, matte(flat(255)), PictureBackground(BEHIND), 1
    )
    assert safe is not None
    assert np.array_equal(safe.i420, CAMERA)


def test_a_high_picture_is_blended_to_its_last_row():
    size = (32, 500)
    room, camera = np.zeros((750, 32), np.uint8), np.full((750, 32), 200, np.uint8)
    pyramid = Pyramid(size)
    pyramid.load(Frame(Planes.of(camera), 0, 0))
    alpha = np.full((500, 32), 51, np.uint8)
    person = Matte(alpha, np.ascontiguousarray(alpha[::2, ::2]), (0, 0, *size), 0.2)
    safe = Compositor(size, FramePool(size, 1)).compose(pyramid, person, PictureBackground(room), 1)
    assert safe is not None
    assert (safe.i420 == 40).all()


def test_with_every_buffer_out_there_is_no_frame_and_no_allocation():
    pool = FramePool(SIZE, 1)
    held = composed(matte(flat(0)), pool)
    pyramid = Pyramid(SIZE)
    frame = Frame(Planes.of(CAMERA), 0, 0)
    pyramid.load(frame)
    compositor = Compositor(SIZE, pool)
    assert compositor.compose(pyramid, matte(flat(0)), PictureBackground(BEHIND), 1) is None
    assert compositor.pass_raw(frame, 1) is None
    assert np.array_equal(held.i420, BEHIND)


def test_raw_is_a_copy_and_says_so():
    frame = Frame(Planes.of(CAMERA), 5, 6)
    safe = Compositor(SIZE, FramePool(SIZE, 1)).pass_raw(frame, 7)
    assert safe is not None
    assert np.array_equal(safe.i420, CAMERA)
    assert not np.shares_memory(safe.i420, CAMERA)
    assert (safe.pts_ns, safe.sequence, safe.origin, safe.revision) == (5, 6, "raw", 7)

"""The blurred room in C and by OpenCV: the same bytes, and a Gaussian."""

from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.core.composite.gaussian import (
    FULL,
    TAPS,
    NativeRoomBlur,
    OpenCVRoomBlur,
    RoomBlur,
    best_room_blur,
    gaussian,
)

WAYS = (OpenCVRoomBlur, best_room_blur)
SIGMAS_PX = st.sampled_from([0.1, 0.3, 1.0, 1.7, 2.4, 3.5, 7.0, 30.0])


def native() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "scrim.core.composite._blur", reason="the extension in C was not built: no compiler"
    )
    return module


@given(
    seed=st.integers(0, 2**32 - 1),
    # From two columns on: a plane of 4 x 1 OpenCV takes for a number in four parts.
    shape=st.tuples(st.integers(1, 60), st.integers(2, 100)),
    count=st.integers(1, 3),
    most=st.sampled_from([0, 8, 15, 17, 255]),
    sigma_px=SIGMAS_PX,
)
def test_both_ways_are_one(seed: int, shape: tuple[int, int], count: int, most: int, sigma_px: float):
    native()
    random = np.random.default_rng(seed)
    planes = tuple(random.integers(0, 256, (shape[0], shape[1] + 9), np.uint8)[:, 4:-5] for _ in range(count))
    alpha = random.integers(0, most + 1, (shape[0], shape[1] + 2), np.uint8)[:, 2:]
    if seed % 3 == 0:
        planes = tuple(np.where(plane > 127, 255, 0).astype(np.uint8) for plane in planes)
    made = []
    for way in WAYS:
        blur: RoomBlur = way(shape, sigma_px, count)
        memory = np.full((count, shape[0], shape[1] + 40), 77, np.uint8)
        for _ in range(2):  # nothing is left of one in the next
            blur.blur(alpha, planes, tuple(plane[:, 3:-37] for plane in memory))
        made.append(memory)
    assert np.array_equal(*made)
    assert (made[1][:, :, :3] == 77).all()
    assert (made[1][:, :, -37:] == 77).all()


@given(sigma_px=st.one_of(SIGMAS_PX, st.floats(0.05, 190)))
def test_the_taps_are_a_gaussian(sigma_px: float):
    taps = gaussian(sigma_px)
    assert taps[0] + 2 * taps[1:].sum() == TAPS
    assert np.array_equal(taps, np.rint(taps))
    assert (taps[1:] >= 0).all()
    exact = np.exp(-(np.arange(len(taps)) ** 2) / (2 * sigma_px**2))
    exact *= TAPS / (exact[0] + 2 * exact[1:].sum())
    # Rounded sums, and what lies beyond the last tap; twice that in the middle.
    assert np.abs(taps - exact).max() <= 2 + 0.002 * TAPS / sigma_px


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("level", [0, 1, 254, 255])
def test_a_plain_room_stays_as_it_is(way, level: int):
    native()
    room, out = np.full((30, 50), level, np.uint8), np.zeros((30, 50), np.uint8)
    alpha = np.zeros((30, 50), np.uint8)
    alpha[10:, 20:40] = 255
    way((30, 50), 2.4, 1).blur(alpha, (room,), (out,))
    assert (out[alpha == 0] == level).all()
    assert np.abs(out.astype(int) - level).max() <= 1


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_person_is_in_it(way):
    native()
    random = np.random.default_rng(0)
    alpha = np.zeros((30, 50), np.uint8)
    alpha[10:, 20:40] = random.integers(FULL, 256, (20, 20))
    rooms = [random.integers(0, 256, (30, 50), np.uint8) for _ in range(2)]
    rooms[1] = np.where(alpha > 0, rooms[1], rooms[0])
    made = [np.zeros((30, 50), np.uint8) for _ in rooms]
    for room, out in zip(rooms, made, strict=True):
        way((30, 50), 3.0, 1).blur(alpha, (room,), (out,))
    assert np.array_equal(*made)


@pytest.mark.parametrize("sigma_px", [1.0, 2.4, 3.5])
def test_without_a_person_it_is_the_gaussian_to_a_level(sigma_px: float):
    random = np.random.default_rng(0)
    room, out = random.integers(0, 256, (60, 90), np.uint8), np.zeros((60, 90), np.uint8)
    best_room_blur((60, 90), sigma_px, 1).blur(np.zeros_like(room), (room,), (out,))
    side = 2 * int(5 * sigma_px) + 1
    exact = cv2.GaussianBlur(room.astype(float), (side, side), sigma_px, borderType=cv2.BORDER_REFLECT)
    mean = room.mean()
    assert np.abs(out - (exact + 0.02 * mean) / 1.02).max() <= 1


def test_what_does_not_fit_together_is_refused():
    blur, spare_bytes = native().blur, native().spare_bytes
    plane, out = np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8)
    taps, spare = np.ones(3, np.float32), np.zeros(spare_bytes(3, 4, 1, 2) // 4, np.float32)

    def refuses(why: str, *arguments: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            blur(*arguments, 1300.0, 128)

    refuses("out: is 3 x 3, wants 4 x 3", (out[:, :3],), plane, (plane,), taps, spare)
    refuses("planes: is 4 x 2, wants 4 x 3", (out,), plane, (plane[:2],), taps, spare)
    refuses("planes: one, two or three", (), plane, (), taps, spare)
    refuses("planes: one, two or three", (out,) * 4, plane, (plane,) * 4, taps, spare)
    refuses("planes: one, two or three", (out,), plane, (plane,) * 2, taps, spare)
    refuses("wants a plane of bytes", (out,), plane, (np.zeros((3, 8), np.uint8)[:, ::2],), taps, spare)
    refuses("alpha: wants a plane of bytes", (out,), plane.astype(float), (plane,), taps, spare)
    refuses("alpha: is 4 x 0; allowed are", (out,), plane[:0], (plane,), taps, spare)
    huge = np.broadcast_to(np.zeros(4, np.uint8), (2**40, 4))
    refuses("alpha: is 4 x 1099511627776", (out,), huge, (plane,), taps, spare)
    refuses("taps: has 0 bytes", (out,), plane, (plane,), taps[:0], spare)
    refuses("taps: more than 1025", (out,), plane, (plane,), np.ones(1026, np.float32), spare)
    refuses("spare: has", (out,), plane, (plane,), taps, spare[1:])
    refuses("spare: has", (out,), plane, (plane,), np.ones(4, np.float32), spare)
    frozen = plane.copy()
    frozen.flags.writeable = False
    refuses("read-only|writable", (frozen,), plane, (plane,), taps, spare)
    blur((out,), plane, (plane,), taps, spare, 1300.0, 128)


def test_the_extension_is_taken_where_it_is_built():
    native()
    assert isinstance(best_room_blur((3, 4), 2.0, 1), NativeRoomBlur)

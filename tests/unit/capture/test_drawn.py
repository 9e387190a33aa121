"""The drawn sources: the same frame in every run, and a true matte."""

import tracemalloc

import numpy as np
import pytest

from scrim.core.capture.demo import Demo
from scrim.core.capture.drawn import DrawnSource
from scrim.core.capture.room import room_picture
from scrim.core.capture.test import TestPattern
from scrim.frame import Caps, Frame, Plane, Planes

CAPS = Caps(320, 180, 10)


def frames(source: DrawnSource, count: int) -> list[Plane]:
    source.open()
    pictures = []
    for _ in range(count):
        frame = source.read()
        assert frame is not None
        pictures.append(whole(frame))
    source.close()
    return pictures


def whole(frame: Frame) -> Plane:
    return np.concatenate([plane.reshape(-1) for plane in frame.planes])


@pytest.mark.parametrize("kind", [TestPattern, Demo])
def test_the_same_number_is_the_same_picture(kind: type[DrawnSource]) -> None:
    first, second = (frames(kind(CAPS, pace=False), 8) for _ in range(2))
    assert all(map(np.array_equal, first, second))
    assert not np.array_equal(first[0], first[7])


@pytest.mark.parametrize("kind", [TestPattern, Demo])
@pytest.mark.parametrize("size", [(2, 2), (16, 300), (322, 18), (640, 480), (98, 130)])
def test_any_even_size_can_be_drawn(kind: type[DrawnSource], size: tuple[int, int]) -> None:
    frames(kind(Caps(*size, 30), pace=False), 3)


@pytest.mark.parametrize("kind", [TestPattern, Demo])
def test_nothing_frame_sized_is_allocated(kind: type[DrawnSource]) -> None:
    caps = Caps(640, 360, 30)
    source = kind(caps, pace=False)
    source.open()
    assert source.read() is not None
    tracemalloc.start()
    assert source.read() is not None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < caps.width * caps.height // 8


def test_the_pattern_counts_in_its_corner() -> None:
    pictures = frames(TestPattern(CAPS, pace=False), 12)
    corners = [picture[: 320 * 180].reshape(180, 320)[:22, :132] for picture in pictures]
    assert len({corner.tobytes() for corner in corners}) == len(corners)


@pytest.mark.parametrize("height_px", [64, 180, 720])
def test_each_digit_of_the_pattern_is_its_own(height_px: int) -> None:
    width_px, side = height_px * 2, height_px // 8 & ~1
    pictures = frames(TestPattern(Caps(width_px, height_px, 10), pace=False), 10)
    lumas = [picture[: width_px * height_px].reshape(height_px, width_px) for picture in pictures]
    digits = [luma[:side, 5 * side : 6 * side] for luma in lumas]
    assert len({digit.tobytes() for digit in digits}) == 10
    assert all(np.array_equal(luma[:side, :side], digits[0]) for luma in lumas), "leading zeros"


@pytest.mark.parametrize("sequence", [0, 5, 23])
def test_the_demos_alpha_is_that_of_its_frame(sequence: int) -> None:
    demo = Demo(CAPS, pace=False)
    picture = frames(demo, sequence + 1)[-1]
    alpha = demo.alpha(sequence)
    luma = picture[: 320 * 180].reshape(180, 320)
    room = Planes.of(room_picture(CAPS.size)).y
    assert np.array_equal(luma[alpha == 0], room[alpha == 0])
    inside = alpha == 255
    assert 0.2 < inside.mean() < 0.6
    assert np.mean(luma[inside] == room[inside]) < 0.2


def test_the_demos_person_moves_and_stays_in_the_picture() -> None:
    demo = Demo(CAPS, pace=False)
    centres = []
    for sequence in range(0, 130, 10):
        alpha = demo.alpha(sequence)
        centres.append(float((alpha.sum(axis=0) * np.arange(320)).sum() / alpha.sum()))
        assert alpha[:4].max() == 0
        assert alpha[-1].max() == 255
    assert max(centres) - min(centres) > 20
    assert min(centres) > 80
    assert max(centres) < 240


def test_the_room_keeps_its_shape_in_other_aspects() -> None:
    """Cropped, not squeezed: the middle of a 4:3 room is the middle of the 16:9 one."""
    wide = Planes.of(room_picture((320, 180))).y.astype(int)
    narrow = Planes.of(room_picture((240, 180))).y.astype(int)
    assert np.abs(wide[:, 40:280] - narrow).mean() < 2

"""Frames of another size made to fit."""

from collections.abc import Iterator

import numpy as np
import pytest

from scrim.core.capture.scale import Scaled
from scrim.core.capture.test import TestPattern
from scrim.frame import Caps, Frame, Planes

WANTED = (96, 64)


class Frames:
    """Delivers given frames."""

    def __init__(self, *frames: Frame) -> None:
        self._frames: Iterator[Frame] = iter(frames)
        self._size = frames[0].size
        self.closed = False

    def open(self) -> Caps:
        return Caps(*self._size, 25)

    def read(self) -> Frame | None:
        return next(self._frames, None)

    def close(self) -> None:
        self.closed = True


def flat(size: tuple[int, int], value: int = 90, sequence: int = 0) -> Frame:
    width, height = size
    return Frame(Planes.of(np.full((height * 3 // 2, width), value, np.uint8)), 11, sequence)


def test_a_frame_of_the_size_passes_untouched():
    frame = flat(WANTED)
    scaled = Scaled(Frames(frame), WANTED)
    assert scaled.open() == Caps(*WANTED, 25)
    assert scaled.read() is frame


@pytest.mark.parametrize("size", [(640, 480), (48, 32), (64, 640), (640, 64), (98, 66), (2, 2)])
def test_a_frame_of_another_size_is_made_to_fit(size: tuple[int, int]):
    scaled = Scaled(Frames(flat(size, sequence=5)), WANTED)
    assert scaled.open().size == WANTED
    assert scaled.native == Caps(*size, 25)
    frame = scaled.read()
    assert frame is not None
    assert frame.size == WANTED
    assert (frame.pts_ns, frame.sequence) == (11, 5)
    for plane in frame.planes:
        assert (plane == 90).all()


def test_the_longer_side_is_cropped_on_both_ends():
    wide = flat((288, 64))
    for plane in wide.planes:
        third = plane.shape[1] // 3
        plane[:, :third] = plane[:, 2 * third :] = 0
    scaled = Scaled(Frames(wide), WANTED)
    scaled.open()
    frame = scaled.read()
    assert frame is not None
    for plane in frame.planes:
        assert (plane == 90).all()


def test_the_size_going_out_stays_when_the_camera_s_changes():
    scaled = Scaled(Frames(flat((640, 480)), flat((320, 240)), flat(WANTED)), WANTED)
    scaled.open()
    assert [frame.size for frame in iter(scaled.read, None)] == [WANTED] * 3


def test_with_every_buffer_out_there_is_no_frame():
    scaled = Scaled(Frames(*(flat((640, 480), sequence=n) for n in range(20))), WANTED)
    scaled.open()
    held = [scaled.read() for _ in range(19)]
    assert held[-1] is None
    assert held[0] is not None
    held.clear()
    assert scaled.read() is not None


def test_it_closes_the_source_and_may_be_opened_again():
    source = Frames(flat((640, 480)))
    scaled = Scaled(source, WANTED)
    scaled.open()
    scaled.close()
    assert source.closed
    pattern = Scaled(TestPattern(Caps(64, 48, 100), pace=False), WANTED)
    for _ in range(2):
        pattern.open()
        assert pattern.read() is not None
        pattern.close()

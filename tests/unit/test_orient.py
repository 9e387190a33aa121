"""Turned pictures, against numpy's."""

from itertools import product

import numpy as np
import pytest

from scrim.core.capture.base import EndOfStream
from scrim.core.capture.orient import ROTATIONS, Oriented, Rotation, turned
from scrim.frame import Caps, Frame, FramePool, Planes

CAPS = Caps(10, 6, 30)
CASES = list(product(ROTATIONS, [False, True]))


class Album:
    """Delivers given frames; a fresh size after it was opened again."""

    def __init__(self, *sizes: tuple[int, int], padding: int = 0) -> None:
        self._sizes = list(sizes)
        self._padding = padding
        self._left: list[Frame] = []
        self.is_open = False

    def open(self) -> Caps:
        width, height = self._sizes.pop(0)
        self._left = [self._picture(width, height, number) for number in range(8)]
        self.is_open = True
        return Caps(width, height, 30)

    def read(self) -> Frame | None:
        if not self._left:
            raise EndOfStream("over")
        return self._left.pop(0)

    def close(self) -> None:
        self.is_open = False

    def _picture(self, width: int, height: int, number: int) -> Frame:
        random = np.random.default_rng(number)
        shapes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
        planes = [
            random.integers(0, 256, (rows, columns + self._padding), np.uint8) for rows, columns in shapes
        ]
        cut = [plane[:, :columns] for plane, (_, columns) in zip(planes, shapes, strict=True)]
        for plane in cut:
            plane.flags.writeable = False
        return Frame(Planes(*cut), 1000 + number, number)


def expected(frame: Frame, rotate: int, *, mirror: bool) -> list[np.ndarray]:
    upright = [np.rot90(plane, -rotate // 90) for plane in frame.planes]
    return [np.fliplr(plane) for plane in upright] if mirror else upright


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(("rotate", "mirror"), CASES)
def test_pictures_are_rotated_then_mirrored(rotate: Rotation, mirror: bool, padding: int) -> None:
    source = Oriented(Album(CAPS.size, padding=padding), mirror=mirror, rotate=rotate)
    reference = Album(CAPS.size, padding=padding)
    reference.open()
    caps = source.open()
    assert source.native == CAPS
    for _ in range(3):
        got, given = source.read(), reference.read()
        assert got is not None
        assert given is not None
        assert got.size == caps.size
        assert (got.pts_ns, got.sequence) == (given.pts_ns, given.sequence)
        for plane, wanted in zip(got.planes, expected(given, rotate, mirror=mirror), strict=True):
            assert np.array_equal(plane, wanted)


@pytest.mark.parametrize(("rotate", "mirror"), CASES)
def test_caps_swap_for_a_quarter_turn(rotate: Rotation, mirror: bool) -> None:
    caps = Oriented(Album(CAPS.size), mirror=mirror, rotate=rotate).open()
    assert caps == (Caps(6, 10, 30) if rotate in (90, 270) else CAPS)
    assert turned(turned(CAPS, rotate), rotate) == CAPS


def test_with_nothing_to_do_the_very_same_frame_passes() -> None:
    album = Album(CAPS.size)
    source = Oriented(album)
    source.open()
    frame = album._left[0]
    assert source.read() is frame


@pytest.mark.parametrize(("rotate", "mirror"), CASES[1:])
def test_a_frame_is_dropped_while_every_buffer_is_held_and_none_is_overwritten(
    rotate: Rotation, mirror: bool
) -> None:
    source = Oriented(Album(CAPS.size), mirror=mirror, rotate=rotate)
    source.open()
    held = [frame for frame in (source.read() for _ in range(7)) if frame is not None]
    assert len(held) == 6
    assert len({frame.planes.y.tobytes() for frame in held}) == 6
    held.clear()
    assert source.read() is not None


@pytest.mark.parametrize("mirror", [False, True])
def test_another_size_after_it_was_opened_again(mirror: bool) -> None:
    album = Album((10, 6), (12, 8))
    source = Oriented(album, mirror=mirror, rotate=270)
    source.open()
    source.read()
    source.close()
    assert not album.is_open
    assert source.open() == Caps(8, 12, 30)
    frame = source.read()
    assert frame is not None
    assert frame.size == (8, 12)


def test_the_end_is_passed_on() -> None:
    source = Oriented(Album(CAPS.size), mirror=True)
    source.open()
    for _ in range(8):
        source.read()
    with pytest.raises(EndOfStream):
        source.read()


def test_nothing_from_the_source_stays_nothing() -> None:
    class Stalled(Album):
        def read(self) -> Frame | None:
            return None

    source = Oriented(Stalled(CAPS.size), rotate=90)
    source.open()
    assert source.read() is None


def test_other_angles_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed is 0, 90, 180 or 270"):
        Oriented(Album(CAPS.size), rotate=45)  # type: ignore[arg-type]


def test_nothing_is_pooled_where_nothing_is_turned() -> None:
    source = Oriented(Album(CAPS.size))
    source.open()
    assert not any(isinstance(part, FramePool) for part in vars(source).values())


@pytest.mark.parametrize("start", ROTATIONS)
@pytest.mark.parametrize(("rotate", "mirror"), CASES)
def test_another_way_is_taken_from_the_next_frame_on(start: Rotation, rotate: Rotation, mirror: bool) -> None:
    source, reference = Oriented(Album(CAPS.size), rotate=start), Album(CAPS.size)
    caps = source.open()
    reference.open()
    before, untouched = source.read(), reference.read()
    assert before is not None
    assert untouched is not None
    if (rotate - start) % 180:
        with pytest.raises(ValueError, match="another shape"):
            source.turn(mirror=mirror, rotate=rotate)
        assert source.rotate == start
        return
    source.turn(mirror=mirror, rotate=rotate)
    after, raw = source.read(), reference.read()
    assert after is not None
    assert raw is not None
    assert after.size == caps.size
    for seen, wanted in zip(after.planes, expected(raw, rotate, mirror=mirror), strict=True):
        assert np.array_equal(seen, wanted)
    for seen, wanted in zip(before.planes, expected(untouched, start, mirror=False), strict=True):
        assert np.array_equal(seen, wanted), "a frame that was handed on has changed"


def test_a_way_that_is_set_before_the_camera_is_open_is_taken() -> None:
    source, reference = Oriented(Album(CAPS.size)), Album(CAPS.size)
    source.turn(mirror=True, rotate=180)
    source.open()
    reference.open()
    seen, raw = source.read(), reference.read()
    assert seen is not None
    assert raw is not None
    assert np.array_equal(seen.planes.y, expected(raw, 180, mirror=True)[0])

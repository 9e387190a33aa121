"""The second look: where it looks, what it makes of it, and what it leaves alone."""

import numpy as np
import pytest

from scrim.core.pyramid import Pyramid
from scrim.core.second_look import SecondLook
from scrim.core.segment.constant import ConstantSegmenter
from scrim.errors import SegmentError
from scrim.frame import Frame, Mask, Plane, Planes

SIZE = (320, 180)
MASK_SIZE = (64, 36)


class Bright:
    """Takes what is bright for a person, and keeps the picture it was shown."""

    input_size = MASK_SIZE

    def segment(self, rgb: Plane) -> Mask:
        self.shown = rgb.copy()
        self.mask: Mask = np.where(rgb[..., 1] > 127, np.uint8(255), np.uint8(0))
        return self.mask

    def close(self) -> None:
        pass


class Broken(Bright):
    def segment(self, rgb: Plane) -> Mask:
        raise SegmentError("broken")


def pyramid_with(rect: tuple[int, int, int, int]) -> Pyramid:
    """A dark frame with a white rectangle, (left, top, right, bottom) in mask pixels."""
    i420 = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
    planes = Planes.of(i420)
    planes.y.fill(20)
    left, top, right, bottom = (5 * side for side in rect)
    planes.y[top:bottom, left:right] = 235
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(planes, 0, 0))
    return pyramid


def mask_with(rect: tuple[int, int, int, int]) -> Mask:
    left, top, right, bottom = rect
    mask = np.zeros(MASK_SIZE[::-1], np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


@pytest.mark.parametrize("rect", [(4, 2, 14, 20), (40, 20, 60, 36), (20, 8, 40, 30), (0, 0, 64, 36)])
def test_two_looks_that_agree_change_nothing_but_the_edge(rect: tuple[int, int, int, int]) -> None:
    mask = mask_with(rect)

    improved = SecondLook(SIZE, Bright(), MASK_SIZE).improved(mask, pyramid_with(rect))

    assert improved.shape == mask.shape
    left, top, right, bottom = rect
    assert (improved[top + 1 : bottom - 1, left + 1 : right - 1] == 255).all()
    improved[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = 0
    assert not improved.any()


def test_a_small_person_is_shown_larger_and_mirrored() -> None:
    model = Bright()
    rect = (4, 10, 8, 16)

    SecondLook(SIZE, model, MASK_SIZE).improved(mask_with(rect), pyramid_with(rect))

    rows, columns = np.nonzero(model.mask)
    assert np.ptp(columns) + 1 > 1.4 * 4
    assert np.ptp(rows) + 1 > 1.4 * 6
    assert columns.mean() > 32


def test_what_only_one_look_finds_counts_half() -> None:
    rect = (20, 8, 40, 30)
    look = SecondLook(SIZE, ConstantSegmenter(0, MASK_SIZE), MASK_SIZE)

    improved = look.improved(mask_with(rect), pyramid_with(rect))

    assert set(np.unique(improved)) == {0, 128}


def test_the_segmenters_own_buffer_may_be_given() -> None:
    model, rect = Bright(), (20, 8, 40, 30)
    pyramid = pyramid_with(rect)
    model.mask = mask_with(rect)

    improved = SecondLook(SIZE, model, MASK_SIZE).improved(model.mask, pyramid)

    assert (improved[10:28, 22:38] == 255).all()


def test_nobody_is_not_looked_for_again() -> None:
    mask = np.full(MASK_SIZE[::-1], 127, np.uint8)

    assert SecondLook(SIZE, Broken(), MASK_SIZE).improved(mask, pyramid_with((0, 0, 0, 0))) is mask


def test_a_failing_model_is_not_hidden() -> None:
    rect = (20, 8, 40, 30)

    with pytest.raises(SegmentError, match="broken"):
        SecondLook(SIZE, Broken(), MASK_SIZE).improved(mask_with(rect), pyramid_with(rect))

"""More looks than one: where they look, what is made of them, and what is left alone."""

import numpy as np
import pytest

from scrim.core.pyramid import Pyramid
from scrim.core.second_look import EveryLook, SecondLook
from scrim.core.segment.constant import ConstantSegmenter
from scrim.errors import SegmentError
from scrim.frame import Frame, Mask, Plane, Planes

SIZE = (320, 180)
MASK_SIZE = (64, 36)

either = pytest.mark.parametrize("kind", [SecondLook, EveryLook])
Kind = type[SecondLook] | type[EveryLook]


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


@either
@pytest.mark.parametrize("rect", [(4, 2, 14, 20), (40, 20, 60, 36), (20, 8, 40, 30), (0, 0, 64, 36)])
def test_looks_that_agree_change_nothing_but_the_edge(rect: tuple[int, int, int, int], kind: Kind) -> None:
    mask = mask_with(rect)

    improved = kind(SIZE, Bright(), MASK_SIZE).improved(mask, pyramid_with(rect))

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


@either
def test_the_segmenters_own_buffer_may_be_given(kind: Kind) -> None:
    model, rect = Bright(), (20, 8, 40, 30)
    pyramid = pyramid_with(rect)
    model.mask = mask_with(rect)

    improved = kind(SIZE, model, MASK_SIZE).improved(model.mask, pyramid)

    assert (improved[10:28, 22:38] == 255).all()


def test_nobody_is_not_looked_for_again() -> None:
    mask = np.full(MASK_SIZE[::-1], 127, np.uint8)

    assert SecondLook(SIZE, Broken(), MASK_SIZE).improved(mask, pyramid_with((0, 0, 0, 0))) is mask


@either
def test_a_failing_model_is_not_hidden(kind: Kind) -> None:
    rect = (20, 8, 40, 30)

    with pytest.raises(SegmentError, match="broken"):
        kind(SIZE, Broken(), MASK_SIZE).improved(mask_with(rect), pyramid_with(rect))


def watched(model: Bright) -> list[Plane]:
    """Every picture that ``model`` is shown from now on."""
    pictures: list[Plane] = []
    answer = model.segment

    def segment(rgb: Plane) -> Mask:
        pictures.append(rgb.copy())
        return answer(rgb)

    model.segment = segment  # type: ignore[method-assign]
    return pictures


def test_a_still_is_seen_whole_and_twice_closer_each_also_mirrored() -> None:
    model, rect = Bright(), (8, 14, 16, 36)
    pictures = watched(model)

    EveryLook(SIZE, model, MASK_SIZE).improved(mask_with(rect), pyramid_with(rect))

    assert len(pictures) == 5
    share = [(picture[..., 1] > 127).mean() for picture in pictures]
    assert min(share[1:]) > 1.2 * share[0]
    for one, other in (pictures[1:3], pictures[3:]):
        assert np.array_equal(one, other[:, ::-1])


def test_what_one_look_of_six_finds_counts_a_sixth_where_all_look() -> None:
    rect = (20, 8, 40, 30)

    class Fading(Bright):
        """Sees the person in the mirror, so that somebody is there, and nothing closer."""

        calls = 0

        def segment(self, rgb: Plane) -> Mask:
            self.calls += 1
            mask = super().segment(rgb)
            return mask if self.calls == 1 else np.zeros_like(mask)

    improved = EveryLook(SIZE, Fading(), MASK_SIZE).improved(mask_with(rect), pyramid_with(rect))

    assert set(np.unique(improved[10:28, 22:38])) == {85}


def test_a_place_that_no_close_up_shows_is_left_to_the_others() -> None:
    """Somebody small and far away, whom the close-ups leave out, is not made half a person."""
    large, small = (2, 4, 26, 36), (61, 2, 63, 5)
    mask = np.maximum(mask_with(large), mask_with(small))
    i420 = pyramid_with(large).frame.planes
    left, top, right, bottom = (5 * side for side in small)
    i420.y[top:bottom, left:right] = 235
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(i420, 0, 0))

    improved = EveryLook(SIZE, Bright(), MASK_SIZE).improved(mask, pyramid)

    assert improved[3, 61:63].min() > 200


def test_a_tall_pictures_person_is_shown_with_nearly_natural_proportions() -> None:
    """A square on a portrait still is no wider than a third more than it is high, in one of the close-ups."""
    size, rect = (180, 320), (10, 12, 54, 26)
    i420 = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
    planes = Planes.of(i420)
    planes.y.fill(20)
    planes.y[106:231, 28:152] = 235
    pyramid = Pyramid(size)
    pyramid.load(Frame(planes, 0, 0))
    model = Bright()
    pictures = watched(model)

    improved = EveryLook(size, model, MASK_SIZE).improved(mask_with(rect), pyramid)

    extents = [np.nonzero(picture[..., 1] > 127) for picture in pictures]
    proportions = [(np.ptp(columns) + 1) / (np.ptp(rows) + 1) for rows, columns in extents]
    assert proportions[0] > 2.8, "squeezed whole"
    assert min(proportions) < 1.45
    assert (improved[14:24, 14:50] == 255).all()
    assert not improved[:10].any()
    assert not improved[28:].any()


@either
@pytest.mark.parametrize("size", [(2, 2), (2, 400), (400, 2), (30, 2000), (2000, 30)])
def test_no_shape_of_frame_is_too_odd(size: tuple[int, int], kind: Kind) -> None:
    pyramid = Pyramid(size)
    pyramid.load(Frame(Planes.of(np.full((size[1] * 3 // 2, size[0]), 200, np.uint8)), 0, 0))
    for rect in ((0, 0, 64, 36), (30, 10, 31, 11), (63, 35, 64, 36), (0, 0, 1, 36)):
        improved = kind(size, Bright(), MASK_SIZE).improved(mask_with(rect), pyramid)
        assert improved.shape == MASK_SIZE[::-1]
        assert improved.any()

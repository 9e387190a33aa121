"""Where a close-up is taken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.core.close_up import CloseUp, Rect, within
from scrim.frame import Mask

MASK_SIZE = (64, 36)


def mask_with(left: int, top: int, right: int, bottom: int) -> Mask:
    mask = np.zeros(MASK_SIZE[::-1], np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def cut(close_up: CloseUp, mask: Mask) -> Rect | None:
    return close_up.of(mask, np.empty_like(mask))


def test_nobody_is_nowhere() -> None:
    assert cut(CloseUp(0.1, 0.5), np.full(MASK_SIZE[::-1], 127, np.uint8)) is None


def test_the_person_is_in_the_middle_with_a_margin_around() -> None:
    left, top, width, height = cut(CloseUp(0.25, 0.0), mask_with(20, 10, 40, 30)) or (0, 0, 0, 0)

    assert (left, top) == pytest.approx((15, 5), abs=1.5)
    assert (width, height) == pytest.approx((30, 30), abs=2)


def test_it_is_never_smaller_than_a_share_of_the_frame() -> None:
    _, _, width, height = cut(CloseUp(0.1, 0.5), mask_with(30, 16, 34, 20)) or (0, 0, 0, 0)

    assert (width, height) == pytest.approx((32, 18), abs=1)


def test_a_speck_far_away_does_not_count() -> None:
    mask = mask_with(10, 10, 30, 30)
    mask[0, 63] = 255

    assert cut(CloseUp(0.1, 0.0), mask) == cut(CloseUp(0.1, 0.0), mask_with(10, 10, 30, 30))


@pytest.mark.parametrize(
    ("person", "least_aspect", "rect"),
    [
        ((30, 0, 34, 36), 1.0, (13, 0, 36, 36)),
        ((0, 0, 4, 36), 1.0, (0, 0, 36, 36)),
        ((60, 0, 64, 36), 1.0, (28, 0, 36, 36)),
        ((30, 0, 34, 36), 2.5, (-13, 0, 90, 36)),
        ((0, 0, 64, 36), 1.0, (0, 0, 64, 36)),
    ],
    ids=["widened", "kept inside at the left", "at the right", "beyond the frame", "wide enough"],
)
def test_it_is_made_as_wide_as_it_has_to_be(
    person: tuple[int, int, int, int], least_aspect: float, rect: Rect
) -> None:
    assert cut(CloseUp(0.5, 0.0, least_aspect), mask_with(*person)) == rect


@given(
    st.integers(0, 60),
    st.integers(0, 32),
    st.integers(1, 64),
    st.integers(1, 36),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 4),
)
def test_it_stays_in_the_frame_but_for_its_sides(
    left: int, top: int, width: int, height: int, margin: float, share: float, aspect: float
) -> None:
    rect = cut(CloseUp(margin, share, aspect), mask_with(left, top, left + width, top + height))

    assert rect is not None
    x, y, wide, high = rect
    assert 0 <= y < y + high <= MASK_SIZE[1]
    assert wide >= 1
    assert x < MASK_SIZE[0]
    assert x + wide > 0
    assert (x >= 0 and x + wide <= MASK_SIZE[0]) or wide >= MASK_SIZE[0]


def test_within_is_a_view() -> None:
    plane = np.zeros((4, 6))
    within((1, 2, 3, 2), plane)[:] = 1
    assert plane.sum() == 6
    assert plane[2:4, 1:4].all()

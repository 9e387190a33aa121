"""Presence: there at once, gone after a while, and what is shown then."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.core.presence import NoPerson, Presence, person_share


def told(presence: Presence, *pictures: tuple[float, float]) -> list[bool]:
    return [presence.update(share, now_s) for now_s, share in pictures]


def test_there_at_once_and_gone_after_three_seconds() -> None:
    presence = Presence()
    assert told(presence, (10, 0.0), (11, 0.3), (12, 0.0), (14.9, 0.0), (15, 0.0)) == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_absence_counts_from_the_last_picture_with_a_person() -> None:
    presence = Presence()
    told(presence, (0, 0.3), (1, 0.0), (3, 0.0))
    assert presence.absent_for_s(3) == 0
    presence.update(0.0, 4)
    assert presence.absent_for_s(6) == 5
    presence.update(0.3, 7)
    assert presence.absent_for_s(9) == 0


def test_absence_counts_from_the_first_picture_where_nobody_ever_was() -> None:
    presence = Presence()
    assert presence.absent_for_s(99) == 0
    presence.update(0.0, 100)
    assert presence.absent_for_s(107) == 7


def test_between_the_shares_nothing_changes() -> None:
    presence = Presence(on_share=0.1, off_share=0.05)
    assert told(presence, (0, 0.07), (1, 0.1), (2, 0.07), (99, 0.06)) == [False, True, True, True]


def test_a_picture_with_a_person_starts_the_wait_again() -> None:
    presence = Presence(off_s=2)
    assert told(presence, (0, 1.0), (1, 0.0), (2, 1.0), (3, 0.0), (4.5, 0.0), (5, 0.0))[-2:] == [True, False]


def test_coming_can_be_asked_to_last_too() -> None:
    presence = Presence(on_s=0.5)
    assert told(presence, (0, 1.0), (0.4, 1.0), (0.45, 0.0), (0.5, 1.0), (1.0, 1.0)) == [False] * 4 + [True]


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), max_size=60))
def test_nobody_goes_before_three_seconds_without_a_person(script: list[tuple[float, float]]) -> None:
    presence = Presence()
    now_s, seen_s = 0.0, None
    for since_s, share in script:
        now_s += since_s
        if share >= 0.01:
            seen_s = now_s
        was_present = presence.is_present
        presence.update(share, now_s)
        if share >= 0.02:
            assert presence.is_present
        if was_present and not presence.is_present:
            assert seen_s is not None
            assert now_s - seen_s >= 3


@pytest.mark.parametrize(("on_share", "off_share"), [(0.01, 0.02), (0, 0), (1.1, 0.1), (float("nan"), 0.1)])
def test_shares_that_make_no_sense_are_refused(on_share: float, off_share: float) -> None:
    with pytest.raises(ValueError, match="allowed is 0 < off_share <= on_share <= 1"):
        Presence(on_share, off_share)


def test_negative_times_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed is 0 or more"):
        Presence(off_s=-1)
    with pytest.raises(ValueError, match="allowed is 0 or more"):
        NoPerson("placeholder", -1)


def test_the_placeholder_comes_after_a_while_and_goes_at_once() -> None:
    presence, nobody = Presence(), NoPerson("placeholder", 10)
    shown = []
    for now_s in range(20):
        presence.update(0.3 if now_s < 3 or now_s >= 15 else 0.0, now_s)
        shown.append(nobody.shows_placeholder(presence, now_s))
    assert [now_s for now_s, is_shown in enumerate(shown) if is_shown] == [13, 14]


def test_the_placeholder_waits_until_the_person_is_gone_for_sure() -> None:
    presence, nobody = Presence(), NoPerson("placeholder", 0)
    told(presence, (0, 1.0), (1, 0.0), (3, 0.0))
    assert not nobody.shows_placeholder(presence, 3)
    presence.update(0.0, 4)
    assert nobody.shows_placeholder(presence, 4)


def test_blur_never_shows_the_placeholder() -> None:
    presence = Presence()
    told(presence, (0, 0.0), (1000, 0.0))
    assert not NoPerson("blur", 0).shows_placeholder(presence, 1000)


def test_the_share_is_the_mean_of_the_mask() -> None:
    mask = np.zeros((4, 4), np.uint8)
    mask[:2] = 255
    assert person_share(mask) == pytest.approx(0.5)

"""Who is shown: one person and always the same, what is kept, and never more than the model said."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrim.core.framing.view import FULL, centred
from scrim.core.keep import KeepRegions, Rectangle
from scrim.core.person import PersonPolicy
from scrim.errors import SegmentError
from scrim.frame import Mask

SIZE = (256, 144)
STEP_S = 1 / 30


def person(x: float, size: float = 1.0, peak: int = 255) -> Mask:
    """Head and shoulders at x, in pixels, with a soft edge."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.circle(mask, (round(x), round(144 - 75 * size)), round(17 * size), peak, -1)
    cv2.ellipse(mask, (round(x), 144), (round(34 * size), round(60 * size)), 0, 0, 360, peak, -1)
    return cv2.GaussianBlur(mask, (0, 0), 1.5)


def together(*masks: Mask) -> Mask:
    return np.maximum.reduce(masks)


def largest() -> PersonPolicy:
    return PersonPolicy(SIZE, "largest")


def who(shown: Mask, *people: Mask) -> list[bool]:
    """Which of the people is shown."""
    return [np.abs(shown[mask >= 128].astype(int) - mask[mask >= 128]).mean() < 3 for mask in people]


def shown_in(policy: PersonPolicy, story: Callable[[float], Mask], seconds: float) -> list[Mask]:
    return [policy.apply(story(n * STEP_S), n * STEP_S).copy() for n in range(int(seconds / STEP_S))]


def test_with_nothing_to_do_the_very_same_mask_comes_back() -> None:
    mask = person(100)
    policy = PersonPolicy(SIZE)
    assert policy.apply(mask, 0) is mask
    assert policy.person is mask


def test_the_largest_person_is_shown_and_nobody_else() -> None:
    small, large = person(50, 0.8), person(180, 1.0)
    shown = largest().apply(together(small, large), 0)
    assert not shown[small > 0].any()
    assert np.all(shown[large >= 16] == large[large >= 16])


def test_a_single_person_keeps_the_soft_edge() -> None:
    mask = person(120)
    shown = largest().apply(mask, 0)
    assert np.array_equal(shown[mask >= 16], mask[mask >= 16])
    assert np.all(shown[(mask > 0) & (mask < 16)] <= mask[(mask > 0) & (mask < 16)])


def test_the_mask_given_is_not_written_to() -> None:
    mask = together(person(50, 0.8), person(180))
    before = mask.copy()
    PersonPolicy(SIZE, "largest", KeepRegions([Rectangle(0, 0, 0.1, 0.1)])).apply(mask, 0)
    assert np.array_equal(mask, before)


def test_two_of_like_size_do_not_flicker() -> None:
    def story(now_s: float) -> Mask:
        breath = 0.06 * np.sin(7 * now_s)
        return together(person(60, 0.95 + breath), person(190, 0.95 - breath))

    policy = largest()
    first = policy.apply(story(0.1), -STEP_S).copy()
    stays_left = first[:, :128].any()
    for shown in shown_in(policy, story, 3):
        assert shown[:, :120].any() == stays_left
        assert shown[:, 135:].any() != stays_left


def test_who_was_chosen_stays_chosen_while_walking() -> None:
    def story(now_s: float) -> Mask:
        return together(person(40 + 30 * now_s, 0.9), person(235, 0.95))

    policy = largest()
    policy.apply(person(40, 0.9), -STEP_S)
    shown = shown_in(policy, story, 3)
    assert not any(mask[:, 210:].any() for mask in shown)
    assert all(who(mask, person(40 + 30 * n * STEP_S, 0.9)) == [True] for n, mask in enumerate(shown))


def test_who_passes_behind_does_not_take_over() -> None:
    sitting = person(128, 0.95)

    def passing(now_s: float) -> Mask:
        return person(20 + 72 * now_s, 1.05)

    policy = largest()
    policy.apply(sitting, -STEP_S)
    shown = shown_in(policy, lambda now_s: together(sitting, passing(now_s)), 3.3)
    assert all(np.all(mask[sitting >= 128] >= sitting[sitting >= 128]) for mask in shown)
    assert not shown[-1][:, 200:].any()


def test_somebody_twice_as_large_takes_over_after_a_second() -> None:
    far, near = person(40, 0.5), person(180, 1.0)
    policy = largest()
    policy.apply(far, -STEP_S)
    shown = shown_in(policy, lambda _: together(far, near), 1.5)
    assert who(shown[28], far, near) == [True, False]
    assert who(shown[-1], far, near) == [False, True]


def test_who_is_lost_for_a_moment_is_waited_for() -> None:
    one, other = person(60), person(190, 0.8)

    def story(now_s: float) -> Mask:
        return other if 1 < now_s < 1.4 else together(one, other)

    shown = shown_in(largest(), story, 2)
    assert not any(mask[:, 135:].any() for mask in shown)
    assert who(shown[-1], one) == [True]


def test_when_the_chosen_one_has_left_the_other_is_shown() -> None:
    one, other = person(60), person(190, 0.8)
    shown = shown_in(largest(), lambda now_s: together(one, other) if now_s < 1 else other, 2)
    assert not shown[40].any()
    assert who(shown[-1], other) == [True]


def test_after_a_reset_the_largest_is_chosen_anew() -> None:
    policy = largest()
    policy.apply(person(60, 0.8), 0)
    policy.reset()
    both = together(person(60, 0.8), person(190))
    assert who(policy.apply(both, STEP_S), person(60, 0.8), person(190)) == [False, True]


def test_a_person_joined_by_a_faint_edge_is_taken_out() -> None:
    one, other = person(80), person(160, 0.9)
    joined = together(one, other)
    joined[100:140, 60:180] = np.maximum(joined[100:140, 60:180], 60)
    shown = largest().apply(joined, 0)
    assert who(shown, one, other) == [True, False]
    assert not shown[other >= 128].any()


def test_a_hand_behind_a_thin_gap_is_the_persons_own() -> None:
    mask = person(120)
    mask[90:93] = 0
    shown = largest().apply(mask, 0)
    assert np.array_equal(shown[mask >= 128], mask[mask >= 128])


@pytest.mark.parametrize("value", [0, 60])
def test_where_nobody_is_sure_nobody_is_shown(value: int) -> None:
    assert not largest().apply(np.full(SIZE[::-1], value, np.uint8), 0).any()


def test_keep_regions_are_shown_and_nothing_else_changes() -> None:
    mask = person(60)
    policy = PersonPolicy(SIZE, keep=KeepRegions([Rectangle(0.75, 0.5, 0.25, 0.5)]))
    shown = policy.apply(mask, 0)
    assert np.all(shown[72:, 192:] == 255)
    outside = np.ones_like(mask, bool)
    outside[72:, 192:] = False
    assert np.array_equal(shown[outside], mask[outside])
    assert policy.person is mask


def test_keep_regions_do_not_count_as_a_person() -> None:
    policy = PersonPolicy(SIZE, "largest", KeepRegions([Rectangle(0, 0, 0.6, 1)]))
    policy.apply(person(200), 0)
    assert who(policy.person, person(200)) == [True]
    assert not policy.person[:, :140].any()


@pytest.mark.parametrize("wrong", [np.zeros((144, 255), np.uint8), np.zeros((144, 256), np.float32)])
def test_what_is_no_mask_of_this_size_is_refused(wrong: Mask) -> None:
    with pytest.raises(SegmentError, match=r"allowed is \(144, 256\) uint8"):
        PersonPolicy(SIZE).apply(wrong, 0)


@pytest.mark.parametrize("size", [(192, 112), (3, 5), (1, 1), (33, 17)])
def test_any_mask_size_will_do(size: tuple[int, int]) -> None:
    policy = PersonPolicy(size, "largest", KeepRegions([Rectangle(0, 0, 0.5, 0.5)]))
    full = np.full(size[::-1], 255, np.uint8)
    assert np.all(policy.apply(full, 0) == 255)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_nothing_but_masks_and_times_decides(seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = (PersonPolicy((64, 36), "largest", KeepRegions([Rectangle(0, 0, 0.1, 1)])) for _ in range(2))
    for number in range(20):
        mask = cv2.GaussianBlur(random.integers(0, 256, (36, 64), np.uint8), (0, 0), 3)
        mask = cv2.normalize(mask, None, 0, 255, cv2.NORM_MINMAX)
        assert np.array_equal(one.apply(mask, number * STEP_S), other.apply(mask.copy(), number * STEP_S))


blobs = st.tuples(st.integers(0, 63), st.integers(0, 35), st.integers(1, 14), st.integers(1, 255))
scenes = st.lists(blobs, max_size=6)
shares = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.01, 0.5), st.floats(0.01, 0.5))


def drawn(scene: list[tuple[int, int, int, int]], blur: float) -> Mask:
    mask = np.zeros((36, 64), np.uint8)
    for x, y, radius, value in scene:
        cv2.circle(mask, (x, y), radius, value, -1)
    return cv2.GaussianBlur(mask, (0, 0), blur) if blur else mask


@given(
    st.lists(st.tuples(scenes, st.sampled_from([0, 0.7, 2]), st.floats(-1, 2)), max_size=12),
    st.sampled_from(["all", "largest"]),
    st.none() | shares,
    st.floats(1 / 3, 1),
)
@settings(max_examples=80, deadline=None)
def test_nothing_becomes_more_than_the_model_said_but_what_is_kept(
    script: list[tuple[list[tuple[int, int, int, int]], float, float]],
    persons: str,
    kept: tuple[float, float, float, float] | None,
    share: float,
) -> None:
    keep = KeepRegions([Rectangle(*kept)]) if kept else None
    policy = PersonPolicy((64, 36), persons, keep)  # type: ignore[arg-type]
    view = FULL if share > 0.9 else centred(0.4, 0.6, share)
    allowed = PersonPolicy((64, 36), keep=keep).apply(np.zeros((36, 64), np.uint8), 0, view).copy()
    now_s = 0.0
    for scene, blur, since_s in script:
        now_s += since_s
        mask = drawn(scene, blur)
        shown = policy.apply(mask, now_s, view)
        assert np.all(policy.person <= mask)
        assert np.array_equal(shown, np.maximum(policy.person, allowed))
        if persons == "all":
            assert np.array_equal(policy.person, mask)


@given(st.lists(scenes, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_at_most_one_person_is_shown(script: list[list[tuple[int, int, int, int]]]) -> None:
    policy = PersonPolicy((64, 36), "largest")
    for number, scene in enumerate(script):
        shown = policy.apply(drawn(scene, 0), number * STEP_S)
        half = cv2.resize(shown, (32, 18), interpolation=cv2.INTER_AREA)
        sure = cv2.dilate((half >= 128).astype(np.uint8), np.ones((3, 3), np.uint8))
        pieces = cv2.connectedComponentsWithStats(sure, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
        assert len(pieces) <= 1 or sorted(pieces)[-2] <= 0.25 * max(pieces)

"""Who is shown, from where, and when nobody is."""

import numpy as np
import pytest

from scrim.core.keep import KeepRegions, Rectangle
from scrim.core.subject import Subject, Wishes
from scrim.frame import Frame, Mask, Planes

SIZE = (192, 108)
MASK_SIZE = (64, 36)
STEP_NS = 33_333_333


def frame(number: int = 0) -> Frame:
    width, height = SIZE
    pixels = np.random.default_rng(3).integers(0, 256, (height * 3 // 2, width), np.uint8)
    return Frame(Planes.of(pixels), number * STEP_NS, number)


def people(*lefts: int, wide: int = 10, top: int = 12) -> Mask:
    mask = np.zeros(MASK_SIZE[::-1], np.uint8)
    for number, left in enumerate(lefts):
        mask[top + 4 * number :, left : left + wide - number] = 255
    return mask


def follow_person(subject: Subject, seconds: float, mask: Mask | None = None) -> Frame:
    shown: Frame | None = None
    for number in range(int(seconds * 30)):
        shown = subject.crop(frame(number))
        assert shown is not None
        subject.choose(people(44) if mask is None else mask, shown.pts_ns)
    assert shown is not None
    return shown


def test_without_wishes_frame_and_mask_are_the_very_same() -> None:
    subject, given, mask = Subject(SIZE), frame(), people(4, 40)
    assert subject.crop(given) is given
    assert subject.choose(mask, 0) is mask
    assert not subject.is_hidden(10**12)


def test_largest_hides_the_second_person_from_the_next_frame_on() -> None:
    subject, mask = Subject(SIZE), people(4, 40)
    assert subject.choose(mask, 0)[:, 40:].any()
    subject.follow(Wishes(persons="largest"))
    chosen = subject.choose(mask, STEP_NS)
    assert chosen[:, 4:14].any()
    assert not chosen[:, 36:].any()
    subject.follow(Wishes())
    assert subject.choose(mask, 2 * STEP_NS) is mask


def test_what_is_not_changed_goes_on_as_it_was() -> None:
    subject = Subject(SIZE)
    subject.follow(Wishes(persons="largest"))
    subject.choose(people(4), 0)
    subject.follow(Wishes(persons="largest", nobody="placeholder"))
    both = people(40, 4)
    assert not subject.choose(both, STEP_NS)[:, 36:].any()


def test_after_a_reset_the_largest_is_chosen_anew() -> None:
    subject = Subject(SIZE)
    subject.follow(Wishes(persons="largest"))
    subject.choose(people(4), 0)
    subject.reset()
    assert not subject.choose(people(40, 4), STEP_NS)[:, :20].any()


def test_kept_regions_are_shown_and_are_nobody() -> None:
    subject = Subject(SIZE, KeepRegions([Rectangle(0, 0, 0.5, 0.5)]))
    subject.follow(Wishes(nobody="placeholder", placeholder_after_s=0))
    chosen = subject.choose(people(), 0)
    assert (chosen[:18, :32] == 255).all()
    assert not chosen[18:].any()
    assert subject.is_hidden(0)


def test_framing_comes_nearer_and_never_nearer_than_asked() -> None:
    subject = Subject(SIZE)
    subject.follow(Wishes(max_zoom=1.5))
    shown = follow_person(subject, 3)
    wide = follow_person(Subject(SIZE), 3)
    assert shown.size == SIZE
    assert not np.array_equal(shown.planes.y, wide.planes.y)
    assert subject._framing.view.zoom == pytest.approx(1.5, abs=0.01)


def test_a_kept_region_moves_with_the_picture() -> None:
    subject = Subject(SIZE, KeepRegions([Rectangle(0.8, 0.5, 0.1, 0.1)]))
    subject.follow(Wishes(max_zoom=2))
    follow_person(subject, 4, people(44, wide=14))
    view = subject._framing.view
    assert view.zoom > 1.5
    kept = subject.choose(people(), 4 * 10**9) > 0
    left = (0.8 - view.left) / view.share * MASK_SIZE[0]
    top = (0.5 - view.top) / view.share * MASK_SIZE[1]
    rows, columns = np.nonzero(kept)
    assert columns.min() == pytest.approx(left, abs=1.5)
    assert rows.min() == pytest.approx(top, abs=1.5)


def test_framing_off_again_shows_the_whole_frame_at_once() -> None:
    subject, given = Subject(SIZE), frame(200)
    subject.follow(Wishes(max_zoom=2))
    follow_person(subject, 3)
    subject.follow(Wishes())
    assert subject.crop(given) is given


def test_after_a_reset_the_whole_frame_is_shown() -> None:
    subject, given = Subject(SIZE), frame(200)
    subject.follow(Wishes(max_zoom=2))
    assert follow_person(subject, 3) is not given
    subject.reset()
    assert subject.crop(given) is given


def test_while_every_cropped_picture_is_in_use_frames_are_dropped() -> None:
    subject = Subject(SIZE)
    subject.follow(Wishes(max_zoom=2))
    follow_person(subject, 3)
    held = [subject.crop(frame(100 + number)) for number in range(8)]
    assert held[0] is not None
    assert held[-1] is None
    held.clear()
    assert subject.crop(frame(120)) is not None


@pytest.mark.parametrize("after_s", [0, 3, 10])
def test_nobody_is_hidden_after_the_time_and_somebody_is_shown_at_once(after_s: float) -> None:
    subject = Subject(SIZE)
    subject.follow(Wishes(nobody="placeholder", placeholder_after_s=after_s))
    subject.choose(people(20), 0)
    assert not subject.is_hidden(0)
    hidden_s = None
    for tenth in range(1, 150):
        now_ns = tenth * 100_000_000
        subject.choose(people(), now_ns)
        if subject.is_hidden(now_ns):
            hidden_s = tenth / 10
            break
    assert hidden_s == pytest.approx(max(3, after_s) + 0.1)
    subject.choose(people(20), 16 * 10**9)
    assert not subject.is_hidden(16 * 10**9)


def test_the_effect_goes_on_when_nobody_is_there_and_blur_is_asked_for() -> None:
    subject = Subject(SIZE)
    for second in range(60):
        subject.choose(people(), second * 10**9)
        assert not subject.is_hidden(second * 10**9)

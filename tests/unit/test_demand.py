"""Who watches, and when the camera may be closed for want of anybody."""

import pytest

from scrim.core.demand import LINGER_S, Demand


class Watched:
    def __init__(self, *, is_on: bool = True) -> None:
        self.now_s = 50.0
        self.changes: list[bool] = []
        self.demand = Demand(is_on=is_on, clock_s=lambda: self.now_s)
        self.demand.follow(lambda: self.changes.append(self.demand.is_there))

    def look(self, *consumers: int | None, after_s: float = 0.25) -> bool:
        self.now_s += after_s
        self.demand.look(consumers)
        return self.demand.is_there


def test_without_the_setting_somebody_is_always_there() -> None:
    watched = Watched(is_on=False)
    assert watched.look(0, after_s=1000)
    assert watched.changes == []


def test_nobody_is_there_until_somebody_is_seen() -> None:
    watched = Watched()
    assert not watched.demand.is_there
    assert not watched.look(0, 0)
    assert watched.look(0, 1)
    assert watched.changes == [True]


def test_one_output_of_which_nobody_can_tell_keeps_the_camera_open() -> None:
    watched = Watched()
    assert watched.look(0, None)
    assert watched.look(0, None, after_s=1000)


def test_the_camera_stays_open_for_a_while_after_the_last_one_left() -> None:
    watched = Watched()
    watched.look(1)
    assert watched.look(0, after_s=LINGER_S)
    assert watched.look(1)
    assert watched.look(0, after_s=LINGER_S)
    assert not watched.look(0)
    assert watched.changes == [True, False]


@pytest.mark.parametrize("count", [1, 3])
def test_coming_and_going_is_told_once_each(count: int) -> None:
    watched = Watched()
    for _ in range(3):
        watched.look(count)
    for _ in range(3):
        watched.look(0, after_s=LINGER_S)
    assert watched.changes == [True, False]

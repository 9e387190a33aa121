"""Which part of the picture to show: decided from sightings, at rest while the person only gestures."""

from dataclasses import dataclass

from scrim.core.framing.sighting import Sighting
from scrim.core.framing.view import FULL, View, centred

_FILL = 0.6
"""Of the view's width is the body's."""

_HEAD_ROOM = 0.14
"""Of the view's height is above the head."""

_BUST = 0.72
"""Of the view's height at most is from the top of the head to the shoulders."""

_MARGIN = 0.03
"""Of the view is beside an arm that the view was opened for."""

_BEYOND = 0.12
"""Of the view: so much more of a person is assumed behind the edge that cuts them."""

_REST_SHIFT = 0.07
_REST_ZOOM = 0.16
"""While the view that is wanted differs by less from the goal, in parts of the goal, the goal rests."""

_DWELL_S = 0.2
"""It must differ by more for so long."""

_CALM = 0.012
_CALM_S = 0.35
"""The goal rests again when what is wanted has moved by less, in parts of the picture, for so long."""

_HOLD_S = 3.0
"""How long the view stays open after an arm needed it."""

_NARROWS = 1.05
"""A view so many times as wide as its goal shows the person well already."""

_GONE_S = 0.7
"""How long nobody is seen before the view opens to look for them."""

_TOLERANCE = 0.003
"""Of the picture: rounding, no arm."""

CALM_HZ = 4.5
HASTY_HZ = 9.0
"""Paces of the glide: to follow, and when the person would be cut."""


@dataclass(frozen=True, slots=True)
class Order:
    """Where the view is to go.

    Attributes:
        goal: the view wanted.
        is_urgent: whether the person would be cut; a view that is to narrow has time all the same.
    """

    goal: View
    is_urgent: bool = False

    def pace_hz(self, view: View) -> float:
        """How fast to go there from a view; see :class:`scrim.core.framing.glide.Glide`."""
        return HASTY_HZ if self.is_urgent and view.share < _NARROWS * self.goal.share else CALM_HZ


class Reach:
    """How far the arms have lately reached where the view had to open for them; none of it at rest."""

    def __init__(self) -> None:
        self.left = self.right = 0.0
        self._needed_s = 0.0

    def open(self, left: float, right: float, now_s: float) -> None:
        """Hold at least so much to the left and to the right of the body's middle."""
        self.left, self.right = max(self.left, left), max(self.right, right)
        self._needed_s = now_s

    def relax(self, now_s: float) -> None:
        """Let go of it, if it was not needed for long enough."""
        if now_s - self._needed_s > _HOLD_S:
            self.left = self.right = 0.0


class Aim:
    """Decides where the view is to go. It is told sightings and times, nothing else.

    Args:
        max_zoom: the narrowest view shows 1 / max_zoom of the width.
    """

    def __init__(self, max_zoom: float) -> None:
        self._least_share = 1 / max_zoom
        self._order = Order(FULL)
        self._reach = Reach()
        self._is_following = False
        self._floor = 0.0
        self._uneasy_since_s: float | None = None
        self._missed_since_s: float | None = None
        self._calm: tuple[View, float] = (FULL, 0.0)

    def decide(self, sighting: Sighting | None, now_s: float) -> Order:
        """Take one sighting into account.

        Args:
            sighting: of the newest picture; None when nobody is in it.
            now_s: when that picture was taken.
        """
        if sighting is None:
            return self._search(now_s)
        self._missed_since_s = None
        is_urgent = any(sighting.is_cut) or not _holds(self._order.goal, sighting)
        if is_urgent:
            self._reach.open(*self._reaching(sighting), now_s)
        else:
            self._reach.relax(now_s)
        if self._is_moved(self._want(sighting), now_s, is_urgent=is_urgent):
            self._follow(self._want(sighting), now_s, is_urgent=is_urgent)
        return self._order

    def _search(self, now_s: float) -> Order:
        """Nobody is seen: wait a little, then open the view to find them."""
        if self._missed_since_s is None:
            self._missed_since_s = now_s
        if now_s - self._missed_since_s >= _GONE_S:
            self._order = Order(FULL)
            self._reach = Reach()
        self._rest()
        return self._order

    def _reaching(self, sighting: Sighting) -> tuple[float, float]:
        """How far the person goes to both sides, with what is assumed behind an edge that cuts them."""
        beyond = _BEYOND * self._order.goal.share
        return (
            sighting.middle - sighting.left + beyond * sighting.is_cut[0],
            sighting.right - sighting.middle + beyond * sighting.is_cut[1],
        )

    def _want(self, sighting: Sighting) -> View:
        """The view that fits the body, opened and moved no more than its arms need.

        It does not narrow to the part of somebody who is coming or going at the side of the picture.
        """
        left = max(0.0, sighting.middle - self._reach.left)
        right = min(1.0, sighting.middle + self._reach.right)
        arms, bust = right - left, sighting.shoulders - sighting.top
        fitting = max(sighting.width / _FILL, arms / (1 - 2 * _MARGIN), bust / _BUST)
        floor = max(self._floor, self._order.goal.share * sighting.is_partial)
        share = min(max(fitting, self._least_share, floor), 1.0)
        room = (0.5 - _MARGIN) * share
        x = min(max(sighting.middle, right - room), left + room)
        top = sighting.top - _BEYOND * self._order.goal.share * sighting.is_cut[2]
        return centred(x, top + (0.5 - _HEAD_ROOM) * share, share)

    def _is_moved(self, wanted: View, now_s: float, *, is_urgent: bool) -> bool:
        """Whether the goal follows: at once when the person would be cut, else after a while out of rest."""
        if self._is_following:
            return True
        if not is_urgent and _rests(self._order.goal, wanted):
            self._uneasy_since_s = None
            return False
        if self._uneasy_since_s is None:
            self._uneasy_since_s = now_s
        if is_urgent or now_s - self._uneasy_since_s >= _DWELL_S:
            self._is_following, self._calm = True, (wanted, now_s)
            self._floor = self._order.goal.share if is_urgent else _zoom_goal(self._order.goal, wanted)
        return self._is_following

    def _follow(self, wanted: View, now_s: float, *, is_urgent: bool) -> None:
        """Go where it is wanted, never narrowing again on the way: a view that moves shows half a person."""
        self._floor = wanted.share
        self._order = Order(wanted, is_urgent or self._order.is_urgent)
        if _apart(wanted, self._calm[0]) > _CALM:
            self._calm = (wanted, now_s)
        if now_s - self._calm[1] >= _CALM_S:
            self._order = Order(wanted)
            self._rest()

    def _rest(self) -> None:
        self._is_following, self._uneasy_since_s, self._floor = False, None, 0.0


def _holds(goal: View, sighting: Sighting) -> bool:
    """Whether the person would be whole in the goal; the lower edge may cut them, as a desk does."""
    return (
        goal.left <= sighting.left + _TOLERANCE
        and sighting.right <= goal.left + goal.share + _TOLERANCE
        and goal.top <= sighting.top + _TOLERANCE
    )


def _rests(goal: View, wanted: View) -> bool:
    shift_x = abs(wanted.left + wanted.share / 2 - goal.left - goal.share / 2)
    shift_y = abs(wanted.top + wanted.share / 2 - goal.top - goal.share / 2)
    return max(shift_x, shift_y) <= _REST_SHIFT * goal.share and _zoom_goal(goal, wanted) == goal.share


def _zoom_goal(goal: View, wanted: View) -> float:
    """The share to go to: the goal's own, unless the one wanted differs enough."""
    return wanted.share if abs(wanted.share - goal.share) > _REST_ZOOM * goal.share else goal.share


def _apart(one: View, other: View) -> float:
    return max(abs(one.left - other.left), abs(one.top - other.top), abs(one.share - other.share))

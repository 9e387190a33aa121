"""How far down the ladder heat or a weak power supply push the quality. Readings and time are handed in."""

from dataclasses import dataclass
from math import inf
from typing import Literal

Cause = Literal["temperature", "under-voltage"]

HOT_C = 80.0
"""From here on a Raspberry Pi slows its processor down."""

COOL_C = 75.0
"""Below this it is cool again; in between nothing changes."""

RAISE_PAUSE_S = 30.0
"""One more level after this long, while it is still hot."""

FIRST_RELEASE_S = 60.0
LAST_RELEASE_S = 3600.0
"""One level is given back after so long without cause; twice as long each time that was too early."""

_EARLY_S = 300.0


@dataclass(slots=True)
class Floor:
    """The level that one cause does not let the quality rise above.

    Attributes:
        cause: temperature or under-voltage.
        first: the level it begins at.
        last: the level it never goes beyond.
        level: now; 0 means it asks for nothing.
    """

    cause: Cause
    first: int
    last: int
    level: int = 0
    _quiet_since_s: float | None = None
    _raised_s: float = -inf
    _released_s: float = -inf
    _release_s: float = FIRST_RELEASE_S

    def press(self, now_s: float) -> None:
        """The cause is there."""
        self._quiet_since_s = None
        if self.level == 0 or (self.level < self.last and now_s - self._raised_s >= RAISE_PAUSE_S):
            if self.level == 0:
                is_early = now_s - self._released_s < _EARLY_S
                self._release_s = min(LAST_RELEASE_S, 2 * self._release_s) if is_early else FIRST_RELEASE_S
            self.level = min(self.last, max(self.first, self.level + 1))
            self._raised_s = now_s

    def hold(self) -> None:
        """Neither there nor gone."""
        self._quiet_since_s = None

    def rest(self, now_s: float) -> None:
        """The cause is gone."""
        if self.level == 0:
            return
        if self._quiet_since_s is None:
            self._quiet_since_s = now_s
        if now_s - self._quiet_since_s >= self._release_s:
            self.level = self.level - 1 if self.level > self.first else 0
            self._quiet_since_s = self._released_s = now_s


class Limits:
    """Both floors.

    Heat takes one level at a time, from 1 on. Under-voltage goes at once to ``weak_level``, and no further:
    less work draws less current, but no amount of quality mends a power supply.

    Args:
        weak_level: for under-voltage.
        last: the bottom of the ladder.
    """

    def __init__(self, weak_level: int, last: int) -> None:
        self._heat = Floor("temperature", first=min(1, last), last=last)
        self._voltage = Floor("under-voltage", first=weak_level, last=weak_level)

    def read(self, now_s: float, temperature_c: float | None, *, is_under_voltage: bool) -> None:
        """Take one reading; a temperature of None is one that is not known and changes nothing."""
        if temperature_c is None:
            self._heat.hold()
        elif temperature_c >= HOT_C:
            self._heat.press(now_s)
        elif temperature_c >= COOL_C:
            self._heat.hold()
        else:
            self._heat.rest(now_s)
        if is_under_voltage:
            self._voltage.press(now_s)
        else:
            self._voltage.rest(now_s)

    @property
    def level(self) -> int:
        """The deeper floor; 0 when there is none."""
        return max(self._heat.level, self._voltage.level)

    @property
    def cause(self) -> Cause | None:
        """Whose it is."""
        if self.level == 0:
            return None
        return "temperature" if self._heat.level >= self._voltage.level else "under-voltage"

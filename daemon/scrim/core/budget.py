"""Staying within the budget: takes each frame's processing time, says how much quality there is time for.

Pure: no threads, no clock, no input or output. One thread uses a :class:`Budget`.

How it decides. *Down*: when the median time of the last second, two and a half or five seconds is above what
is allowed by more than chance explains, quality drops to the first level that is worth trying: one that fits
by what was measured, or one that was never measured and might. *Up*: after 30 quiet seconds, to the best
level that fits by what was measured, taking the load that nine in ten of these seconds stayed below. Levels
that differ only in the output rate cost the same per processed frame: these need no measuring. A level that
fails within a minute after a step up is left alone for two minutes, then four, up to an hour.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite, sqrt
from statistics import median
from typing import Literal

from scrim.core.ladder import Level, ladder, least_left, works
from scrim.core.limits import Limits
from scrim.core.load import FrameTimes, RelativeCosts

__all__ = ["Budget", "Change", "Level", "Reason", "ladder"]

Reason = Literal["time", "temperature", "under-voltage"]

LOOK_INTERVAL_S = 0.1
"""Decisions are made this often at most: at 60 frames per second not for each."""

FIRST_LOOK_S = 0.5
"""A level is given this long before it is judged."""

WINDOWS_S = (1.0, 2.5, 5.0)
"""A heavy overload shows in the shortest, a slight one among noisy frames in the longest."""

CHANCE = 3.0 * 1.25
"""Three standard errors of a median: a median above what is allowed by less may be chance."""

STRICT_S = (1.1, 3.0)
"""So long after a change the level is judged without the benefit of the doubt."""

AIM = 0.92
"""A level is taken when it should need no more than this share of what is allowed."""

CALM_S = 30.0
"""Nothing is taken back earlier than this after any change."""

TRIAL_S = 60.0
"""A level that is overloaded so soon after a step up has failed."""

FIRST_PAUSE_S = 120.0
LAST_PAUSE_S = 3600.0
"""How long a failed level is left alone: twice as long each time."""

DARE_S = 300.0
"""After so long a level that once ran well is tried again, if the reason against it was seen only once."""

LATE_SHARE = 1.28
"""Standard deviations that hold nine in ten frames."""

_LEARN_S = 2.0


@dataclass(frozen=True, slots=True)
class Change:
    """The level, or the reason for it, is another from now on.

    Attributes:
        level: that holds now.
        previous: that held before.
        reason: why it is not full quality; None when it is.
        since_s: monotonic time from which it holds.
        load: the median time of the frames that led to it, as a share of what was allowed; 1 is just allowed.
    """

    level: Level
    previous: Level
    reason: Reason | None
    since_s: float
    load: float


@dataclass(slots=True)
class _Failure:
    pause_s: float
    until_s: float
    load_ms: float


@dataclass(frozen=True, slots=True)
class _Climb:
    number: int
    at_s: float
    load_ms: float


class Budget:
    """Chooses the level of the ladder from the time that frames take.

    At the bottom of the ladder the budget may be exceeded: there is nothing left to give.

    Args:
        levels: the ladder, full quality first; see :func:`ladder`.
        budget_percent: share of the frame interval that processing may take, 1 to 100. Where the output rate
            is reduced, the interval is that of the processed frames.
        frame_interval_ms: from one camera frame to the next, above 0.

    Attributes:
        level: to be used for the next frame.
        reason: why that is not full quality; None when it is.

    Raises:
        ValueError: no levels, or a figure out of its range.
    """

    def __init__(self, levels: tuple[Level, ...], budget_percent: float, frame_interval_ms: float) -> None:
        if not levels or [level.number for level in levels] != list(range(len(levels))):
            raise ValueError(f"levels = {levels}: must be numbered from 0")
        if not 0 < frame_interval_ms < inf:
            raise ValueError(f"frame_interval_ms = {frame_interval_ms}: must be above 0")
        self.levels = levels
        self.level = levels[0]
        self.reason: Reason | None = None
        self._share = _share(budget_percent)
        self._interval_ms = frame_interval_ms
        kinds = works(levels)
        self._kinds = tuple(kinds.index(level.work) for level in levels)
        self._costs = RelativeCosts([least_left(dear, cheap) for dear, cheap in pairwise(kinds)])
        self._times = FrameTimes()
        self._limits = Limits(_weak_level(levels), len(levels) - 1)
        self._newest_s = -inf
        self._next_look_s = -inf
        self._began_s: float | None = None
        self._strict = list(STRICT_S)
        self._skips = 1
        self._before: tuple[int, float] | None = None
        self._climb: _Climb | None = None
        self._failures: dict[int, _Failure] = {}
        self._proven: set[int] = set()

    def retarget(self, budget_percent: float) -> None:
        """Allow another share of the frame interval, 1 to 100, from now on.

        Raises:
            ValueError: it is out of its range.
        """
        self._share = _share(budget_percent)
        self._strict = list(STRICT_S)
        self._failures.clear()

    def measure_anew(self, now_s: float) -> None:
        """From now on ``add`` is told other figures of the same work: those of before say nothing about them.

        Args:
            now_s: monotonic time, seconds.
        """
        self._before = self._climb = None
        self._failures.clear()
        self._times.start_over()
        self._began_s, self._strict, self._skips = now_s, list(STRICT_S), 1

    def allowed_ms(self, level: Level | None = None) -> float:
        """What one frame may take at a level, the one in use by default.

        The budget, or less where frames vary so much that more than one in ten would take longer than there
        is until the next one.
        """
        every = (level or self.level).every
        return self._interval_ms * every * min(self._share, 1 / (1 + LATE_SHARE * self._times.noise))

    def add(self, processing_ms: float, now_s: float) -> Change | None:
        """Take the time of one processed frame; repeated frames do not count.

        Args:
            processing_ms: monotonic time from taking the frame to having it finished.
            now_s: monotonic time at which it was finished, seconds.

        Returns:
            The change, when there is one; it holds from the next frame on.

        Raises:
            ValueError: a time is not a number, is negative, or runs backwards.
        """
        if not (isfinite(processing_ms) and processing_ms >= 0):
            raise ValueError(f"processing_ms = {processing_ms}: must be a number, 0 or more")
        self._check_now(now_s)
        if self._began_s is None:
            self._began_s = now_s
        if self._skips:
            self._skips -= 1  # the first frame of a kind also pays for its buffers
            return None
        self._times.add(processing_ms, now_s)
        if now_s < self._next_look_s:
            return None
        self._next_look_s = now_s + LOOK_INTERVAL_S
        return self._look(now_s)

    def limit(
        self, now_s: float, temperature_c: float | None = None, *, is_under_voltage: bool = False
    ) -> Change | None:
        """Take one reading of the board's state, about once per second.

        Heat of 80 °C takes one level, and another each 30 s while it lasts; below 75 °C they are given back
        one by one after a minute each. Under-voltage halves the output rate at once. Each cause that returns
        soon after it was thought gone is given twice the time. Quality comes back by :meth:`add` alone.

        Args:
            now_s: monotonic time, seconds, on the same clock as :meth:`add`'s.
            temperature_c: of the processor; None when it is not known.
            is_under_voltage: the supply is too weak now.

        Raises:
            ValueError: a reading is not a number, or time runs backwards.
        """
        if temperature_c is not None and not isfinite(temperature_c):
            raise ValueError(f"temperature_c = {temperature_c}: must be a number, or None")
        self._check_now(now_s)
        self._limits.read(now_s, temperature_c, is_under_voltage=is_under_voltage)
        if self._limits.level <= self.level.number:
            return None
        times = self._times.last(WINDOWS_S[0])
        return self._move(self._limits.level, self._limits.cause, now_s, median(times) if times else None)

    def _look(self, now_s: float) -> Change | None:
        began_s = self._began_s if self._began_s is not None else now_s
        held_s = now_s - began_s
        if held_s < FIRST_LOOK_S:
            return None
        if held_s >= _LEARN_S:
            self._learn()
        over_ms = self._overload_ms(held_s)
        if over_ms is not None:
            self._judge_climb(now_s)
            number = self._down(over_ms)
            return self._move(number, "time", now_s, over_ms) if number != self.level.number else None
        if held_s < CALM_S or self._times.seconds < CALM_S * 2 / 3:
            return None
        return self._rest(now_s, held_s)

    def _overload_ms(self, held_s: float) -> float | None:
        """What a frame takes now, when some window is too slow to be chance; else None."""
        allowed_ms, noise = self.allowed_ms(), self._times.noise
        if self._strict and held_s >= self._strict[0]:
            span_s, *self._strict = self._strict
            times = self._times.last(span_s)
            if times and median(times) > allowed_ms * (1 - 0.2 * noise):
                return median(times)
        slight = noise / 2 if not self._strict and held_s < CALM_S else 0.0
        for span_s in WINDOWS_S:
            times = self._times.last(span_s)
            doubt = max(slight, CHANCE * noise / sqrt(max(1, len(times))))
            if times and median(times) > allowed_ms * (1 + doubt):
                return median(times[-max(3, len(times) // 2) :])  # the older half may be from before
        return None

    def _down(self, over_ms: float) -> int:
        """The first level further down that fits, or might."""
        here = self._kinds[self.level.number]
        for level in self.levels[self.level.number + 1 :]:
            least_ms = over_ms * self._costs.least(here, self._kinds[level.number])
            if least_ms <= AIM * self.allowed_ms(level):
                return level.number
        return len(self.levels) - 1

    def _rest(self, now_s: float, held_s: float) -> Change | None:
        """All is calm: take a step up, if one fits."""
        self._proven.add(self.level.number)
        if self._climb is not None and now_s - self._climb.at_s > DARE_S:
            self._failures.pop(self._climb.number, None)
            self._climb = None
        floor, busy_ms = self._limits.level, self._times.busy_ms
        for number in range(floor, self.level.number):
            if self._fits(number, busy_ms, held_s) and not self._is_barred(number, busy_ms, now_s):
                self._climb = _Climb(number, now_s, self._full_ms(busy_ms))
                reason: Reason | None = self._limits.cause if number == floor else "time"
                return self._move(number, reason, now_s, busy_ms)
        if self.level.number > floor and self.reason != "time":
            return self._move(self.level.number, "time", now_s, busy_ms)
        return None

    def _fits(self, number: int, busy_ms: float, held_s: float) -> bool:
        here, there = self._kinds[self.level.number], self._kinds[number]
        guesses = 0 if self._costs.is_certain(there) else here - there
        room = AIM - self._times.noise * (0.5 + 0.25 * guesses)
        room_ms = room * self.allowed_ms(self.levels[number])
        if busy_ms * self._costs.most(here, there) <= room_ms:
            return True
        is_unknown = not self._costs.is_known(there)
        may_dare = held_s >= DARE_S and (number in self._proven or is_unknown)
        may_dare = may_dare and not self._costs.is_certain(there)
        if not may_dare and not (is_unknown and self.reason != "time"):
            return False
        return busy_ms * self._costs.likely(here, there) <= room_ms

    def _is_barred(self, number: int, busy_ms: float, now_s: float) -> bool:
        """Whether this level, or a cheaper one, failed lately under a load like the present one."""
        full_ms = self._full_ms(busy_ms)
        return any(
            failed >= number and now_s < failure.until_s and full_ms > 0.8 * failure.load_ms
            for failed, failure in self._failures.items()
        )

    def _judge_climb(self, now_s: float) -> None:
        climb, self._climb = self._climb, None
        if climb is None or climb.number != self.level.number or now_s - climb.at_s > TRIAL_S:
            return
        earlier = self._failures.get(climb.number)
        pause_s = min(LAST_PAUSE_S, 2 * earlier.pause_s) if earlier else FIRST_PAUSE_S
        self._failures[climb.number] = _Failure(pause_s, now_s + pause_s, climb.load_ms)

    def _full_ms(self, busy_ms: float) -> float:
        """What full quality should take when the level in use takes ``busy_ms``."""
        return busy_ms * self._costs.most(self._kinds[self.level.number], 0)

    def _learn(self) -> None:
        """Compare the kind of work in use with the one before, once."""
        if self._before is None:
            return
        after_ms = self._times.comparable_ms(_LEARN_S)
        if after_ms is not None:
            (kind, before_ms), self._before = self._before, None
            self._costs.learn(kind, self._kinds[self.level.number], after_ms / before_ms)

    def _move(self, number: int, reason: Reason | None, now_s: float, seen_ms: float | None) -> Change:
        self._learn()
        previous, load = self.level, (seen_ms or 0.0) / self.allowed_ms()
        self.level, self.reason = self.levels[number], reason
        here, there = self._kinds[previous.number], self._kinds[number]
        if here != there:
            times = self._times.last(WINDOWS_S[1]) if number < previous.number else []
            before_ms = median(times) if times else seen_ms
            self._before = (here, before_ms) if before_ms else None
            self._skips = 1
        self._times.start_over()
        self._began_s, self._strict = now_s, list(STRICT_S)
        return Change(self.level, previous, reason, now_s, load)

    def _check_now(self, now_s: float) -> None:
        if not (isfinite(now_s) and now_s >= max(0.0, self._newest_s)):
            raise ValueError(f"now_s = {now_s}: must be a number, and not before {self._newest_s}")
        self._newest_s = now_s


def _share(budget_percent: float) -> float:
    if not 1 <= budget_percent <= 100:
        raise ValueError(f"budget_percent = {budget_percent}: must be from 1 to 100")
    return budget_percent / 100


def _weak_level(levels: tuple[Level, ...]) -> int:
    """The level for under-voltage: the first that processes fewer frames, or the last."""
    return next((level.number for level in levels if level.every > 1), len(levels) - 1)

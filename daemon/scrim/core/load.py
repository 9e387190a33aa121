"""What frames cost: the last ones, and one kind of work against another. No clock of its own."""

from collections import deque
from collections.abc import Sequence
from math import cbrt, prod, sqrt
from statistics import median

MEMORY_S = 5.0
"""Frames older than this say nothing about now."""

MOST_FRAMES = 320
"""What is kept of the last frames: 5 s at 60 frames per second."""

SECONDS = 30
"""How many seconds the past load is remembered, one figure for each."""

_HEAD_S = 0.7
_FEWEST_JUMPS = 8
_UNKNOWN_NOISE = 0.1
_MOST_NOISE = 0.5
_MEDIAN_JUMP = 0.954
"""Median distance of two draws from a normal distribution, in its standard deviations."""


class FrameTimes:
    """Processing times of the last frames of one kind."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, float]] = deque(maxlen=MOST_FRAMES)
        self._jumps: deque[float] = deque(maxlen=256)
        self._noise = _UNKNOWN_NOISE
        self._noise_due = _FEWEST_JUMPS
        self._seconds: deque[float] = deque(maxlen=SECONDS)
        self._second: list[float] = []
        self._second_began_s = 0.0

    def add(self, processing_ms: float, now_s: float) -> None:
        """Keep one frame's time."""
        if self._frames:
            before_s, before_ms = self._frames[-1]
            self._jump(2 * abs(processing_ms - before_ms) / max(processing_ms + before_ms, 1e-9))
            if now_s - before_s > MEMORY_S:
                self._frames.clear()
        self._frames.append((now_s, processing_ms))
        self._count(processing_ms, now_s)

    def start_over(self) -> None:
        """Forget the frames, because the next ones are of another kind; how noisy they are is kept."""
        self._frames.clear()
        self._seconds.clear()
        self._second.clear()

    def last(self, span_s: float) -> list[float]:
        """Times in ms of the frames finished in the last ``span_s``.

        Where they come too slowly for that: the last three, or two that are 0.5 s apart; an empty list when
        there are not even those.
        """
        if not self._frames:
            return []
        newest_s = self._frames[-1][0]
        recent = [ms for at_s, ms in self._frames if at_s > newest_s - span_s]
        if len(recent) >= 3:
            return recent
        tail = list(self._frames)[-3:]
        if len(tail) == 3:
            return [ms for _, ms in tail]
        return [ms for _, ms in tail] if len(tail) == 2 and tail[1][0] - tail[0][0] >= 0.5 else []

    def comparable_ms(self, span_s: float) -> float | None:
        """Median of the first frames since starting over, as many as are alike, within ``span_s``.

        The frames of the first 0.7 s follow directly on what came before. Later ones are counted with them
        unless the load has become another meanwhile. None when there are no frames.
        """
        if not self._frames:
            return None
        first_s = self._frames[0][0]
        head = [ms for at_s, ms in self._frames if at_s <= first_s + _HEAD_S]
        tail = [ms for at_s, ms in self._frames if first_s + _HEAD_S < at_s <= first_s + span_s]
        head_ms = median(head)
        doubt = 0.1 + 3 * self.noise / sqrt(len(head))
        is_alike = bool(tail) and abs(median(tail) / max(head_ms, 1e-9) - 1) < doubt
        return median([*head, *tail]) if is_alike else head_ms

    @property
    def noise(self) -> float:
        """Relative standard deviation from frame to frame, 0 to 0.5; steps and outliers do not count."""
        return self._noise

    @property
    def seconds(self) -> int:
        """How many seconds with frames are remembered, at most 30."""
        return len(self._seconds)

    @property
    def busy_ms(self) -> float:
        """Nine in ten of the last 30 seconds had a median time of no more than this; 0 without any."""
        ordered = sorted(self._seconds)
        return ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)] if ordered else 0.0

    def _jump(self, relative: float) -> None:
        self._jumps.append(relative)
        self._noise_due -= 1
        if self._noise_due <= 0:
            self._noise_due = 4 if len(self._jumps) < 64 else 16
            self._noise = min(_MOST_NOISE, median(self._jumps) / _MEDIAN_JUMP)

    def _count(self, processing_ms: float, now_s: float) -> None:
        if self._second and now_s - self._second_began_s >= 1.0:
            self._seconds.append(median(self._second))
            self._second.clear()
        if not self._second:
            self._second_began_s = now_s
        if len(self._second) < MOST_FRAMES:
            self._second.append(processing_ms)


class RelativeCosts:
    """What each kind of work costs against the others, learned whenever one follows another.

    Kinds are numbered from the dearest, 0, to the cheapest.

    Args:
        least_left: for each kind after the first, the share of the previous kind's time that it takes at the
            least; above 0, at most 1.
    """

    def __init__(self, least_left: Sequence[float]) -> None:
        self._least_left = tuple(least_left)
        count = len(self._least_left) + 1
        self._cost = [prod(sqrt(left) for left in self._least_left[:kind]) for kind in range(count)]
        self._is_known = [False] * count
        self._agreements = [0] * count

    def learn(self, before: int, after: int, ratio: float) -> None:
        """Under one load, ``after`` took ``ratio`` times the time of ``before``."""
        dear, cheap = min(before, after), max(before, after)
        share = min(1.0, max(0.02, ratio if after > before else 1 / max(ratio, 1e-9)))
        if self._is_known[dear] and self._is_known[cheap]:
            known = self._cost[cheap] / self._cost[dear]
            self._agreements[cheap] += 0.75 < share / known < 1.33
            share = sqrt(share * known)
        self._is_known[dear] = self._is_known[cheap] = True
        factor = share * self._cost[dear] / self._cost[cheap]
        for kind in range(cheap, len(self._cost)):
            self._cost[kind] *= factor
        for kind in reversed(range(1, len(self._cost))):
            self._cost[kind - 1] = max(self._cost[kind - 1], self._cost[kind])

    def is_known(self, kind: int) -> bool:
        """Whether this kind was ever measured against another."""
        return self._is_known[kind]

    def is_certain(self, kind: int) -> bool:
        """Whether the step from ``kind`` down was measured twice with about the same result."""
        below = [at for at in range(kind + 1, len(self._cost)) if self._is_known[at]]
        return self._is_known[kind] and bool(below) and self._agreements[below[0]] > 0

    def least(self, now: int, other: int) -> float:
        """The cheapest that ``other`` can be for what ``now``, the same or dearer, costs 1."""
        if self._is_known[other] and self._is_known[now]:
            return self._cost[other] / self._cost[now]
        cheaper = [self._cost[kind] for kind in range(other, len(self._cost)) if self._is_known[kind]]
        bounds = [cost / self._cost[now] for cost in cheaper[:1]] if self._is_known[now] else []
        return max([*bounds, prod(self._least_left[now:other])])

    def most(self, now: int, other: int) -> float:
        """The dearest that ``other`` can be for what ``now``, the same or cheaper, costs 1."""
        if other == now:
            return 1.0
        if self._is_known[other] and self._is_known[now]:
            return self._cost[other] / self._cost[now]
        dearer = [self._cost[kind] / self._cost[now] for kind in range(other) if self._is_known[kind]]
        bounds = dearer[-1:] if self._is_known[now] else []
        return min([*bounds, 1 / prod(self._least_left[other:now])])

    def likely(self, now: int, other: int) -> float:
        """What ``other`` costs for what ``now`` costs 1, if the levers between save little, as most do."""
        return 1 / prod(cbrt(left) for left in self._least_left[other:now])

"""Counting and timing, cheap enough for every frame."""

import time
from bisect import bisect_left
from collections import deque
from itertools import accumulate

BUCKETS_MS = (2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 33.0, 50.0, 66.0, 100.0, 200.0)
"""Upper bounds of the histograms: a frame interval at 60, 30, 20 and 15 Hz, and shares of them."""


class Histogram:
    """How many values lie up to each bound. One thread adds, any may read.

    Attributes:
        total_ms: sum of all values.
    """

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_MS) + 1)
        self.total_ms = 0.0

    def add(self, value_ms: float) -> None:
        """Count one value."""
        self._counts[bisect_left(BUCKETS_MS, value_ms)] += 1
        self.total_ms += value_ms

    def cumulative(self) -> list[int]:
        """How many values were at most each of ``BUCKETS_MS``, and at the end how many there were."""
        return list(accumulate(tuple(self._counts)))


class StageClock:
    """Wall time of each stage of a frame, as a moving average and as a histogram.

    Args:
        weight: share of the newest frame in the average, 0 to 1.
    """

    def __init__(self, weight: float = 0.1) -> None:
        self._weight = weight
        self._average_ms: dict[str, float] = {}
        self.total_ms: dict[str, float] = {}
        self.count: dict[str, int] = {}
        self._histograms: dict[str, Histogram] = {}

    def stage(self, name: str) -> "Stage":
        """Time what happens inside."""
        return Stage(self, name)

    def add(self, name: str, spent_ms: float) -> None:
        """Count one run of a stage."""
        before = self._average_ms.get(name, spent_ms)
        self._average_ms[name] = before + self._weight * (spent_ms - before)
        self.total_ms[name] = self.total_ms.get(name, 0.0) + spent_ms
        self.count[name] = self.count.get(name, 0) + 1
        histogram = self._histograms.get(name)
        if histogram is None:
            histogram = self._histograms[name] = Histogram()
        histogram.add(spent_ms)

    def histogram(self, name: str) -> Histogram:
        """Of one stage since the start; empty where it was never run."""
        return self._histograms.get(name) or Histogram()

    def averages_ms(self) -> dict[str, float]:
        """Stage to its moving average in ms."""
        return dict(self._average_ms)


class Stage:
    """One run of a stage, as a context; whatever its end, it is counted.

    Args:
        clock: where.
        name: of the stage.
    """

    __slots__ = ("_begin_ns", "_clock", "_name")

    def __init__(self, clock: StageClock, name: str) -> None:
        self._clock = clock
        self._name = name
        self._begin_ns = 0

    def __enter__(self) -> None:
        self._begin_ns = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        self._clock.add(self._name, (time.perf_counter_ns() - self._begin_ns) / 1e6)


class RateMeter:
    """Events per second over the last few seconds. One thread adds, any may read.

    Args:
        window_s: how far back to look.
    """

    def __init__(self, window_s: float = 2.0) -> None:
        self._window_ns = int(window_s * 1e9)
        self._times_ns: deque[int] = deque(maxlen=512)
        self.total = 0

    def tick(self, now_ns: int) -> None:
        """Count one event."""
        self._times_ns.append(now_ns)
        self.total += 1

    def rate_hz(self, now_ns: int) -> float:
        """Events per second over the window, or since the first event when that is shorter."""
        times = [at for at in tuple(self._times_ns) if now_ns - at <= self._window_ns]
        if len(times) < 2:
            return 0.0
        span_ns = self._window_ns if len(times) < self.total else now_ns - times[0]
        return len(times) * 1e9 / max(1, span_ns)


class Percentiles:
    """Percentiles over the last values. One thread adds, any may read.

    Args:
        size: how many values are kept.
    """

    def __init__(self, size: int = 256) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        """Keep one value."""
        self._values.append(value)

    def at(self, percent: float) -> float:
        """The value that ``percent`` of the kept ones do not exceed; 0 when there are none."""
        values = sorted(self._values.copy())
        return values[min(len(values) - 1, int(len(values) * percent / 100))] if values else 0.0

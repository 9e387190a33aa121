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


class Stage:
    """A stage, and what its runs took. As a context it is one run; whatever its end, it is counted.

    Only one run goes on at a time.

    Args:
        weight: share of the newest run in the average, 0 to 1.

    Attributes:
        average_ms: moving.
        count: of runs.
        histogram: of all runs.
    """

    __slots__ = ("_begin_ns", "_weight", "average_ms", "count", "histogram")

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._begin_ns = 0
        self.average_ms = 0.0
        self.count = 0
        self.histogram = Histogram()

    def add(self, spent_ms: float) -> None:
        """Count one run."""
        weight = self._weight if self.count else 1.0
        self.average_ms += weight * (spent_ms - self.average_ms)
        self.count += 1
        self.histogram.add(spent_ms)

    def __enter__(self) -> None:
        self._begin_ns = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        self.add((time.perf_counter_ns() - self._begin_ns) / 1e6)


class StageClock:
    """Wall time of each stage of a frame, as a moving average and as a histogram.

    Args:
        weight: share of the newest frame in the average, 0 to 1.
    """

    def __init__(self, weight: float = 0.1) -> None:
        self._weight = weight
        self._stages: dict[str, Stage] = {}

    def stage(self, name: str) -> Stage:
        """Time what happens inside. No stage is entered by two threads at once."""
        try:
            return self._stages[name]
        except KeyError:
            return self._stages.setdefault(name, Stage(self._weight))

    def add(self, name: str, spent_ms: float) -> None:
        """Count one run of a stage."""
        self.stage(name).add(spent_ms)

    def clear(self) -> None:
        """Begin anew."""
        self._stages = {}

    @property
    def total_ms(self) -> dict[str, float]:
        """Stage to the time of all its runs."""
        return {name: stage.histogram.total_ms for name, stage in self._all()}

    @property
    def count(self) -> dict[str, int]:
        """Stage to how often it was run."""
        return {name: stage.count for name, stage in self._all() if stage.count}

    def averages_ms(self) -> dict[str, float]:
        """Stage to its moving average in ms."""
        return {name: stage.average_ms for name, stage in self._all() if stage.count}

    def histogram(self, name: str) -> Histogram:
        """Of one stage since the start; empty where it was never run."""
        stage = self._stages.get(name)
        return stage.histogram if stage is not None else Histogram()

    def _all(self) -> list[tuple[str, Stage]]:
        return list(self._stages.items())


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

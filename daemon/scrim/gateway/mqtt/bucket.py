"""A token bucket: so many at once, so many a second."""

from collections.abc import Callable
from time import monotonic


class Bucket:
    """Lets a burst through, and then as many as come in a second.

    Args:
        per_s: tokens that come back each second.
        burst: tokens it holds at the most.
        clock_s: monotonic clock.
    """

    def __init__(self, per_s: float, burst: float, clock_s: Callable[[], float] = monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock_s = clock_s
        self._tokens = burst
        self._seen_s = clock_s()

    def take(self) -> bool:
        """Take a token; False when there is none."""
        now_s = self._clock_s()
        self._tokens = min(self._burst, self._tokens + (now_s - self._seen_s) * self._per_s)
        self._seen_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    @property
    def wait_s(self) -> float:
        """How long until there is a token; 0 when there is one."""
        tokens = self._tokens + (self._clock_s() - self._seen_s) * self._per_s
        return max(0.0, (1 - tokens) / self._per_s)

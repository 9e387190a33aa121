"""Whether anybody watches: with ``camera.on_demand`` the camera is open only while somebody does."""

import time
from collections.abc import Callable, Iterable

LINGER_S = 5.0
"""So long the camera stays open after the last one left: programs often close a camera to open it again."""


class Demand:
    """Follows who watches. One thread looks, any thread may ask.

    Args:
        is_on: False when the camera is open whether or not somebody watches.
        clock_s: monotonic clock.
    """

    def __init__(self, *, is_on: bool, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._is_on = is_on
        self._clock_s = clock_s
        self._watched_s = clock_s() if not is_on else float("-inf")
        self._followers: tuple[Callable[[], None], ...] = ()
        self.is_there = not is_on

    def follow(self, follower: Callable[[], None]) -> None:
        """Call ``follower``, which must not wait, whenever somebody comes or the last one is gone."""
        self._followers = (*self._followers, follower)

    def look(self, consumers: Iterable[int | None]) -> None:
        """Take note of how many watch each output; where that is not known, None, somebody does."""
        if not self._is_on:
            return
        now_s = self._clock_s()
        if any(count is None or count > 0 for count in consumers):
            self._watched_s = now_s
        is_there = now_s - self._watched_s <= LINGER_S
        if is_there != self.is_there:
            self.is_there = is_there
            for follower in self._followers:
                follower()

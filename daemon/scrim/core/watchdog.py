"""The sign of life that systemd waits for: a sink has really written a frame, and no open sink hangs."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from scrim.notify import Notify

_SHARE = 0.25
"""Of the watchdog's interval: so often it is told, and so long a sink may take for one frame twice over."""

_LEAST_LIMIT_S = 1.0


class Delivering(Protocol):
    """A sink, as far as the watchdog looks at it."""

    @property
    def is_open(self) -> bool:
        """Whether frames are written; a sink whose device is missing hangs nobody."""

    @property
    def delivered_s(self) -> float:
        """When it wrote its last frame, on the monotonic clock."""


class Watchdog:
    """Is told by each sink's writer of each frame; nobody else feeds systemd's watchdog.

    The first frame that is delivered makes the service ready.

    Args:
        notify: tells systemd.
        interval_s: how long systemd waits; None when it does not.
        clock_s: monotonic.
    """

    def __init__(
        self, notify: Notify, interval_s: float | None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._notify = notify
        self._interval_s = interval_s
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._sinks: Sequence[Delivering] = ()
        self._is_ready = False
        self._next_s = float("-inf")

    def follow(self, sinks: Sequence[Delivering]) -> None:
        """Watch these; one that hangs keeps the others from feeding."""
        self._sinks = sinks

    def delivered(self) -> None:
        """A sink has written a frame; called by the thread that wrote it."""
        now_s = self._clock_s()
        if self._is_ready and now_s < self._next_s:
            return
        with self._lock:
            if not self._is_ready:
                self._is_ready = True
                self._notify("READY=1")
            if self._interval_s is not None and now_s >= self._next_s and not self._hangs(now_s):
                self._next_s = now_s + self._interval_s * _SHARE
                self._notify("WATCHDOG=1")

    def _hangs(self, now_s: float) -> bool:
        limit_s = max(_LEAST_LIMIT_S, 2 * _SHARE * (self._interval_s or 0.0))
        return any(sink.is_open and now_s - sink.delivered_s > limit_s for sink in self._sinks)

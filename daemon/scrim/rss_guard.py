"""A process that grows beyond all measure is started again in order, before the machine runs out of memory.

systemd's MemoryMax would kill it in the middle of a frame, and does nothing at all on Raspberry Pi OS, whose
kernel is started without the memory controller. So each process looks at itself.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MB = 1_000_000

LOOK_S = 5.0
"""Between two looks."""

SETTLED_S = 60.0
"""After this time everything is loaded that usually is."""

_LOOKS = 3
"""So many in a row above the limit: a moment's peak, such as a picture being decoded, restarts nothing."""

_LEAST_GROWTH = 1.5
"""No process is started again that has not grown by half since it settled: it would come back the same."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a process may take of the machine where the settings do not say.

    Attributes:
        of_machine: of its memory.
        least_mb: at the least.
        most_mb: at the most.
    """

    of_machine: float
    least_mb: int
    most_mb: int


CORE = Share(0.5, 300, 1000)
GATEWAY = Share(0.25, 150, 500)


@dataclass(frozen=True, slots=True)
class Excess:
    """More memory than a process may take.

    Attributes:
        rss_mb: resident, in 10**6 bytes.
        limit_mb: what it may take.
    """

    rss_mb: float
    limit_mb: float

    def __str__(self) -> str:
        """For the log."""
        return f"{self.rss_mb:.0f} MB are resident, more than the {self.limit_mb:.0f} MB allowed"


class RssGuard:
    """Says when the process has taken more than it may. Used from one thread.

    Args:
        limit_mb: resident memory that is allowed.
        rss_bytes: resident memory now; None where that cannot be known.
        clock_s: monotonic.
    """

    def __init__(
        self,
        limit_mb: float,
        rss_bytes: Callable[[], int | None] | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_mb = limit_mb
        self._rss_bytes = rss_bytes or resident_bytes
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._next_s = self._began_s + SETTLED_S
        self._settled_mb: float | None = None
        self._above = 0

    def step(self) -> Excess | None:
        """Look, if it is time to; what is too much, where it is."""
        now_s = self._clock_s()
        if now_s < self._next_s:
            return None
        self._next_s = now_s + LOOK_S
        rss_bytes = self._rss_bytes()
        if rss_bytes is None:
            return None
        rss_mb = rss_bytes / MB
        if self._settled_mb is None:
            self._settled_mb = rss_mb
        limit_mb = max(self._limit_mb, _LEAST_GROWTH * self._settled_mb)
        self._above = self._above + 1 if rss_mb > limit_mb else 0
        return Excess(rss_mb, limit_mb) if self._above >= _LOOKS else None


def limit_mb(configured: int, share: Share, total_bytes: int | None = None) -> float:
    """What a process may take.

    Args:
        configured: by the settings; 0 leaves it to the share.
        share: of the machine.
        total_bytes: the machine's memory; asked of the kernel when None.
    """
    if configured:
        return float(configured)
    if total_bytes is None:
        total_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(max(share.of_machine * total_bytes / MB, share.least_mb), share.most_mb)


def resident_bytes(statm: Path = Path("/proc/self/statm")) -> int | None:
    """This process's resident memory (proc(5)); None where it cannot be read."""
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None

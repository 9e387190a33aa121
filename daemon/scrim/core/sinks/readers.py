"""Who reads a loopback device, where the driver does not tell: whoever has it open."""

import time
from collections.abc import Callable
from pathlib import Path

from scrim.core.node_errors import count_holders

LOOK_AGAIN_S = 0.4
"""Looking through the process list takes some ms."""

_PROC = Path("/proc")


class OpenCount:
    """Counts the other programs that have a device open. From any thread.

    Args:
        device: path of the node.
        proc: where the process list is; another folder in tests.
        clock_s: monotonic clock.
    """

    def __init__(
        self, device: str, proc: Path = _PROC, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._device = device
        self._proc = proc
        self._clock_s = clock_s
        self._next_s = float("-inf")
        self._count: int | None = None

    def __call__(self) -> int | None:
        """How many do; None when none is seen, but not every program can be looked at."""
        if self._clock_s() >= self._next_s:
            self._count = count_holders(self._device, self._proc)
            self._next_s = self._clock_s() + LOOK_AGAIN_S
        return self._count

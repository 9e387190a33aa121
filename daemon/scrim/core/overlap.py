"""Whether the person is found in one frame while the one before is composited: when that is worth it.

Pure: no threads, no clock, no input or output.
"""

import os
from collections import deque
from statistics import median
from typing import Literal

OverlapMode = Literal["auto", "on", "off"]

ON_SHARE = 0.6
"""Frames that take more of the camera's interval than this are overlapped."""

BEFORE_BUDGET = 0.9
"""And those that take more than this share of the budget: overlapping costs no quality, so it comes first."""

OFF_SHARE = 2 / 3
"""Overlapping ends below this share of what it began at."""

CALM_S = 10.0
"""It ends no earlier than this after it began."""

SKIPPED = 2
"""The first frames after a change also pay for buffers and caches; they do not count."""

FEWEST = 5
"""So many frames decide at the least: fewer than the budget takes before it lowers the quality."""

WINDOW = 15
"""The median of the last so many frames is what counts."""


class Overlap:
    """Decides from what frames take, both halves together. One thread uses it, any may read ``is_on``.

    Args:
        mode: ``auto`` measures; the others need not.
        cores: that this process may use; on one alone ``auto`` never overlaps.

    Attributes:
        is_on: whether two frames are to be worked on at once.
    """

    def __init__(self, mode: OverlapMode = "auto", cores: int = 1) -> None:
        self._is_free = mode == "auto" and cores > 1
        self.is_on = mode == "on"
        self._since_s = 0.0
        self._skips = SKIPPED
        self._shares: deque[float] = deque(maxlen=WINDOW)

    def add(self, share: float, budget: float, now_s: float) -> bool:
        """Take what one frame took.

        Args:
            share: of the camera's interval, both halves together.
            budget: share of it that filtering may take, 0 to 1.
            now_s: monotonic time at which the frame was finished, seconds.

        Returns:
            Whether that made it begin or end.
        """
        if not self._is_free:
            return False
        if self._skips:
            self._skips -= 1
            return False
        self._shares.append(share)
        if len(self._shares) < FEWEST or not self._is_due(budget, now_s):
            return False
        self.is_on = not self.is_on
        self._since_s, self._skips = now_s, SKIPPED
        self._shares.clear()
        return True

    def _is_due(self, budget: float, now_s: float) -> bool:
        limit, usual = min(ON_SHARE, BEFORE_BUDGET * budget), median(self._shares)
        if not self.is_on:
            return usual > limit
        is_settled = len(self._shares) == WINDOW and now_s - self._since_s >= CALM_S
        return is_settled and usual < OFF_SHARE * limit


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))

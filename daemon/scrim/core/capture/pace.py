"""Lets pictures that could come at any speed come at a camera's."""

import time

READ_LIMIT_S = 1.0
"""No ``Source.read`` waits longer than this."""


class Pace:
    """Says when the next picture is due.

    Args:
        frame_rate: pictures per second, above 0.
        wanted: False lets every picture be due at once.
    """

    def __init__(self, frame_rate: float, *, wanted: bool = True) -> None:
        self._interval_ns = round(1e9 / frame_rate) if wanted else 0
        self._due_ns = time.monotonic_ns()

    def wait(self) -> bool:
        """Sleep until the next picture is due, ``READ_LIMIT_S`` at most; False when it is not due yet then.

        A caller that comes more than one interval late is not made to catch up.
        """
        if not self._interval_ns:
            return True
        late_ns = time.monotonic_ns() - self._due_ns
        if late_ns < -READ_LIMIT_S * 1e9:
            time.sleep(READ_LIMIT_S)
            return False
        if late_ns < 0:
            time.sleep(-late_ns / 1e9)
        elif late_ns > self._interval_ns:
            self._due_ns += late_ns
        self._due_ns += self._interval_ns
        return True

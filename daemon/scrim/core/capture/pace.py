"""Lets pictures that could come at any speed come at a camera's."""

import time
from collections.abc import Callable

from scrim.core.capture.buffers import Buffers
from scrim.frame import Plane

READ_LIMIT_S = 0.03
"""No ``Source.read`` waits longer than this, so that a camera is closed within 0.1 s of being told to."""

_LOOK_AGAIN_S = 0.001
"""How often an unpaced source looks whether a buffer came back."""


class Pace:
    """Says when the next picture is due.

    Args:
        frame_rate: pictures per second, above 0.
        wanted: False lets every picture be due at once.
    """

    def __init__(self, frame_rate: float, *, wanted: bool = True) -> None:
        self._interval_ns = round(1e9 / frame_rate) if wanted else 0
        self._due_ns = time.monotonic_ns()

    def next_buffer(self, buffers: Buffers, skip: Callable[[], None] | None = None) -> Plane | None:
        """A buffer for the next picture, when it is due; None when READ_LIMIT_S has passed before.

        Args:
            buffers: where it comes from.
            skip: called for each picture that was due while no buffer was free: it is lost, and counted.
                Without pace no picture is lost; it waits.
        """
        end = time.monotonic() + READ_LIMIT_S
        while self._wait_until(end):
            i420 = buffers.lease()
            if i420 is not None:
                return i420
            if not self._interval_ns:
                time.sleep(_LOOK_AGAIN_S)
                continue
            buffers.dropped += 1
            if skip is not None:
                skip()
        return None

    def _wait_until(self, end: float) -> bool:
        """Sleep until the next picture is due; False, at ``end``, when it is not due by then.

        A caller that comes more than one interval late is not made to catch up.
        """
        now = time.monotonic()
        if not self._interval_ns:
            return now < end
        due = self._due_ns / 1e9
        if due > end:
            time.sleep(max(0.0, end - now))
            return False
        if due > now:
            time.sleep(due - now)
        elif now - due > self._interval_ns / 1e9:
            self._due_ns = time.monotonic_ns()
        self._due_ns += self._interval_ns
        return True

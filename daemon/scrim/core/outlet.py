"""The last gate before the sinks: decides what goes out when no fresh safe frame comes."""

import threading
import time
from collections.abc import Callable

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.frame import SafeFrame

HOLD_S = 0.2
"""The last safe frame is repeated for at most this long; then the placeholder plays."""

REPEAT_INTERVAL_S = 0.1
"""How often something goes out when nothing new comes in."""


class Outlet:
    """Between the pipeline, which may fail or hang, and the sinks, which must always have a safe picture.

    One thread puts at a time, one takes, any thread may set the revision or the reason.

    Args:
        painter: paints the placeholder.
        frame_interval_s: of the camera; when it is long, the placeholder waits one and a half of it.
        clock_ns: monotonic clock.
        closed: what the placeholder says while the camera is to be closed.
    """

    def __init__(
        self,
        painter: PlaceholderPainter,
        frame_interval_s: float,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        closed: Reason = Reason.PRIVACY,
    ) -> None:
        self._painter = painter
        self._closed = closed
        self._clock_ns = clock_ns
        self.expect(frame_interval_s)
        self._condition = threading.Condition(threading.Lock())
        self._fresh: SafeFrame | None = None
        self._last: SafeFrame | None = None
        self._last_ns = clock_ns() - self._patience_ns
        self._revision = 0
        self._reason = Reason.STARTING
        self._hidden: Reason | None = None
        self._is_private = False
        self._opened_ns = -1
        self._fresh_reason: Reason | None = None
        self._shown_reason: Reason | None = None
        self._is_dropped = False
        self.displaced = 0

    @property
    def reason(self) -> Reason:
        """Why the placeholder plays, or would play."""
        if self._is_private:
            return self._closed
        return self._hidden or self._shown_reason or self._reason

    def expect(self, frame_interval_s: float) -> None:
        """From now on a frame comes this often."""
        self._patience_ns = int(max(HOLD_S, 1.5 * frame_interval_s) * 1e9)

    def because(self, reason: Reason) -> None:
        """Set what the placeholder says when it plays."""
        self._reason = reason

    def hide(self, reason: Reason | None) -> None:
        """Show nothing but the placeholder, for this reason; None lets pictures out again."""
        self._hidden = reason
        if reason is not None:
            self.drop()

    def set_private(self, is_private: bool) -> None:
        """Show nothing but the placeholder; or let pictures out again that are taken from now on."""
        with self._condition:
            if self._is_private and not is_private:
                self._opened_ns = self._clock_ns()
            self._is_private = is_private
        if is_private:
            self.drop()

    def require(self, revision: int) -> None:
        """From now on nothing made under an earlier revision goes out, nor is it repeated."""
        with self._condition:
            self._revision = max(self._revision, revision)
            if self._fresh is not None and self._fresh.revision < self._revision:
                self._fresh = None
            if self._last is not None and self._last.revision < self._revision:
                self._last = None

    def put(self, frame: SafeFrame, reason: Reason | None = None) -> None:
        """Hand over a fresh safe frame; one that is out of date is dropped.

        Args:
            frame: of the newest camera frame.
            reason: why it is the placeholder, if it is.
        """
        with self._condition:
            if not self._may_go_out(frame):
                return
            self.displaced += self._fresh is not None
            self._fresh, self._fresh_reason = frame, reason
            self._condition.notify()

    def _may_go_out(self, frame: SafeFrame) -> bool:
        is_of_before = frame.revision < self._revision or frame.pts_ns <= self._opened_ns
        return not (is_of_before or self._is_private or self._hidden is not None)

    def drop(self) -> None:
        """Forget every camera picture: the placeholder plays at once."""
        with self._condition:
            self._drop()

    def _drop(self) -> None:
        self._fresh = self._last = self._shown_reason = None
        self._last_ns = self._clock_ns() - self._patience_ns
        # Nobody may be waiting: a picture taken a moment ago is just being handed to the sinks.
        self._is_dropped = True
        self._condition.notify()

    def forget(self) -> int:
        """As ``drop``, and what was taken until now and is still being made goes nowhere either.

        The placeholder is drawn before, so that it takes the last picture's place at once.

        Returns:
            The moment of it, on the outlet's clock: no picture goes out after a placeholder of later.
        """
        self.placeholder()
        with self._condition:
            self._opened_ns = self._clock_ns()
            self._drop()
            return self._opened_ns

    def placeholder(self) -> SafeFrame:
        """The placeholder, as it would play now."""
        return self._painter.paint(self.reason, self._revision)

    def take(self) -> SafeFrame | None:
        """Wait for the next picture to deliver, about a tenth of a second at most.

        Returns:
            The fresh frame; else the last one again, while it may be repeated; else the placeholder; or None
            when the last one may not be repeated but is too recent to be replaced.
        """
        with self._condition:
            if self._fresh is None and not self._is_dropped:
                self._condition.wait(REPEAT_INTERVAL_S)
            self._is_dropped = False
            fresh, self._fresh = self._fresh, None
            now_ns = self._clock_ns()
            if fresh is not None:
                self._last, self._last_ns, self._shown_reason = fresh, now_ns, self._fresh_reason
                return fresh
            age_ns = now_ns - self._last_ns
            if age_ns < self._patience_ns:
                return self._last if age_ns < HOLD_S * 1e9 else None
            self._last = self._shown_reason = None
        # Drawing takes time, and whoever closes the camera or changes a setting is not to wait for it.
        return self.placeholder()

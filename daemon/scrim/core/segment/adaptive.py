"""Several inference threads while the machine is free for them, one while it is not.

The runtime's threads wait for each other by spinning. When others want the same cores, each inference waits
for the thread that was put aside: two threads were seen to take fifty times what one does.
"""

import logging
import threading
import time
from collections.abc import Callable
from statistics import median

from scrim.core.segment.base import Segmenter
from scrim.errors import ModelError
from scrim.frame import Mask, Plane

logger = logging.getLogger(__name__)

_COLLAPSED = 2.5
"""So many times what an inference takes undisturbed is more than one thread alone would take."""

_JUDGED = 15
"""Inferences whose median is judged: half a second at 30 a second."""

_FIRST_PAUSE_S, _LAST_PAUSE_S = 30.0, 600.0
"""So long one thread works before several are tried again; doubled each time that this was too soon."""

_GOOD_S = 120.0
"""Several threads that did well for so long have earned the first pause again."""


class ThreadChoice:
    """Decides from the time of each inference whether several threads may work. No threads of its own.

    Args:
        clock_s: monotonic.
        best_ms: what an inference took when it was timed undisturbed, with several threads; infinity where
            that is not known: then what is best here counts.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic, best_ms: float = float("inf")) -> None:
        self._clock_s = clock_s
        self._recent_ms: list[float] = []
        self._best_ms = best_ms
        self._pause_s = _FIRST_PAUSE_S
        self._since_s = clock_s() - _GOOD_S  # nothing is known against several
        self.is_single = False

    def took(self, spent_ms: float) -> None:
        """Take the wall time of one inference, made with as many threads as ``is_single`` said."""
        now_s = self._clock_s()
        if self.is_single:
            if now_s - self._since_s >= self._pause_s:
                self._turn(now_s, is_single=False)
            return
        self._recent_ms.append(spent_ms)
        if len(self._recent_ms) >= _JUDGED:
            self._judge(median(self._recent_ms), now_s)
            self._recent_ms.clear()

    def _judge(self, typical_ms: float, now_s: float) -> None:
        if typical_ms > _COLLAPSED * self._best_ms:
            is_new = now_s - self._since_s >= _GOOD_S
            self._pause_s = _FIRST_PAUSE_S if is_new else min(2 * self._pause_s, _LAST_PAUSE_S)
            self._turn(now_s, is_single=True)
        self._best_ms = min(self._best_ms, typical_ms)

    def _turn(self, now_s: float, *, is_single: bool) -> None:
        self.is_single, self._since_s = is_single, now_s
        self._recent_ms.clear()


class AdaptiveSegmenter:
    """A model that is run by several threads, or by one while the machine is busy.

    The second interpreter is made when it is first wanted, in a thread of its own; until then the first
    goes on. Both give the same mask of the same picture, within the runtime's rounding.

    Args:
        several: the model, run by several threads.
        make_single: loads the same for one thread; raises ``ModelError``.
        choice: which of them works.
        clock_s: monotonic, for the time of an inference.
    """

    def __init__(
        self,
        several: Segmenter,
        make_single: Callable[[], Segmenter],
        choice: ThreadChoice | None = None,
        clock_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._several = several
        self._make_single = make_single
        self._choice = choice if choice is not None else ThreadChoice()
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._single: Segmenter | None = None
        self._making: threading.Thread | None = None
        self._is_closed = False

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self._several.input_size

    @property
    def is_single(self) -> bool:
        """Whether one thread works at the moment."""
        return self._choice.is_single and self._single is not None

    def segment(self, rgb: Plane) -> Mask:
        """Find the person; see :class:`scrim.core.segment.base.Segmenter`."""
        single = self._wanted_single()
        begin_s = self._clock_s()
        mask = (single or self._several).segment(rgb)
        if single is not None or not self._choice.is_single:
            self._note((self._clock_s() - begin_s) * 1000)
        return mask

    def close(self) -> None:
        """Let both go; one that is being made is let go of when it is there."""
        self._several.close()
        with self._lock:
            self._is_closed = True
            single, self._single = self._single, None
        if single is not None:
            single.close()

    def _note(self, spent_ms: float) -> None:
        before = self._choice.is_single
        self._choice.took(spent_ms)
        if self._choice.is_single != before:
            how = "one thread, the machine is busy" if not before else "several threads again"
            logger.info("model: %s", how)

    def _wanted_single(self) -> Segmenter | None:
        """The one for one thread, if it is wanted and there."""
        if not self._choice.is_single:
            return None
        if self._single is None and self._making is None:
            self._making = threading.Thread(target=self._make, name="model-one-thread", daemon=True)
            self._making.start()
        return self._single

    def _make(self) -> None:
        try:
            single = self._make_single()
        except ModelError as error:
            logger.warning("model: one thread cannot be tried: %s", error)
            return
        with self._lock:
            if not self._is_closed:
                self._single = single
                return
        single.close()

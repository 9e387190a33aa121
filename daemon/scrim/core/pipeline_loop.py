"""What the threads between camera and outlet repeat: both halves of a frame, or one each."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from scrim.core.found import Found
from scrim.core.outlet import Outlet
from scrim.core.pipeline import AT_ONCE, Pipeline
from scrim.core.stats import StageClock
from scrim.core.workers import Handover, Latest
from scrim.errors import SegmentError
from scrim.frame import Frame

_PATIENCE_S = 0.5
"""So long a step waits for a frame, or for room."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A frame whose first half is done.

    Attributes:
        begin_s: when it was taken, on the performance counter.
        finding_ms: what the first half took.
        found: for the second; None where the frame ends here.
        error: why it ends here; None where it goes on, or no buffer was free.
    """

    begin_s: float
    finding_ms: float
    found: Found | None = None
    error: SegmentError | None = None


class PipelineLoop:
    """Takes the newest frame, makes it safe and puts it into the outlet.

    ``step`` does both halves of a frame, one after the other, unless they are to overlap: then it leaves the
    second one to ``finish``, which another thread repeats, and goes on with the next frame. No more than one
    frame waits between them, and frames go out in order.

    Args:
        pipeline: makes frames safe.
        mailbox: where frames come from.
        outlet: where safe frames go.
        processed: is told how many ms the halves of each filtered frame took.
        failed: is told when filtering begins to fail.
        overlaps: says whether frames are to overlap now.

    Attributes:
        submitted: frames handed to the pipeline.
        skipped: frames left out, because one of so many is all there is time for.
        without_mask: frames for which the model gave no usable mask.
        without_buffer: frames for whose result no buffer was free.
        clock: of the stage ``total``: from being taken to being finished, filtered or not.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        mailbox: Latest[Frame],
        outlet: Outlet,
        processed: Callable[[float, float], None] = lambda _, __: None,
        failed: Callable[[SegmentError], None] = lambda _: None,
        overlaps: Callable[[], bool] = lambda: False,
    ) -> None:
        self._pipeline = pipeline
        self._processed = processed
        self._failed = failed
        self._overlaps = overlaps
        self._next_sequence = 0
        self.submitted = self.skipped = self.without_mask = self.without_buffer = 0
        self.clock = StageClock()
        self._mailbox = mailbox
        self._outlet = outlet
        self._failing = False
        self._handover: Handover[Begun] = Handover()
        self._count_lock = threading.Lock()
        # Where the second half is the longer one, a frame taken sooner would only wait for it.
        self._lead_s = 0.0

    @property
    def dropped(self) -> int:
        """Frames that were handed to the pipeline and made no picture."""
        return self.without_mask + self.without_buffer

    def step(self) -> None:
        """Process one frame, if there is one; or its first half, once there is room for it."""
        overlaps = self._overlaps()
        if overlaps:
            self._handover.wait_for_room(0, self._lead_s)
        if not self._handover.wait_for_room(AT_ONCE - 1 if overlaps else 0, _PATIENCE_S):
            return
        frame = self._mailbox.get(_PATIENCE_S)
        if frame is None or self._is_skipped(frame):
            return
        self.submitted += 1
        begun = self._begin(frame)
        if overlaps:
            self._handover.put(begun)
        else:
            self._finish(begun)

    def finish(self) -> None:
        """Finish one frame that was begun, if there is one."""
        with self._handover.take(_PATIENCE_S) as begun:
            if begun is not None:
                self._finish(begun)

    def close(self) -> None:
        """Wake whoever waits in ``finish``; what was begun stays unfinished."""
        self._handover.close()

    def _begin(self, frame: Frame) -> Begun:
        begin_s = time.perf_counter()
        try:
            found = self._pipeline.find(frame)
        except SegmentError as error:
            # A traceback would hold the frame's buffers for as long as somebody has the error.
            return Begun(begin_s, _since_ms(begin_s), error=error.with_traceback(None))
        except BaseException:
            self._count(begin_s, _since_ms(begin_s), 0.0)
            raise
        return Begun(begin_s, _since_ms(begin_s), found)

    def _finish(self, begun: Begun) -> None:
        compose_s, safe, error = time.perf_counter(), None, begun.error
        try:
            if begun.found is not None:
                safe = self._pipeline.compose(begun.found)
        except SegmentError as failed:
            error = failed.with_traceback(None)
        finally:
            self._count(begun.begin_s, begun.finding_ms, _since_ms(compose_s))
        if error is not None:
            self._fail(error)
            return
        self._failing = False
        if safe is None:
            self.without_buffer += 1
        else:
            self._outlet.put(safe, self._pipeline.why_hidden)

    def _is_skipped(self, frame: Frame) -> bool:
        """Whether this frame is left out, because one of so many is all there is time for."""
        every = self._pipeline.skips
        if self._next_sequence - every < frame.sequence < self._next_sequence:
            self.skipped += 1
            return True
        self._next_sequence = frame.sequence + every
        return False

    def _count(self, begin_s: float, finding_ms: float, composing_ms: float) -> None:
        with self._count_lock:
            self._lead_s = min(_PATIENCE_S, max(0.0, composing_ms - finding_ms) / 1000)
            self.clock.add("total", _since_ms(begin_s))
            if self._pipeline.is_filtering:
                self._processed(finding_ms, composing_ms)

    def _fail(self, error: SegmentError) -> None:
        self.without_mask += 1
        if not self._failing:
            self._failing = True
            self._failed(error)


def _since_ms(begin_s: float) -> float:
    return (time.perf_counter() - begin_s) * 1000

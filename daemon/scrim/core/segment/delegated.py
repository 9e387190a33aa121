"""A model on a delegate, and on the CPU whenever the delegate is not there."""

import logging
import threading
import time
from collections.abc import Callable

from scrim.core.segment.base import Segmenter
from scrim.errors import ModelError, SegmentError
from scrim.frame import Mask, Plane

logger = logging.getLogger(__name__)

RETRY_S = (30.0, 60.0, 300.0)
"""Pauses before a lost delegate is tried again; the last one repeats."""

Start = Callable[[], Segmenter]
"""Starts the delegate; raises ModelError."""


class Delegated:
    """Runs on the CPU until the delegate is ready, and again when it is lost; tries it again later.

    The frame in whose inference the delegate is lost has no mask; the next one has the CPU's.

    Args:
        name: of the delegate, for messages.
        on_cpu: the same model for the CPU, with the same sizes of picture and mask. Closed with this.
        start: starts the delegate; called in a thread of its own, which lives as long as this.
        retry_s: pauses before another try.
    """

    def __init__(
        self, name: str, on_cpu: Segmenter, start: Start, retry_s: tuple[float, ...] = RETRY_S
    ) -> None:
        self.name = name
        self._on_cpu = on_cpu
        self._start = start
        self._retry_s = retry_s
        width, height = on_cpu.input_size
        self._shape = (height, width, 3)
        self._tries = 0
        self._due_s = self._began_s = time.monotonic()
        self._device: Segmenter | None = None
        self._lost: Segmenter | None = None
        self._lost_because: str | None = None
        self._is_closed = False
        self._changed = threading.Condition()
        self._starter = threading.Thread(target=self._run, name="delegate", daemon=True)
        self._starter.start()

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self._on_cpu.input_size

    @property
    def is_active(self) -> bool:
        """Whether the delegate does the inference."""
        return self._device is not None

    @property
    def lost_because(self) -> str | None:
        """Why it does not; None while it does, and until its first start has failed."""
        return self._lost_because

    def segment(self, rgb: Plane) -> Mask:
        """Find the person; see :class:`scrim.core.segment.base.Segmenter`."""
        device = self._device
        if device is None or rgb.shape != self._shape:  # which the CPU's model refuses; it is no fault
            return self._on_cpu.segment(rgb)
        try:
            return device.segment(rgb)
        except SegmentError as error:
            self._lose(device, str(error))
            raise

    def wait(self, timeout_s: float) -> None:
        """Wait for the delegate, where nothing shall run without it.

        Raises:
            ModelError: it does not start, or not in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._device or self._lost_because, timeout_s)
            if self._device is None:
                raise ModelError(self._lost_because or f"delegate {self.name}: does not start in time")

    def retry(self) -> None:
        """Try the delegate again now: what was in its way is gone."""
        with self._changed:
            self._due_s = time.monotonic()
            self._changed.notify_all()

    def close(self) -> None:
        """Let the delegate go, and the CPU's model."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._starter.join()
        for segmenter in (self._device, self._lost, self._on_cpu):
            if segmenter is not None:
                segmenter.close()
        self._device = self._lost = None

    def _lose(self, device: Segmenter, reason: str) -> None:
        logger.warning("%s; the CPU does the inference", reason)
        with self._changed:
            self._device, self._lost, self._lost_because = None, device, reason
            self._plan_next()
            self._changed.notify_all()

    def _run(self) -> None:
        while self._waited():
            lost, self._lost = self._lost, None
            if lost is not None:
                lost.close()
                del lost
            elif self._device is None:
                self._try()

    def _waited(self) -> bool:
        """Wait until there is something to do; whether there is, or all is over."""
        with self._changed:
            while not self._is_closed and self._lost is None:
                left_s = self._due_s - time.monotonic()
                if self._device is None and left_s <= 0:
                    break
                self._changed.wait(None if self._device is not None else left_s)
            return not self._is_closed

    def _try(self) -> None:
        try:
            device = self._start()
        except ModelError as error:
            self._failed(str(error))
            return
        with self._changed:
            self._device, self._lost_because = device, None
            self._began_s = time.monotonic()
            self._changed.notify_all()
        logger.info("delegate %s: does the inference", self.name)

    def _failed(self, reason: str) -> None:
        with self._changed:
            if reason != self._lost_because:
                logger.warning("%s; the CPU does the inference", reason)
            self._lost_because = reason
            self._plan_next()
            self._changed.notify_all()

    def _plan_next(self) -> None:
        """The longer it lasted, the sooner it is trusted again."""
        now_s = time.monotonic()
        if self._lost is not None and now_s - self._began_s > self._retry_s[-1]:
            self._tries = 0
        self._due_s = now_s + self._retry_s[min(self._tries, len(self._retry_s) - 1)]
        self._tries += 1

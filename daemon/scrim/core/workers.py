"""How threads hand frames to each other, and how they are started and stopped."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 10.0


class Latest(Generic[T]):
    """A one-slot mailbox between two threads: the newest wins, what it displaces is counted as dropped."""

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Leave an item; never waits."""
        with self._condition:
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._condition.notify()

    def get(self, timeout_s: float) -> T | None:
        """Take the item, waiting for one if need be.

        Returns:
            The item, or None after ``timeout_s`` or once the mailbox is closed.
        """
        with self._condition:
            if self._item is None and not self._closed:
                self._condition.wait(timeout_s)
            item, self._item = self._item, None
            return item

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return self._item is None

    def clear(self) -> None:
        """Throw away what is in it."""
        with self._condition:
            self._item = None

    def close(self) -> None:
        """Wake whoever waits; from now on ``get`` does not wait."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


class Handover(Generic[T]):
    """Work that one thread begins and another finishes, in the order in which it was begun."""

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._waiting: deque[T] = deque()
        self._unfinished = 0
        self._closed = False

    def wait_for_room(self, most: int, timeout_s: float) -> bool:
        """Wait until no more than ``most`` pieces of work are unfinished.

        Returns:
            Whether it is so; False after ``timeout_s``, and once it is closed.
        """
        if self._unfinished <= most:
            return True
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._unfinished <= most, timeout_s)
            return self._unfinished <= most

    def put(self, work: T) -> None:
        """Hand over; never waits."""
        with self._condition:
            self._unfinished += 1
            self._waiting.append(work)
            self._condition.notify_all()

    @contextmanager
    def take(self, timeout_s: float) -> Iterator[T | None]:
        """The oldest piece of work, finished when the block ends; waits for one if need be.

        Gives None after ``timeout_s``, and once it is closed.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._waiting, timeout_s)
            work = self._waiting.popleft() if self._waiting and not self._closed else None
        try:
            yield work
        finally:
            if work is not None:
                self._finished()

    def close(self) -> None:
        """Wake whoever waits; what waits stays unfinished."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify_all()

    def _finished(self) -> None:
        with self._condition:
            self._unfinished -= 1
            self._condition.notify_all()


class Backoff:
    """How long to wait before a device is tried again: 1 s, doubling up to 10 s."""

    def __init__(self) -> None:
        self._next_s = FIRST_RETRY_S

    def next_s(self) -> float:
        """The pause to make now."""
        now_s, self._next_s = self._next_s, min(LAST_RETRY_S, self._next_s * 2)
        return now_s

    def reset(self) -> None:
        """It worked: start over at 1 s."""
        self._next_s = FIRST_RETRY_S


class Worker:
    """A thread that repeats one step until it is told to stop.

    A step that raises does not end the thread: the error is logged once while it stays the same, and the step
    is tried again after a pause.

    Args:
        name: of the thread.
        step: must return within about a second.
        pause_s: how long to wait after a step that raised.
    """

    def __init__(self, name: str, step: Callable[[], None], pause_s: float = 0.1) -> None:
        self._step = step
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._last_error = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the present step be the last."""
        self._stopping.set()

    def join(self, timeout_s: float = 3.0) -> bool:
        """Wait for the thread's end.

        Returns:
            Whether it ended in time.
        """
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001  the worker loop is where unexpected errors end
                self._report(error)
                self._stopping.wait(self._pause_s)

    def _report(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self._last_error:
            self._last_error = text
            logger.error("%s: %s", self._thread.name, text, exc_info=logger.isEnabledFor(logging.DEBUG))


@contextmanager
def running(name: str, step: Callable[[], None], wake: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A thread that repeats ``step`` inside; ``wake`` gets it out of a wait when it is to end."""
    worker = Worker(name, step)
    worker.start()
    try:
        yield
    finally:
        worker.ask_to_stop()
        wake()
        if not worker.join():
            logger.warning("%s: did not stop in time", name)

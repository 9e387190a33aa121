"""The frame feed: who writes it, and who reads it over the local socket.

A subscriber gets the ring (a memfd) and the reading end of a pipe. After each frame the writer puts one byte
into the pipe; a full pipe is left as it is. (An eventfd would do, but its O_NONBLOCK belongs to both ends
alike: a hostile reader could make the core's write block.)
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from select import POLLHUP, POLLIN, poll
from typing import Self

from scrim.errors import LocalError
from scrim.frame import SafeFrame
from scrim.local.feed_link import FeedLink
from scrim.local.ring import Picture, RingReader, RingWriter

_DRAIN_BYTES = 65536


class FeedWriter:
    """Keeps the newest safe frame at hand for any number of subscribers. Copies nothing while there is none.

    ``open``, ``write`` and ``close`` are the sink's thread's, the rest the local server's.

    Args:
        slots: of each ring, see :class:`scrim.local.ring.RingWriter`.
    """

    def __init__(self, slots: int = 4) -> None:
        self._slots = slots
        self._ring: RingWriter | None = None
        self._pipes: dict[int, int] = {}
        self._next_token = 1
        self._lock = threading.Lock()
        self.on_ring: Callable[[], None] = lambda: None
        """Called, in the sink's thread, when subscribers are to be told of a new ring."""

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return len(self._pipes)

    def open(self, size: tuple[int, int]) -> None:
        """Get ready for frames of ``size``, (width, height) in pixels; the ring stays if it has that size.

        Raises:
            LocalError: the kernel gives no sealed memory.
        """
        with self._lock:
            if self._ring is not None and self._ring.size == size:
                return
            ring = RingWriter(size, self._slots)
            self._drop_ring()
            self._ring = ring
        self.on_ring()

    def write(self, frame: SafeFrame) -> None:
        """Hand ``frame`` to the subscribers. Never waits for one; a frame of a new size makes a new ring.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            LocalError: a new ring was needed and the kernel gives no sealed memory.
        """
        if type(frame) is not SafeFrame:
            raise TypeError(f"the feed takes safe frames only, not {type(frame).__name__}")
        if not self._pipes:
            return
        self.open(frame.size)
        with self._lock:
            if self._ring is None:
                return
            self._ring.write(frame)
            for pipe in self._pipes.values():
                with contextlib.suppress(BlockingIOError, BrokenPipeError):  # not reading, or gone
                    os.write(pipe, b"\0")

    def close(self) -> None:
        """Let the ring go. Subscribers stay, and are told of the next ring."""
        with self._lock:
            self._drop_ring()

    def subscribe(self) -> tuple[int, int]:
        """Start handing frames to one more.

        Returns:
            A token for ``unsubscribe``, and the pipe's reading end, the caller's to close.
        """
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with self._lock:
            if not self._pipes and self._ring is not None:
                self._ring.forget()  # left from the last subscriber: old, made under other settings
            token = self._next_token
            self._next_token += 1
            self._pipes[token] = writing
        return token, reading

    def unsubscribe(self, token: int) -> None:
        """Stop handing frames to the subscriber. Does nothing for one that is not there."""
        with self._lock:
            pipe = self._pipes.pop(token, None)
            if pipe is not None:
                os.close(pipe)

    def share(self) -> int | None:
        """A duplicate of the ring's descriptor, the caller's to close; None while there is no ring."""
        with self._lock:
            return None if self._ring is None else os.dup(self._ring.fd)

    def _drop_ring(self) -> None:
        if self._ring is not None:
            self._ring.close()
        self._ring = None


class FeedReader:
    """Reads the feed, on a connection of its own. Not thread-safe.

    Args:
        path: the local socket.
        timeout_s: for connecting and for the core's answer.

    Raises:
        LocalError: no core there, or it refuses.
    """

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self._link = FeedLink(path, timeout_s)
        self._ring: RingReader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def filenos(self) -> tuple[int, int]:
        """Descriptors that turn readable when ``read`` may have something."""
        return self._link.fileno(), self._link.pipe

    def read(self) -> Picture | None:
        """The newest frame, without waiting; None when there is none newer than the last.

        Its planes are the reader's own memory and are overwritten by the next call.

        Raises:
            LocalError: the core is gone, or sent something that is no feed.
        """
        self._adopt_ring()
        with contextlib.suppress(BlockingIOError):
            if not os.read(self._link.pipe, _DRAIN_BYTES):
                raise LocalError("the core has closed the feed")
        return None if self._ring is None else self._ring.read()

    def wait(self, timeout_s: float) -> Picture | None:
        """The next frame, or None when none came in ``timeout_s``.

        Raises:
            LocalError: as ``read``.
        """
        poller = poll()
        for fileno in self.filenos:
            poller.register(fileno, POLLIN | POLLHUP)
        deadline = time.monotonic() + timeout_s
        while (picture := self.read()) is None and (left_s := deadline - time.monotonic()) > 0:
            poller.poll(left_s * 1000)
        return picture

    def close(self) -> None:
        """Stop reading. Does nothing the second time."""
        self._link.close()
        self._ring = None

    def _adopt_ring(self) -> None:
        while (fd := self._link.next_ring()) is not None:
            try:
                self._ring = RingReader(fd)
            finally:
                os.close(fd)

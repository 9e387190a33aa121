"""One client as the server sees it: what it has not finished saying, and what it has not read."""

import os
import socket
import time
from collections import deque
from typing import Any

from scrim.local.messages import LineBuffer, dump

MAX_UNSENT_BYTES = 1024 * 1024
"""A client that leaves more than this unread is dropped."""

STALL_S = 5.0
"""A client that does not end a line it began, or does not read at all, for this long is dropped."""

MIN_REQUEST_INTERVAL_S = 0.005
"""A client that asks faster is answered later, so that it cannot take the core's time."""

MAX_DEFERRED = 32
"""A client that waits for this many answers which take time is not listened to until it has one."""

_RECEIVE_BYTES = 65536
_MAX_FDS = 4


class Peer:
    """A connected client. Never waits; used in the server's thread only.

    Attributes:
        connection: its socket, non-blocking.
        wants_events: it subscribed to events.
        feed_token: its subscription of the feed, 0 for none.
        provides: what it fetches from outside: image, model.
        deferred: how many of its requests are answered later.
        closing: to be dropped once what is queued was tried.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.wants_events = False
        self.feed_token = 0
        self.provides: set[str] = set()
        self.deferred = 0
        self.closing = False
        self._fds: list[int] = []
        self._lines = LineBuffer()
        self._requests: deque[bytes] = deque()
        self._unsent: deque[tuple[memoryview, int]] = (
            deque()
        )  # bytes, and a descriptor that goes with them or -1
        self._unsent_bytes = 0
        self._line_since_s = self._unread_since_s = self._answered_at_s = 0.0

    @property
    def has_requests(self) -> bool:
        """It asked and was not answered yet."""
        return bool(self._requests)

    @property
    def has_unsent(self) -> bool:
        """It was answered and has not read all of it."""
        return bool(self._unsent)

    def is_lost(self, now_s: float) -> bool:
        """It reads nothing, too little, or leaves a line unfinished."""
        unread = self.has_unsent and now_s - self._unread_since_s > STALL_S
        unfinished = self._lines.unfinished_bytes > 0 and now_s - self._line_since_s > STALL_S
        return unread or unfinished or self._unsent_bytes > MAX_UNSENT_BYTES

    def receive(self) -> bool:
        """Take what it sent. False: it has hung up, or sent more descriptors than make sense.

        Raises:
            MessageTooLongError: a line is above the limit.
        """
        try:
            data, fds, flags, _ = socket.recv_fds(
                self.connection, _RECEIVE_BYTES, _MAX_FDS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._fds += fds
        if flags & socket.MSG_CTRUNC or len(self._fds) > _MAX_FDS:
            return False
        began = not self._lines.unfinished_bytes
        lines = self._lines.feed(data)
        self._requests.extend(lines)
        if began or lines:
            self._line_since_s = time.monotonic()
        return bool(data)

    def next_request(self, now_s: float) -> bytes | None:
        """A line to answer now; None while it asks too fast or does not read its answers."""
        if not self._requests or self._unsent or self.deferred >= MAX_DEFERRED:
            return None
        if now_s - self._answered_at_s < MIN_REQUEST_INTERVAL_S:
            return None
        self._answered_at_s = now_s
        return self._requests.popleft()

    def take_fd(self) -> int:
        """The oldest descriptor it sent, now the caller's to close; -1 without one."""
        return self._fds.pop(0) if self._fds else -1

    def queue(self, message: dict[str, Any], fd: int = -1) -> None:
        """Send ``message`` as it reads. ``fd`` goes with it and is closed here.

        Raises:
            LocalError: not JSON, or too long; ``fd`` is closed all the same.
        """
        try:
            line = dump(message)
        except BaseException:
            _close(fd)
            raise
        self.queue_line(line, fd)

    def queue_line(self, line: bytes, fd: int = -1) -> None:
        """As ``queue``, for a line that is already written."""
        if not self._unsent:
            self._unread_since_s = time.monotonic()
        self._unsent.append((memoryview(line), fd))
        self._unsent_bytes += len(line)

    def send(self) -> None:
        """Send what goes without waiting.

        Raises:
            OSError: it is gone.
        """
        while self._unsent:
            data, fd = self._unsent[0]
            try:
                sent = (
                    socket.send_fds(self.connection, [data], [fd]) if fd >= 0 else self.connection.send(data)
                )
            except BlockingIOError:
                return
            _close(fd)
            self._unsent_bytes -= sent
            self._unread_since_s = time.monotonic()
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = (data[sent:], -1)

    def close(self) -> None:
        """Hang up and let everything queued go."""
        while self._unsent:
            _close(self._unsent.popleft()[1])
        while self._fds:
            _close(self._fds.pop())
        self.connection.close()


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)

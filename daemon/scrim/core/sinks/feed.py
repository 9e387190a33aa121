"""The frame feed as a sink: preview and RTSP in the gateway read it."""

from scrim.errors import LocalError, SinkError
from scrim.frame import Caps, SafeFrame
from scrim.local.feed import FeedWriter

FEED_NAME = "feed"
"""What people call it."""


class FeedSink:
    """Hands safe frames to whoever subscribed at the local socket. Costs nothing while nobody did.

    Args:
        writer: shared with the local server.
    """

    def __init__(self, writer: FeedWriter) -> None:
        self._writer = writer
        self._is_open = False

    @property
    def consumers(self) -> int:
        """How many subscribed."""
        return self._writer.subscribers

    def open(self, caps: Caps) -> None:
        """Make the shared memory for frames of ``caps``.

        Raises:
            SinkError: the kernel gives none.
        """
        try:
            self._writer.open(caps.size)
        except LocalError as error:
            raise SinkError(str(error)) from None
        self._is_open = True

    def write(self, frame: SafeFrame) -> None:
        """Copy one frame into the feed, if anybody reads it.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            SinkError: the sink is not open, or a new size needs memory the kernel does not give.
        """
        if type(frame) is not SafeFrame:
            raise TypeError(f"a sink takes safe frames only, not {type(frame).__name__}")
        if not self._is_open:
            raise SinkError("feed: not open")
        try:
            self._writer.write(frame)
        except LocalError as error:
            raise SinkError(str(error)) from None

    def close(self) -> None:
        """Let the shared memory go. Subscribers stay for the next ``open``."""
        self._writer.close()
        self._is_open = False

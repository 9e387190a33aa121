"""A subscription to the frame feed: its descriptors and nothing else, so that no NumPy is needed."""

import os
from pathlib import Path

from scrim.local.client import Channel

FEED_EVENT = "feed"


class FeedLink:
    """A subscription to the feed, on a connection of its own. Not thread-safe.

    Args:
        path: the local socket.
        timeout_s: for connecting and for the core's answer.

    Raises:
        LocalError: no core there, or it refuses.

    Attributes:
        pipe: a byte is in it after each frame; at its end when the core is gone. Belongs to the link.
    """

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self.pipe = -1
        self._channel = Channel(path, timeout_s)
        try:
            self._channel.request("feed", {}, timeout_s)
            self.pipe = self._channel.take_fd()
        except BaseException:
            self._channel.close()
            raise

    def fileno(self) -> int:
        """A descriptor that turns readable when ``next_ring`` may have something, or the core is gone."""
        return self._channel.fileno()

    def next_ring(self) -> int | None:
        """A ring that came, without waiting, the caller's to close; None when none did.

        Raises:
            LocalError: the core is gone.
        """
        while (event := self._channel.receive_now()) is not None:
            if event.get("event") == FEED_EVENT:
                return self._channel.take_fd()
        return None

    def close(self) -> None:
        """End the subscription. Does nothing the second time."""
        self._channel.close()
        if self.pipe >= 0:
            os.close(self.pipe)
        self.pipe = -1

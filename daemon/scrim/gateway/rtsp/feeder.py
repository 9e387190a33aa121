"""Brings the frame feed to the child: two descriptors, and never a frame."""

import asyncio
import contextlib
import logging
import os
import socket
from functools import partial
from pathlib import Path

from scrim.errors import LocalError
from scrim.gateway.rtsp import line
from scrim.gateway.waiting import opened, readable
from scrim.local.feed_link import FeedLink

log = logging.getLogger(__name__)

_RETRY_S = 0.25
_ANSWER_S = 2.0


class Feeder:
    """Holds a subscription to the feed while it runs; finds the core again when it was gone.

    Args:
        path: the local socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._task: asyncio.Task[None] | None = None

    def start(self, end: socket.socket) -> None:
        """Hand the feed over ``end`` from now on. Does nothing when it does so already."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(end), name="rtsp-feed")

    async def stop(self) -> None:
        """End the subscription. Does nothing the second time."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})  # which lets through that this task is cancelled, too

    async def _run(self, end: socket.socket) -> None:
        while True:
            try:
                link = await opened(partial(FeedLink, self._path, _ANSWER_S))
            except LocalError as error:
                log.debug("no feed: %s", error)
            else:
                with contextlib.closing(link), contextlib.suppress(LocalError):
                    await _hand_over(link, end)
            await asyncio.sleep(_RETRY_S)


async def _hand_over(link: FeedLink, end: socket.socket) -> None:
    """Pass on every ring until the core is gone.

    Raises:
        LocalError: it is, or the child is.
    """
    line.send(end, "feed", link.pipe)
    while True:
        while (ring := link.next_ring()) is not None:
            try:
                line.send(end, "ring", ring)
            finally:
                os.close(ring)
        await readable(link.fileno())

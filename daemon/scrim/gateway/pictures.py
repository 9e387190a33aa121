"""The gateway's side of pictures from outside: it fetches what the core wants and hands over pixels."""

import asyncio
import logging
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from scrim.decode import GiveUp, decode
from scrim.gateway.images import Encoded
from scrim.gateway.providing import ANSWER_S, Provider
from scrim.gateway.shelf import Fetcher
from scrim.image_url import shown
from scrim.local.asynchronous import AsyncClient
from scrim.local.client import Channel

log = logging.getLogger(__name__)

DECODE_S = 4.5
"""With the time for fetching less than the core waits."""

_MOST_REMEMBERED = 8


class PictureProvider(Provider):
    """Provides pictures.

    Args:
        path: the local socket.
        fetcher: fetches.

    Attributes:
        delivered: the last few URLs, without their secrets, and the sha256 of what was found there.
    """

    def __init__(self, path: Path, fetcher: Fetcher) -> None:
        super().__init__(path, "image")
        self._fetcher = fetcher
        self.delivered: OrderedDict[str, str] = OrderedDict()

    async def _deliver(self, client: AsyncClient, token: str, url: str) -> None:  # noqa: ARG002  says nothing
        await self._decoded(await self._fetcher.fetch(url), token, shown(url))

    async def _decoded(self, encoded: Encoded, token: str, name: str) -> None:
        """Decode and hand over in a thread; it closes what it holds itself, for it may outlive the task."""
        is_over, sha256 = threading.Event(), encoded.sha256
        try:
            await asyncio.to_thread(_hand_over, self._path, encoded, token, name, is_over.is_set)
        finally:
            is_over.set()
        log.info("image: %s: delivered, sha256 %s", name, sha256)
        self.delivered[name] = sha256
        self.delivered.move_to_end(name)
        while len(self.delivered) > _MOST_REMEMBERED:
            self.delivered.popitem(last=False)


def _hand_over(path: Path, encoded: Encoded, token: str, name: str, give_up: GiveUp) -> None:
    with encoded, decode(encoded.fd, name, give_up, DECODE_S) as pixels:
        params: dict[str, Any] = {
            "token": token,
            "width": pixels.width,
            "height": pixels.height,
            "sha256": encoded.sha256,
        }
        channel = Channel(path, ANSWER_S)
        try:
            channel.request("image", params, ANSWER_S, pixels.fd)
        finally:
            channel.close()

"""The gateway's side of pictures from outside: it fetches what the core wants and hands over pixels."""

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from scrim.decode import GiveUp, decode
from scrim.errors import ImageError, LocalError
from scrim.gateway.images import Encoded
from scrim.gateway.shelf import Fetcher
from scrim.image_url import shown
from scrim.local.asynchronous import AsyncClient
from scrim.local.client import Channel

log = logging.getLogger(__name__)

RETRY_S = 0.5
DECODE_S = 4.5
"""With the time for fetching less than the core waits."""

_ANSWER_S = 5.0
_MOST_REMEMBERED = 8


class PictureProvider:
    """Fetches for the core for as long as ``run`` runs; one picture at a time, the newest that is wanted.

    Args:
        path: the local socket.
        fetcher: fetches.

    Attributes:
        delivered: the last few URLs, without their secrets, and the sha256 of what was found there.
    """

    def __init__(self, path: Path, fetcher: Fetcher) -> None:
        self._path = path
        self._fetcher = fetcher
        self._token = ""
        self._providing: asyncio.Task[None] | None = None
        self.delivered: OrderedDict[str, str] = OrderedDict()

    async def run(self) -> None:
        """Register at the core, fetch what it wants, and register again when it was gone."""
        while True:
            try:
                async with AsyncClient(self._path, _ANSWER_S) as client:
                    await self._serve(client)
            except LocalError as error:
                log.debug("no core to fetch for: %s", error)
            finally:
                await self._stop()
            await asyncio.sleep(RETRY_S)

    async def _serve(self, client: AsyncClient) -> None:
        async for wanted in client.wanted("image"):
            token, url = str(wanted.get("token")), str(wanted.get("url"))
            if token == self._token:
                continue
            await self._stop()
            self._token = token
            self._providing = asyncio.create_task(self._provide(client, token, url), name="picture")

    async def _stop(self) -> None:
        self._token = ""
        task, self._providing = self._providing, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})  # to await it would swallow our own cancellation with its

    async def _provide(self, client: AsyncClient, token: str, url: str) -> None:
        try:
            encoded = await self._fetcher.fetch(url)
            await self._deliver(encoded, token, shown(url))
        except ImageError as error:
            log.warning("image: %s", error)
            await self._say(client, token, str(error))
        except LocalError as error:
            log.warning("image: %s: not delivered: %s", shown(url), error)
        except Exception:
            log.exception("image: %s", shown(url))
            await self._say(client, token, f"{shown(url)}: the gateway failed; its log has the details")

    async def _deliver(self, encoded: Encoded, token: str, name: str) -> None:
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

    async def _say(self, client: AsyncClient, token: str, message: str) -> None:
        with contextlib.suppress(LocalError):
            text = "".join(filter(str.isprintable, message))[:500]
            await client.request("image_failed", {"token": token, "message": text})


def _hand_over(path: Path, encoded: Encoded, token: str, name: str, give_up: GiveUp) -> None:
    with encoded, decode(encoded.fd, name, give_up, DECODE_S) as pixels:
        params: dict[str, Any] = {
            "token": token,
            "width": pixels.width,
            "height": pixels.height,
            "sha256": encoded.sha256,
        }
        channel = Channel(path, _ANSWER_S)
        try:
            channel.request("image", params, _ANSWER_S, pixels.fd)
        finally:
            channel.close()

"""What the gateway does for a core that wants something from outside: one thing at a time, the newest."""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from pathlib import Path

from scrim.errors import ImageError, LocalError
from scrim.image_url import shown
from scrim.local.asynchronous import AsyncClient

log = logging.getLogger(__name__)

RETRY_S = 0.5
ANSWER_S = 5.0
_MOST_SAID = 500


class Provider(ABC):
    """Fetches for the core for as long as ``run`` runs; one thing at a time, the newest that is wanted.

    Args:
        path: the local socket.
        thing: what it provides, as the core calls it: ``image`` or ``model``.
    """

    def __init__(self, path: Path, thing: str) -> None:
        self._path = path
        self._thing = thing
        self._token = ""
        self._providing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Register at the core, fetch what it wants, and register again when it was gone."""
        while True:
            try:
                async with AsyncClient(self._path, ANSWER_S) as client:
                    await self._serve(client)
            except LocalError as error:
                log.debug("no core to fetch for: %s", error)
            finally:
                await self._stop()
            await asyncio.sleep(RETRY_S)

    @abstractmethod
    async def _deliver(self, client: AsyncClient, token: str, url: str) -> None:
        """Fetch what is behind ``url``, and hand it to the core as the answer to ``token``.

        Raises:
            ImageError: it cannot be had; the core is told.
            LocalError: the core does not want it any more, or is gone.
        """

    async def _serve(self, client: AsyncClient) -> None:
        async for wanted in client.wanted(self._thing):
            token, url = str(wanted.get("token")), str(wanted.get("url"))
            if token == self._token:
                continue
            await self._stop()
            self._token = token
            self._providing = asyncio.create_task(self._provide(client, token, url), name=self._thing)

    async def _stop(self) -> None:
        self._token = ""
        task, self._providing = self._providing, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})  # to await it would swallow our own cancellation with its

    async def _provide(self, client: AsyncClient, token: str, url: str) -> None:
        try:
            await self._deliver(client, token, url)
        except ImageError as error:
            log.warning("%s: %s", self._thing, error)
            await self._say(client, token, str(error))
        except LocalError as error:
            log.warning("%s: %s: not delivered: %s", self._thing, shown(url), error)
        except Exception:
            log.exception("%s: %s", self._thing, shown(url))
            await self._say(client, token, f"{shown(url)}: the gateway failed; its log has the details")

    async def _say(self, client: AsyncClient, token: str, message: str) -> None:
        with contextlib.suppress(LocalError):
            text = "".join(filter(str.isprintable, message))[:_MOST_SAID]
            await client.request(f"{self._thing}_failed", {"token": token, "message": text})

"""The gateway's side of models from outside: it fetches what the core wants and hands over the file."""

import asyncio
import contextlib
import logging
import ssl
from pathlib import Path

from scrim.decode import seal_memory
from scrim.errors import ImageError, LocalError
from scrim.gateway.addresses import AddressRules
from scrim.gateway.fetching import Encoded, Kind, Limits, Resolve, WebFetcher, system_resolve
from scrim.image_url import shown
from scrim.local.asynchronous import AsyncClient
from scrim.local.client import Channel
from scrim.local.model_files import FETCH_S, MOST_BYTES

log = logging.getLogger(__name__)

RETRY_S = 0.5
PROGRESS_S = 0.5
"""How often the core is told how far it is."""

_ANSWER_S = 5.0
_MODEL = Kind("model", "application/octet-stream, */*", "a TensorFlow Lite model")


class ModelFetcher(WebFetcher):
    """Fetches ``https:`` URLs and no others.

    Args:
        rules: which addresses may be reached.
        resolve: finds a host's addresses; asked once for each host on the way.
        tls: verifies the server; default: as this machine does.
        limits: what a server may take.
    """

    def __init__(
        self,
        rules: AddressRules,
        *,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits if limits is not None else Limits(total_s=FETCH_S, most_bytes=MOST_BYTES)
        super().__init__(_MODEL, rules, resolve=resolve, tls=tls, limits=limits)


class ModelProvider:
    """Fetches for the core for as long as ``run`` runs; one model at a time, the newest that is wanted.

    Args:
        path: the local socket.
        fetcher: fetches.
    """

    def __init__(self, path: Path, fetcher: ModelFetcher) -> None:
        self._path = path
        self._fetcher = fetcher
        self._token = ""
        self._providing: asyncio.Task[None] | None = None

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
        async for wanted in client.wanted("model"):
            token, url = str(wanted.get("token")), str(wanted.get("url"))
            if token == self._token:
                continue
            await self._stop()
            self._token = token
            self._providing = asyncio.create_task(self._provide(client, token, url), name="model")

    async def _stop(self) -> None:
        self._token = ""
        task, self._providing = self._providing, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _provide(self, client: AsyncClient, token: str, url: str) -> None:
        try:
            with await self._fetched(client, token, url) as file:
                await asyncio.to_thread(_hand_over, self._path, file, token)
            log.info("model: %s: delivered", shown(url))
        except ImageError as error:
            log.warning("model: %s", error)
            await self._say(client, token, str(error))
        except LocalError as error:
            log.warning("model: %s: not delivered: %s", shown(url), error)
        except Exception:
            log.exception("model: %s", shown(url))
            await self._say(client, token, f"{shown(url)}: the gateway failed; its log has the details")

    async def _fetched(self, client: AsyncClient, token: str, url: str) -> Encoded:
        """Fetch, and tell the core now and then how far that is."""
        told = _Told()
        telling = asyncio.create_task(self._tell(client, token, told), name="model-progress")
        fetching = asyncio.create_task(self._fetcher.fetch_file(url, told.note), name="model-fetch")
        try:
            await asyncio.wait({telling, fetching}, return_when=asyncio.FIRST_COMPLETED)
            if fetching.done():
                return fetching.result()
            raise LocalError("the core does not want it any more")
        finally:
            for task in (telling, fetching):
                task.cancel()
            await asyncio.wait({telling, fetching})

    async def _tell(self, client: AsyncClient, token: str, told: "_Told") -> None:
        with contextlib.suppress(LocalError):  # it is gone, or does not want the model any more
            while True:
                await asyncio.sleep(PROGRESS_S)
                params = {"token": token, "bytes": told.count, "total": told.total}
                await client.request("model_progress", params)

    async def _say(self, client: AsyncClient, token: str, message: str) -> None:
        with contextlib.suppress(LocalError):
            text = "".join(filter(str.isprintable, message))[:500]
            await client.request("model_failed", {"token": token, "message": text})


class _Told:
    """How far a file has come."""

    def __init__(self) -> None:
        self.count = 0
        self.total: int | None = None

    def note(self, count: int, total: int | None) -> None:
        """See :data:`scrim.gateway.fetching.Progress`."""
        self.count, self.total = count, total


def _hand_over(path: Path, file: Encoded, token: str) -> None:
    seal_memory(file.fd)
    channel = Channel(path, _ANSWER_S)
    try:
        channel.request("model", {"token": token, "bytes": file.size_bytes}, _ANSWER_S, file.fd)
    finally:
        channel.close()

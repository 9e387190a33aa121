"""The gateway's side of models from outside: it fetches what the core wants and hands over the file."""

import asyncio
import contextlib
import logging
import ssl
from pathlib import Path

from scrim.decode import seal_memory
from scrim.errors import LocalError
from scrim.gateway.addresses import AddressRules
from scrim.gateway.fetching import Encoded, Kind, Limits, Resolve, WebFetcher, system_resolve
from scrim.gateway.providing import ANSWER_S, Provider
from scrim.image_url import shown
from scrim.local.asynchronous import AsyncClient
from scrim.local.client import Channel
from scrim.local.model_files import FETCH_S, MOST_BYTES

log = logging.getLogger(__name__)

PROGRESS_S = 0.5
"""How often the core is told how far it is."""

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


class ModelProvider(Provider):
    """Provides models.

    Args:
        path: the local socket.
        fetcher: fetches.
    """

    def __init__(self, path: Path, fetcher: ModelFetcher) -> None:
        super().__init__(path, "model")
        self._fetcher = fetcher

    async def _deliver(self, client: AsyncClient, token: str, url: str) -> None:
        with await self._fetched(client, token, url) as file:
            await asyncio.to_thread(_hand_over, self._path, file, token)
        log.info("model: %s: delivered", shown(url))

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
    channel = Channel(path, ANSWER_S)
    try:
        channel.request("model", {"token": token, "bytes": file.size_bytes}, ANSWER_S, file.fd)
    finally:
        channel.close()

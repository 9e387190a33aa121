"""The gateway's view of the core: connected or gone, and what it last said about itself."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any, Protocol

from scrim.errors import LocalError
from scrim.local.asynchronous import AsyncClient
from scrim.local.status import Status

log = logging.getLogger(__name__)

POLL_S = 1.0
FIRST_RETRY_S = 0.1
LAST_RETRY_S = 1.0
"""The pause between two tries doubles from the first to this: a core that is back is soon found."""

_ANSWER_S = 5.0


class CoreListener(Protocol):
    """Hears of the core, in the gateway's loop. Neither method may wait for anything."""

    def core_changed(self, status: Status | None) -> None:
        """The status was read again, at least every ``POLL_S``; None once, when the core is gone."""

    def core_event(self, event: dict[str, Any]) -> None:
        """The core has sent an event; ``event["event"]`` is its name."""


class CoreLink:
    """Keeps one connection to the core for as long as ``run`` runs.

    Args:
        path: the local socket.

    Attributes:
        status: what the core last said; None while it is gone.
        gone_because: why there is no status.
    """

    def __init__(self, path: Path) -> None:
        self.status: Status | None = None
        self.gone_because: str | None = "connecting"
        self._path = path
        self._client: AsyncClient | None = None
        self._changed = asyncio.Event()
        self._listeners: list[CoreListener] = []

    def add(self, listener: CoreListener) -> None:
        """Tell ``listener`` of everything from now on."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Connect, follow, and connect again when the core is gone. Ends only when cancelled."""
        pause_s = FIRST_RETRY_S
        while True:
            try:
                async with AsyncClient(self._path, _ANSWER_S) as client:
                    self._client = client
                    await self._follow(client)
            except LocalError as error:
                pause_s = FIRST_RETRY_S if self.status is not None else min(pause_s * 2, LAST_RETRY_S)
                self._lost(str(error))
            finally:
                self._client = None
            await asyncio.sleep(pause_s)

    async def set(self, patch: dict[str, Any], **terms: Any) -> dict[str, Any]:  # noqa: ANN401
        """Change settings; the answer carries those now in effect. The status is read again at once.

        Args:
            patch: what shall be other.
            terms: ``if_revision`` and ``remember``; docs/local.md tells of them.

        Raises:
            ConfigError: it refuses the settings; lists every problem.
            LocalError: it refuses for another reason, or is gone.
        """
        try:
            return await self._connected().set(patch, **terms)
        finally:
            self._changed.set()

    async def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the core anything else; docs/local.md lists the methods.

        Raises:
            LocalError: it refuses, or is gone.
        """
        return await self._connected().request(method, params)

    def _connected(self) -> AsyncClient:
        if self._client is None:
            raise LocalError(self.gone_because or "the core is gone")
        return self._client

    async def _follow(self, client: AsyncClient) -> None:
        listening = asyncio.create_task(self._listen(client), name="core-events")
        try:
            while True:
                self._changed.clear()
                self._found(await client.status())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._changed.wait()
        finally:
            listening.cancel()

    async def _listen(self, client: AsyncClient) -> None:
        """Any event is a reason to read the status; so is their end, which means the core is gone."""
        try:
            async for event in client.events():
                self._changed.set()
                for listener in self._listeners:
                    listener.core_event(event)
        except LocalError as error:
            log.debug("no events: %s", error)
        self._changed.set()

    def _found(self, status: Status) -> None:
        if self.status is None:
            log.info("core is here: scrim %s at %s", status.get("version"), self._path)
        self.status, self.gone_because = status, None
        self._tell()

    def _lost(self, reason: str) -> None:
        if self.status is not None:
            log.warning("core is gone: %s", reason)
        elif self.gone_because != reason:
            log.info("no core yet: %s", reason)
        was_here, self.status, self.gone_because = self.status is not None, None, reason
        if was_here:
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener.core_changed(self.status)

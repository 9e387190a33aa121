"""The same calls as :class:`scrim.local.client.Client`, for asyncio. The core never imports this."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any, Self, cast

from scrim.errors import LocalError
from scrim.local.client import connect_error
from scrim.local.messages import MAX_MESSAGE_BYTES, MODEL_CHANGE_S, change_s, dump, parse_object, result_of
from scrim.local.place import check_folder, default_path
from scrim.local.status import Status

_MAX_EVENTS = 1024


class AsyncClient:
    """The core, as the gateway sees it. Any number of requests may be on their way at once.

    Args:
        path: the local socket; default :func:`scrim.local.place.default_path`.
        timeout_s: for connecting and for each answer.
    """

    def __init__(self, path: Path | None = None, timeout_s: float = 5.0) -> None:
        self.path = path if path is not None else default_path()
        self._timeout_s = timeout_s
        self._ids = count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_MAX_EVENTS)
        self._writer: asyncio.StreamWriter | None = None
        self._receiving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_connected(self) -> bool:
        """Whether requests can be made."""
        return self._receiving is not None and not self._receiving.done()

    async def connect(self) -> None:
        """Connect, or connect anew.

        Raises:
            LocalError: no core there; the text says what to do.
        """
        await self.close()
        check_folder(self.path)
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, self._writer = await asyncio.open_unix_connection(
                    self.path, limit=MAX_MESSAGE_BYTES + 1
                )
        except OSError as error:
            raise connect_error(self.path, error) from None
        self._events = asyncio.Queue(_MAX_EVENTS)
        self._receiving = asyncio.create_task(self._receive(reader), name="core-answers")

    async def close(self) -> None:
        """Hang up; whoever waits for an answer gets a LocalError. Does nothing when not connected."""
        receiving, self._receiving = self._receiving, None
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()  # first, for what follows may be cancelled
        if receiving is not None:
            receiving.cancel()
            await asyncio.wait({receiving})  # to await it would swallow our own cancellation with its
        if writer is not None:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def request(
        self, method: str, params: dict[str, Any] | None = None, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Ask the core.

        Raises:
            ConfigError: it refuses the settings; lists every problem.
            LocalError: it refuses for another reason, does not answer in time, or is gone.
        """
        if self._writer is None or not self.is_connected:
            raise LocalError("not connected to the core")
        request_id = str(next(self._ids))
        line = dump({"id": request_id, "method": method, "params": params or {}})
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s or self._timeout_s):
                self._writer.write(line)
                await self._writer.drain()
                return result_of(await answer)
        except TimeoutError:
            raise LocalError(f"{method}: the core did not answer in time") from None
        except OSError as error:
            raise LocalError(f"{method}: the core is gone: {error.strerror or error}") from None
        finally:
            self._waiting.pop(request_id, None)

    async def status(self) -> Status:
        """What the core says about itself."""
        return cast("Status", await self.request("status"))

    async def set(self, patch: dict[str, Any], **terms: Any) -> dict[str, Any]:  # noqa: ANN401
        """Change settings; the answer carries those now in effect. Terms: ``if_revision``, ``remember``."""
        return await self.request("set", {"patch": patch, **terms}, change_s(patch))

    async def settings(self) -> dict[str, Any]:
        """``revision`` and ``settings`` in effect, without what stands in an image's URL for a secret."""
        return await self.request("settings")

    async def restart(self) -> None:
        """End the core; whoever started it starts it again."""
        await self.request("restart")

    async def reset(self) -> dict[str, Any]:
        """Drop what was changed at run time."""
        return await self.request("reset", timeout_s=MODEL_CHANGE_S)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Events as they come, until the core is gone."""
        await self.request("events")
        while (event := await self._events.get()) is not None:
            yield event

    async def wanted(self, thing: str) -> AsyncIterator[dict[str, Any]]:
        """Register as one who fetches things; then ``token`` and ``url`` of each that is wanted.

        Ends when the core is gone. The other half is in :mod:`scrim.local.desk`.

        Args:
            thing: ``image`` or ``model``.
        """
        await self.request(f"provide_{thing}s")
        while (event := await self._events.get()) is not None:
            if event["event"] == f"{thing}_wanted":
                yield event

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        reason = "the core has hung up"
        try:
            while line := await reader.readline():
                self._take(parse_object(line.rstrip(b"\n")))
        except (LocalError, ValueError, OSError) as error:
            reason = f"the core is gone: {error}"
        finally:
            self._end(reason)

    def _take(self, message: dict[str, Any]) -> None:
        if "event" in message:
            if self._events.full():
                self._events.get_nowait()
            self._events.put_nowait(message)
            return
        answer = self._waiting.get(str(message.get("id")))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _end(self, reason: str) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(LocalError(reason))
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(None)

"""What goes out now, as JPEGs: live for viewers, or one still. Nothing is encoded that nobody asked for."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scrim.errors import LocalError
from scrim.gateway.waiting import opened, readable

if TYPE_CHECKING:
    from scrim.local.feed import FeedReader
    from scrim.local.ring import Picture

log = logging.getLogger(__name__)

MAX_VIEWERS = 16
MAX_RATE_HZ = 15.0
"""More pictures a second cost a small board more than they show."""

STILL_PX = 640
"""The longest side of a small still."""

_STILL_S = 3.0
_RETRY_S = 0.25
_ANSWER_S = 2.0
_WHOLE = 0
"""Stands for the size that goes out."""


class TooManyViewersError(Exception):
    """Everybody who may watch does."""


class LivePicture:
    """Reads the frame feed while somebody looks. Used from one event loop.

    Each frame is encoded once for all viewers, and once for all who ask for a still of a size.

    Args:
        path: the local socket.

    Attributes:
        viewers: how many watch now.
        encoded: JPEGs made for viewers since the start.
    """

    def __init__(self, path: Path) -> None:
        self.viewers = 0
        self.encoded = 0
        self._path = path
        self._jpeg = b""
        self._fresh = asyncio.Condition()
        self._stills: dict[int, asyncio.Future[bytes]] = {}
        self._users = 0
        self._is_closing = False
        self._reading: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "jpeg")

    @contextlib.contextmanager
    def viewer(self) -> Iterator[AsyncIterator[bytes]]:
        """One viewer: JPEGs from now on, the newest each time; waits while the core is gone.

        Raises:
            TooManyViewersError: there are ``MAX_VIEWERS`` already.
        """
        if self.viewers >= MAX_VIEWERS:
            raise TooManyViewersError
        with self._looking():
            self.viewers += 1
            try:
                yield self._jpegs()
            finally:
                self.viewers -= 1

    async def still(self, longest_px: int | None = None) -> bytes:
        """The next picture that goes out, as a JPEG.

        Args:
            longest_px: of its sides; None for the size that goes out.

        Raises:
            LocalError: none came in time; the core is gone, or hangs.
        """
        size = longest_px or _WHOLE
        with self._looking():
            still = self._stills.setdefault(size, asyncio.get_running_loop().create_future())
            try:
                async with asyncio.timeout(_STILL_S):
                    return await asyncio.shield(still)
            except TimeoutError:
                raise LocalError(f"no picture came within {_STILL_S:g} s: is scrim's core running?") from None

    async def close(self) -> None:
        """Let every viewer go."""
        self._is_closing = True
        if (reading := self._stop_reading()) is not None:
            await asyncio.wait({reading})
        async with self._fresh:
            self._fresh.notify_all()
        self._thread.shutdown(wait=False)

    async def _jpegs(self) -> AsyncIterator[bytes]:
        seen = self.encoded
        while not self._is_closing:
            async with self._fresh:
                await self._fresh.wait()
            if self.encoded != seen and not self._is_closing:
                seen = self.encoded
                yield self._jpeg

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        """Somebody looks: the feed is read."""
        self._users += 1
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="live-picture")
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._stop_reading()

    def _stop_reading(self) -> asyncio.Task[None] | None:
        reading, self._reading = self._reading, None
        self._stills.clear()
        if reading is not None:
            reading.cancel()
        return reading

    async def _read(self) -> None:
        """Hold the feed, and take it up again when the core is back."""
        while True:
            try:
                with await opened(partial(_feed, self._path)) as feed:
                    await self._follow(feed)
            except LocalError as error:
                log.debug("no picture: %s", error)
            except Exception:
                log.exception("the live picture failed; it is tried again")
            await asyncio.sleep(_RETRY_S)

    async def _follow(self, feed: "FeedReader") -> None:
        loop = asyncio.get_running_loop()
        while True:
            await readable(*feed.filenos)
            picture = feed.read()
            if picture is None:
                continue
            began_s = loop.time()
            stills, self._stills = self._stills, {}
            sizes = {*stills, _WHOLE} if self.viewers else set(stills)
            jpegs = await loop.run_in_executor(self._thread, _encoded, picture, sizes)
            for size, still in stills.items():
                still.set_result(jpegs[size])
            if self.viewers and _WHOLE in jpegs:
                await self._show(jpegs[_WHOLE])
            await asyncio.sleep(began_s + 1 / MAX_RATE_HZ - loop.time())

    async def _show(self, jpeg: bytes) -> None:
        async with self._fresh:
            self._jpeg = jpeg
            self.encoded += 1
            self._fresh.notify_all()


def _feed(path: Path) -> "FeedReader":
    from scrim.local.feed import FeedReader  # numpy comes with it: 11 MB that are spared until somebody looks

    return FeedReader(path, _ANSWER_S)


def _encoded(picture: "Picture", sizes: set[int]) -> dict[int, bytes]:
    """A JPEG of each size."""
    from scrim.gateway.jpeg import encode, shrunk, to_full_range

    to_full_range(picture.planes)
    return {size: encode(shrunk(picture.planes, size) if size else picture.planes) for size in sizes}

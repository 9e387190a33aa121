"""The live picture as JPEGs: each frame is encoded once for all viewers, and never without one."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from scrim.errors import LocalError
from scrim.frame import Plane
from scrim.local.feed import FeedReader
from scrim.local.ring import Picture

log = logging.getLogger(__name__)

MAX_VIEWERS = 16
MAX_RATE_HZ = 15.0
"""A preview faster than this costs a small board more than it shows."""

QUALITY = 80
_RETRY_S = 0.25
_ANSWER_S = 2.0


class TooManyViewersError(Exception):
    """Everybody who may watch does."""


class Preview:
    """Reads the frame feed while there are viewers. Used from one event loop.

    Args:
        path: the local socket.

    Attributes:
        viewers: how many watch now.
        encoded: JPEGs made since the start.
    """

    def __init__(self, path: Path) -> None:
        self.viewers = 0
        self.encoded = 0
        self._path = path
        self._jpeg = b""
        self._fresh = asyncio.Condition()
        self._is_closing = False
        self._reading: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def viewer(self) -> Iterator[AsyncIterator[bytes]]:
        """One viewer: JPEGs from now on, the newest each time; waits while the core is gone.

        Raises:
            TooManyViewersError: there are ``MAX_VIEWERS`` already.
        """
        if self.viewers >= MAX_VIEWERS:
            raise TooManyViewersError
        self.viewers += 1
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="preview")
        try:
            yield self._jpegs()
        finally:
            self.viewers -= 1
            if not self.viewers:
                self._stop_reading()

    async def _jpegs(self) -> AsyncIterator[bytes]:
        seen = self.encoded
        while not self._is_closing:
            async with self._fresh:
                await self._fresh.wait()
            if self.encoded != seen and not self._is_closing:
                seen = self.encoded
                yield self._jpeg

    async def close(self) -> None:
        """Let every viewer go."""
        self._is_closing = True
        if (reading := self._stop_reading()) is not None:
            await asyncio.wait({reading})
        async with self._fresh:
            self._fresh.notify_all()

    def _stop_reading(self) -> asyncio.Task[None] | None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
        return reading

    async def _read(self) -> None:
        """Hold the feed, and take it up again when the core is back."""
        while True:
            try:
                with await self._open_feed() as feed:
                    await self._follow(feed)
            except LocalError as error:
                log.debug("no preview: %s", error)
            await asyncio.sleep(_RETRY_S)

    async def _open_feed(self) -> FeedReader:
        """Connect in a thread: a core that hangs must not stop the page. Leaves nothing open if cancelled."""
        opening = asyncio.ensure_future(asyncio.to_thread(FeedReader, self._path, _ANSWER_S))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with contextlib.suppress(LocalError):
                (await opening).close()
            raise

    async def _follow(self, feed: FeedReader) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            await _readable(feed.filenos)
            picture = feed.read()
            if picture is None:
                continue
            began_s = now_s()
            jpeg = await asyncio.to_thread(encode, picture)
            async with self._fresh:
                self._jpeg = jpeg
                self.encoded += 1
                self._fresh.notify_all()
            await asyncio.sleep(began_s + 1 / MAX_RATE_HZ - now_s())


def encode(picture: Picture) -> bytes:
    """A JPEG straight from the planes; no conversion to RGB is made."""
    import simplejpeg

    luma, chroma = _full_range()
    tables = (luma, chroma, chroma)
    # A table has a place for every byte; "clip" spares numpy the checks, which cost more than the rest.
    planes = (np.take(table, plane, mode="clip") for table, plane in zip(tables, picture.planes, strict=True))
    jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=QUALITY, fastdct=True)
    return jpeg


@cache
def _full_range() -> tuple[Plane, Plane]:
    """Tables from video's range (BT.601: luma 16 to 235, chroma 16 to 240) to JPEG's, which is 0 to 255."""
    levels = np.arange(256)
    luma = (levels - 16) * (255 / 219)
    chroma = (levels - 128) * (255 / 224) + 128
    low, high = (np.clip(np.rint(table), 0, 255).astype(np.uint8) for table in (luma, chroma))
    return low, high


async def _readable(filenos: tuple[int, ...]) -> None:
    """Wait until one of ``filenos`` is."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    for fileno in filenos:
        loop.add_reader(fileno, wake)
    try:
        await ready
    finally:
        for fileno in filenos:
            with contextlib.suppress(ValueError):
                loop.remove_reader(fileno)

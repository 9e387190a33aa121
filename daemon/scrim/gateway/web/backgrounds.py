"""The library of pictures on the page: list, look, upload, fetch, remove."""

import asyncio
import contextlib
import logging
import os
import threading
from typing import Any

from aiohttp import web

from scrim.decode import memory_file
from scrim.errors import ImageError, LocalError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.images import Encoded
from scrim.gateway.library import Library
from scrim.gateway.shelf import Fetcher, Shelf, Shelved
from scrim.gateway.web.body import done, refusal, text_field
from scrim.gateway.web.guard import JSON_TYPES
from scrim.image_header import FORMATS, MAX_IMAGE_BYTES
from scrim.image_url import scheme_of

log = logging.getLogger(__name__)

MOST_WAITING = 4
UPLOAD_S = 60.0
"""For the whole of an image to come; a phone far from its router is slow."""

_LONGEST_NAME = 200
_CACHED = {"Cache-Control": "private, max-age=31536000, immutable"}
"""Another picture has another id."""


class Backgrounds:
    """Answers for the library.

    Args:
        shelf: keeps the pictures.
        fetcher: brings those that are given by URL.
        link: to the core, to know what is in use.
        on_disk: images that somebody put into this machine's folders.
    """

    def __init__(
        self, shelf: Shelf, fetcher: Fetcher, link: CoreLink, on_disk: Library | None = None
    ) -> None:
        self._shelf = shelf
        self._on_disk = on_disk if on_disk is not None else Library()
        self._fetcher = fetcher
        self._link = link
        self._turn = asyncio.Lock()
        self._waiting = 0

    def routes(self) -> list[web.RouteDef]:
        """What is answered where."""
        return [
            web.get("/api/backgrounds", self._list),
            web.post("/api/backgrounds", self._add),
            web.post("/api/backgrounds/remove", self._remove),
            web.get("/backgrounds/{id:[a-z0-9-]{1,64}}.jpg", self._thumb),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"backgrounds": await asyncio.to_thread(self._all)})

    def _all(self) -> list[dict[str, Any]]:
        files = ((name, self._on_disk.url_of(name)) for name in self._on_disk.names())
        return [*map(_told, self._shelf.pictures()), *(_told_file(name, str(url)) for name, url in files)]

    async def _thumb(self, request: web.Request) -> web.Response:
        jpeg = await asyncio.to_thread(self._shelf.thumb, request.match_info["id"])
        if jpeg is None:
            raise web.HTTPNotFound(text="there is no such picture")
        return web.Response(body=jpeg, content_type="image/jpeg", headers=_CACHED)

    async def _add(self, request: web.Request) -> web.Response:
        """Take an image from the request, or fetch it: 200 with the picture, 422 with what is wrong."""
        if self._waiting >= MOST_WAITING:
            return refusal("too many pictures are on their way; try again in a moment", 503)
        self._waiting += 1
        try:
            if request.content_type in JSON_TYPES:
                encoded, name = await self._fetched(request)
            else:
                encoded, name = await _uploaded(request), request.query.get("name", "")[:_LONGEST_NAME]
            with encoded:
                picture = await self._shelved(encoded, name)
        except ImageError as error:
            return refusal(error, 422)
        finally:
            self._waiting -= 1
        log.info("background %s is in the library now", picture.id)
        return done(background=_told(picture))

    async def _fetched(self, request: web.Request) -> tuple[Encoded, str]:
        url = await text_field(request, "url")
        return await self._fetcher.fetch(url), "" if scheme_of(url) == "data" else url

    async def _shelved(self, encoded: Encoded, name: str) -> Shelved:
        """One at a time; a browser that has gone ends the child early."""
        async with self._turn:
            has_gone = threading.Event()
            adding = asyncio.ensure_future(asyncio.to_thread(self._shelf.add, encoded, name, has_gone.is_set))
            try:
                return await asyncio.shield(adding)
            except asyncio.CancelledError:
                has_gone.set()
                with contextlib.suppress(ImageError):
                    await adding
                raise

    async def _remove(self, request: web.Request) -> web.Response:
        picture_id = await text_field(request, "id")
        if await self._in_effect() == f"library:{picture_id}":
            return refusal("this picture is in the settings; choose another background first", 409)
        async with self._turn:
            try:
                await asyncio.to_thread(self._shelf.remove, picture_id)
            except ImageError as error:
                return refusal(error, 422)
        return done()

    async def _in_effect(self) -> str | None:
        """The image as the core has it now; what it told last may be older than the last change."""
        with contextlib.suppress(LocalError):
            image: str | None = (await self._link.request("status"))["effect"]["image"]
            return image
        return None


def _told(picture: Shelved) -> dict[str, Any]:
    return {
        "id": picture.id,
        "url": picture.url,
        "title": picture.title,
        "is_shipped": picture.is_shipped,
        "thumb": f"/backgrounds/{picture.id}.jpg",
    }


def _told_file(name: str, url: str) -> dict[str, Any]:
    return {"id": url, "url": url, "title": name, "is_shipped": True, "thumb": None}


async def _uploaded(request: web.Request) -> Encoded:
    """The body, never more of it than is allowed, in memory that counts for nobody.

    Raises:
        ImageError: it is larger, or does not come.
    """
    if (request.content_length or 0) > MAX_IMAGE_BYTES:
        raise ImageError(_TOO_LARGE)
    encoded = Encoded(memory_file("scrim-image"))
    try:
        async with asyncio.timeout(UPLOAD_S):
            await _receive(request, encoded.fd)
    except TimeoutError:
        encoded.close()
        raise ImageError(f"the picture did not come within {UPLOAD_S:g} s") from None
    except BaseException:
        encoded.close()
        raise
    return encoded


async def _receive(request: web.Request, handle: int) -> None:
    count = 0
    async for chunk in request.content.iter_any():
        count += len(chunk)
        if count > MAX_IMAGE_BYTES:
            raise ImageError(_TOO_LARGE)
        os.write(handle, chunk)


_TOO_LARGE = f"the picture is larger than 8 MiB; allowed is {FORMATS}"

"""The page's addresses and what answers at each."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from aiohttp import web

from scrim.errors import ConfigError, LocalError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.live_picture import STILL_PX, LivePicture, TooManyViewersError
from scrim.gateway.shelf import Fetcher, Shelf
from scrim.gateway.web.access import Access
from scrim.gateway.web.backgrounds import Backgrounds
from scrim.gateway.web.body import bad_request, document, done, refusal
from scrim.gateway.web.guard import MAX_BODY_BYTES, add_headers, guard
from scrim.gateway.web.happenings import Happenings
from scrim.gateway.web.login import Login

log = logging.getLogger(__name__)

KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
INDEX = "index.html"
BOUNDARY = "scrim-frame"
_BOUNDARY_LINE = f"--{BOUNDARY}\r\n".encode()
_PART_HEAD = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
_VIEWER_STALL_S = 10.0
_GONE = "scrim's core is not running; nothing was changed"


@dataclass(frozen=True, slots=True)
class Around:
    """What the page's server stands on.

    Attributes:
        link: to the core.
        picture: what goes out now.
        shelf: the library of backgrounds.
        fetcher: brings a background that is given by URL.
        schema: of the settings, see :func:`scrim.config.schema.form_schema`.
    """

    link: CoreLink
    picture: LivePicture
    shelf: Shelf
    fetcher: Fetcher
    schema: Mapping[str, Any]


class WebServer:
    """Answers the browser.

    Args:
        names: by which the page may be called, see :func:`scrim.gateway.web.guard.allowed_names`.
        around: what it stands on.
        login: knows the password; None where nobody is asked for one.
    """

    def __init__(self, names: frozenset[str], around: Around, login: Login | None = None) -> None:
        self._link = around.link
        self._picture = around.picture
        self._schema = around.schema
        self._started_ns = time.monotonic_ns()
        self._happenings = Happenings()
        self._link.add(self._happenings)
        self._files = _files()
        self._access = Access(login, self._files.__contains__)
        self.app = web.Application(
            middlewares=[guard(names), self._access.middleware()], client_max_size=MAX_BODY_BYTES
        )
        self.app.on_response_prepare.append(add_headers)
        self.app.on_shutdown.append(self._let_viewers_go)
        self.app.add_routes([web.get(at, self._file) for at in self._files])
        self.app.add_routes(Backgrounds(around.shelf, around.fetcher, around.link).routes())
        self.app.add_routes(
            [
                web.get("/api/status", self._status),
                web.get("/api/schema", self._form),
                web.get("/api/settings", self._in_effect),
                web.post("/api/settings", self._change),
                web.post("/api/reset", self._reset),
                web.post("/api/restart", self._restart),
                web.post("/api/login", self._access.begin),
                web.post("/api/logout", self._access.end),
                web.get("/preview.mjpg", self._watch, allow_head=False),
                web.get("/snapshot.jpg", self._snapshot, allow_head=False),
            ]
        )

    async def _file(self, request: web.Request) -> web.Response:
        body, content_type = self._files[request.path]
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    async def _status(self, request: web.Request) -> web.Response:
        """How everything is, and what happened after the number that the page has seen last."""
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= 15):
            raise bad_request("after: must be a number that an earlier answer had")
        return web.json_response(
            {
                "core": "gone" if self._link.status is None else "connected",
                "gone_because": self._link.gone_because,
                "status": self._link.status,
                "gateway": {
                    "started_ns": str(self._started_ns),
                    "viewers": self._picture.viewers,
                    "encoded": self._picture.encoded,
                    "asks_for_password": self._access.is_asked_for,
                },
                **self._happenings.after(int(after)),
            }
        )

    async def _form(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self._schema)

    async def _in_effect(self, request: web.Request) -> web.Response:
        del request
        return await self._asked("settings")

    async def _change(self, request: web.Request) -> web.Response:
        """Pass a patch on: 200 with what is in effect now, 422 with every problem, 503 without a core."""
        patch = await document(request)
        if self._link.status is None:
            return refusal(_GONE, 503)
        try:
            return done(result=await self._link.set(patch))
        except (ConfigError, LocalError) as error:
            return refusal(error, 422)

    async def _reset(self, request: web.Request) -> web.Response:
        await document(request)
        return await self._asked("reset")

    async def _restart(self, request: web.Request) -> web.Response:
        await document(request)
        return await self._asked("restart")

    async def _asked(self, method: str) -> web.Response:
        if self._link.status is None:
            return refusal(_GONE, 503)
        try:
            return done(result=await self._link.request(method))
        except (ConfigError, LocalError) as error:
            return refusal(error, 422)

    async def _snapshot(self, request: web.Request) -> web.Response:
        """One still of what goes out; ``?size=small`` for one of 640 pixels at the most."""
        size = request.query.get("size")
        if size not in {None, "small"}:
            raise bad_request("size: allowed is small, or nothing for the whole picture")
        try:
            jpeg = await self._picture.still(STILL_PX if size else None)
        except LocalError as error:
            return refusal(error, 503)
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """JPEG after JPEG. Each is closed by its boundary at once, or a browser shows it one frame late."""
        response = web.StreamResponse(
            headers={"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}"}
        )
        try:
            with self._picture.viewer() as jpegs:
                await response.prepare(request)
                await response.write(_BOUNDARY_LINE)
                async for jpeg in jpegs:
                    if not self._access.still_lets_in(request):
                        break
                    async with asyncio.timeout(_VIEWER_STALL_S):
                        await response.write(_PART_HEAD % len(jpeg) + jpeg + b"\r\n" + _BOUNDARY_LINE)
        except TooManyViewersError:
            raise web.HTTPServiceUnavailable(text="too many viewers", headers={"Retry-After": "10"}) from None
        except (TimeoutError, ConnectionError):
            log.debug("a viewer does not read or has gone")
        return response

    async def _let_viewers_go(self, app: web.Application) -> None:
        del app
        await self._picture.close()


def _files() -> dict[str, tuple[bytes, str]]:
    """What the page is made of, by path: content and its kind. None of it says anything of this machine."""
    found: dict[str, tuple[bytes, str]] = {}
    for entry in (resources.files(__package__) / "page").iterdir():
        kind = KINDS.get(f".{entry.name.rpartition('.')[2]}")
        if kind is not None:
            found["/" if entry.name == INDEX else f"/{entry.name}"] = (entry.read_bytes(), kind)
    return found

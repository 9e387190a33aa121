"""The page's addresses and what answers at each."""

import asyncio
import logging
import time
from importlib import resources
from typing import Any

from aiohttp import web

from scrim.errors import ConfigError, LocalError, ScrimError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.live_picture import LivePicture, TooManyViewersError
from scrim.gateway.web.guard import MAX_BODY_BYTES, add_headers, guard
from scrim.local.messages import errors_of, parse_object

log = logging.getLogger(__name__)

FILES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
BOUNDARY = "scrim-frame"
_BOUNDARY_LINE = f"--{BOUNDARY}\r\n".encode()
_PART_HEAD = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
_BODY_S = 10.0
_VIEWER_STALL_S = 10.0


class WebServer:
    """Answers the browser.

    Args:
        address: where it will listen, for the Host check.
        link: to the core.
        picture: what goes out now.
    """

    def __init__(self, address: str, link: CoreLink, picture: LivePicture) -> None:
        self._link = link
        self._picture = picture
        self._started_ns = time.monotonic_ns()
        self.app = web.Application(middlewares=[guard(address)], client_max_size=MAX_BODY_BYTES)
        self.app.on_response_prepare.append(add_headers)
        self.app.on_shutdown.append(self._let_viewers_go)
        folder = resources.files(__package__) / "page"
        self._files = {at: ((folder / name).read_bytes(), kind) for at, (name, kind) in FILES.items()}
        self.app.add_routes([web.get(at, self._file) for at in FILES])
        self.app.add_routes(
            [
                web.get("/api/status", self._status),
                web.post("/api/settings", self._settings),
                web.get("/preview.mjpg", self._watch, allow_head=False),
            ]
        )

    async def _file(self, request: web.Request) -> web.Response:
        body, content_type = self._files[request.path]
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    async def _status(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(
            {
                "core": "gone" if self._link.status is None else "connected",
                "gone_because": self._link.gone_because,
                "status": self._link.status,
                "gateway": {
                    "started_ns": str(self._started_ns),
                    "viewers": self._picture.viewers,
                    "encoded": self._picture.encoded,
                },
            }
        )

    async def _settings(self, request: web.Request) -> web.Response:
        """Pass a patch on: 200 with what is in effect now, 422 with every problem, 503 without a core."""
        try:
            async with asyncio.timeout(_BODY_S):
                patch = parse_object(await request.read(), MAX_BODY_BYTES)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except LocalError as error:
            return _refusal(error, 400)
        if self._link.status is None:
            return _refusal(LocalError("scrim's core is not running; nothing was changed"), 503)
        try:
            result = await self._link.set(patch)
        except (ConfigError, LocalError) as error:
            return _refusal(error, 422)
        return web.json_response({"ok": True, "result": result})

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


def _refusal(error: ScrimError, status: int) -> web.Response:
    answer: dict[str, Any] = {"ok": False, "errors": errors_of(error)}
    if error.in_effect is not None:
        answer["result"] = dict(error.in_effect)
    return web.json_response(answer, status=status)

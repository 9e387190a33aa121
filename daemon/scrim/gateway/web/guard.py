"""Who may use the page: loopback only, no foreign site through the user's browser, nothing large."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

MAX_BODY_BYTES = 64 * 1024
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Server": "scrim",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the browser what the page may do; on every answer, errors too."""
    del request
    response.headers.update(HEADERS)


def guard(address: str) -> Middleware:
    """The middleware that refuses foreign requests before anything is read of them.

    Args:
        address: where the server listens; its name is allowed beside the loopback names.
    """
    names = LOOPBACK_NAMES | {f"[{address}]" if ":" in address else address}

    @web.middleware
    async def check(request: web.Request, handler: _Answer) -> web.StreamResponse:
        if host_name(request.headers.get("Host", "")) not in names:
            raise web.HTTPForbidden(text="Host is not this machine's loopback name")
        if request.path != "/" and request.headers.get("Sec-Fetch-Site", "none") not in {
            "same-origin",
            "none",
        }:
            raise web.HTTPForbidden(text="Sec-Fetch-Site: requests of other sites are refused")
        if request.method not in {"GET", "HEAD"}:
            _check_change(request)
        return await handler(request)

    return check


def host_name(host: str) -> str:
    """The name in a Host header, lower case, without its port; brackets stay."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _check_change(request: web.Request) -> None:
    """A form, an image or a foreign script cannot send what is asked for here without being asked first."""
    if request.headers.get("X-Scrim") != "1":
        raise web.HTTPForbidden(text="the header X-Scrim: 1 is missing")
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise web.HTTPForbidden(text="Sec-Fetch-Site: only the page itself may change anything")
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != f"http://{request.headers['Host'].lower()}":
        raise web.HTTPForbidden(text="Origin: only the page itself may change anything")
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text="send application/json, not compressed")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length or 0)

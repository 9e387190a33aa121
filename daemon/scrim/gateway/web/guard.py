"""Who may use the page: nobody by another name, no foreign site through the user's browser, nothing large."""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Middleware

from scrim.gateway.listening import is_loopback

MAX_BODY_BYTES = 64 * 1024
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

UPLOAD_PATH = "/api/backgrounds"
JSON_TYPES = frozenset({"application/json"})
UPLOAD_TYPES = JSON_TYPES | {"image/jpeg", "image/png", "image/webp"}
"""What no form can send, and no script of another site without asking first."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Server": "scrim",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the browser what the page may do; on every answer, errors too."""
    del request
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


def allowed_names(address: str, hosts: Iterable[str] = ()) -> frozenset[str]:
    """By which names the page may be called, lower case, IPv6 in brackets.

    Args:
        address: where the server listens. This machine's own names are allowed where others can reach it.
        hosts: what the settings allow beside them.
    """
    names = LOOPBACK_NAMES | {_in_brackets(address), *(_in_brackets(host.lower()) for host in hosts)}
    if not is_loopback(address):
        own = socket.gethostname().lower()
        names |= {own, f"{own.partition('.')[0]}.local"}
    return names


def guard(names: frozenset[str]) -> Middleware:
    """The middleware that refuses foreign requests before anything is read of them.

    Args:
        names: as ``allowed_names`` gives them. The address at which a request arrived counts too: no name
            that leads here can be rebound to a number.
    """

    @web.middleware
    async def check(request: web.Request, handler: Answer) -> web.StreamResponse:
        name = host_name(request.headers.get("Host", ""))
        if name not in names and name != _arrived_at(request):
            raise web.HTTPForbidden(text="Host is no name of this machine; web.hosts may allow it")
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


def _arrived_at(request: web.Request) -> str:
    """The address at which the connection was accepted, as a Host header has it."""
    found = request.transport.get_extra_info("sockname") if request.transport else None
    try:
        address = ipaddress.ip_address(str(found[0]).partition("%")[0]) if found else None
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return _in_brackets(str(address)) if address is not None else ""


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _check_change(request: web.Request) -> None:
    """A form, an image or a foreign script cannot send what is asked for here without being asked first."""
    if request.headers.get("X-Scrim") != "1":
        raise web.HTTPForbidden(text="the header X-Scrim: 1 is missing")
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise web.HTTPForbidden(text="Sec-Fetch-Site: only the page itself may change anything")
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own(origin, request):
        raise web.HTTPForbidden(text="Origin: only the page itself may change anything")
    types = UPLOAD_TYPES if request.path == UPLOAD_PATH else JSON_TYPES
    if request.content_type not in types or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text=f"send {' or '.join(sorted(types))}, not compressed")
    if request.content_type in JSON_TYPES and (request.content_length or 0) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length or 0)


def _is_own(origin: str, request: web.Request) -> bool:
    """Whether the page itself asks. It may be on TLS that something before us has taken off."""
    scheme, _, host = origin.lower().partition("://")
    schemes = {"https"} if request.secure else {"http", "https"}
    return scheme in schemes and host == request.headers["Host"].lower()

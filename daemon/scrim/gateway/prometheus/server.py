"""The listener for Prometheus: ``GET /metrics`` and nothing else, on a port of its own."""

import asyncio
import base64
import binascii
import hmac
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.process_collector import ProcessCollector

from scrim.errors import LocalError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.figures import GatewayFigures
from scrim.gateway.prometheus.families import CoreFigures, Scrape, families
from scrim.gateway.web.guard import LOOPBACK_NAMES, host_name
from scrim.local.status import Counters, Status

log = logging.getLogger(__name__)

USER = "scrim"
"""The user name of basic auth; only the password is a secret."""

CORE_S = 2.0
"""How long the core may take to answer; Prometheus gives up after 10 s where nobody told it otherwise."""

FRESH_S = 0.5
"""Scrapes within this time get the same answer, so that a flood of them does not reach the core."""

_METHODS = ("status", "metrics", "settings", "counters")
_MOST_BYTES = 1024
_REALM = {"WWW-Authenticate": 'Basic realm="scrim", charset="UTF-8"'}
_HEADERS = {"Cache-Control": "no-store", "Server": "scrim", "X-Content-Type-Options": "nosniff"}
_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MetricsServer:
    """Answers Prometheus.

    Args:
        link: to the core; is listened to from now on.
        figures: what the gateway's parts count.
        address: where it will listen, for the Host check.
        password: that a scraper must know; None for loopback without one.
        clock_s: monotonic clock.
        patience_s: how long the core may take to answer.
    """

    def __init__(
        self,
        link: CoreLink,
        figures: GatewayFigures,
        address: str,
        password: str | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        patience_s: float = CORE_S,
    ) -> None:
        self._link = link
        self._patience_s = patience_s
        self._clock_s = clock_s
        self._figures = figures
        self._process = ProcessCollector(registry=None)
        self._lock = asyncio.Lock()
        self._core: CoreFigures | None = None
        self._taken_s = float("-inf")
        guard = _host_guard(address) if password is None else _password_guard(password)
        self.app = web.Application(middlewares=[guard], client_max_size=_MOST_BYTES)
        self.app.on_response_prepare.append(_add_headers)
        self.app.add_routes([web.get("/metrics", self._metrics)])
        link.add(self)

    def core_changed(self, status: Status | None) -> None:
        """Nothing of a core that is gone is told again."""
        if status is None:
            self._taken_s = float("-inf")

    def core_event(self, event: dict[str, Any]) -> None:
        """The core counts them itself."""

    async def _metrics(self, request: web.Request) -> web.Response:
        del request
        core = await self._fresh()
        found = itertools.chain(families(core, self._figures), self._process.collect())
        body = generate_latest(cast("Any", Scrape(found)))
        response = web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
        response.enable_compression()
        return response

    async def _fresh(self) -> CoreFigures | None:
        """What the core says now, or said a moment ago; None where it is gone or does not answer."""
        async with self._lock:
            if self._clock_s() - self._taken_s >= FRESH_S:
                self._core = await self._ask()
                self._taken_s = self._clock_s()
            return self._core

    async def _ask(self) -> CoreFigures | None:
        if self._link.status is None:
            return None
        try:
            async with asyncio.timeout(self._patience_s):
                status, metrics, settings, counters = await asyncio.gather(*map(self._link.request, _METHODS))
        except (LocalError, TimeoutError) as error:
            log.debug("no figures of the core: %s", error)
            return None
        return CoreFigures(cast("Status", status), metrics, settings["settings"], cast("Counters", counters))


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers.update(_HEADERS)


def _host_guard(address: str) -> Middleware:
    """Without a password, only this machine's names: no foreign page may read it through a browser here."""
    names = LOOPBACK_NAMES | {f"[{address}]" if ":" in address else address}

    @web.middleware
    async def check(request: web.Request, handler: _Answer) -> web.StreamResponse:
        if host_name(request.headers.get("Host", "")) not in names:
            raise web.HTTPForbidden(text="Host is not this machine's loopback name")
        return await handler(request)

    return check


def _password_guard(password: str) -> Middleware:
    wanted = f"{USER}:{password}".encode()

    @web.middleware
    async def check(request: web.Request, handler: _Answer) -> web.StreamResponse:
        if not hmac.compare_digest(_given(request.headers.get("Authorization", "")), wanted):
            raise web.HTTPUnauthorized(text="user name or password is wrong", headers=_REALM)
        return await handler(request)

    return check


def _given(header: str) -> bytes:
    """User name and password of a basic authorization (RFC 7617); empty where there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""

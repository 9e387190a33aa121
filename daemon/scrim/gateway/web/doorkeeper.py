"""How many connections the page's server has at a time: a bound for all, and one for each neighbour."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from aiohttp import web

from scrim.gateway.listening import is_loopback

MOST = 192
MOST_EACH = 32
"""Of one address; a browser takes six. Loopback has no bound of its own: a proxy may stand there."""

FIRST_BYTE_S = 20.0
"""A connection on which nothing came by then is closed."""


class Doorkeeper:
    """Makes protocols for new connections, and closes those that are too many.

    Args:
        make: the server's own factory of protocols.
        first_byte_s: see ``FIRST_BYTE_S``.

    Attributes:
        connections: how many there are.
    """

    def __init__(self, make: Callable[[], asyncio.Protocol], first_byte_s: float = FIRST_BYTE_S) -> None:
        self.connections: Counter[str] = Counter()
        self.first_byte_s = first_byte_s
        self._make = make

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a connection that has just come."""
        return _Visitor(self, self._make())

    def lets_in(self, address: str) -> bool:
        """Whether there is room for one more from there; then it is counted."""
        is_full = not is_loopback(address) and self.connections[address] >= MOST_EACH
        if is_full or self.connections.total() >= MOST:
            return False
        self.connections[address] += 1
        return True

    def left(self, address: str) -> None:
        """One from there is gone."""
        self.connections[address] -= 1
        if not self.connections[address]:
            del self.connections[address]


class GuardedRunner(web.AppRunner):
    """Runs an application behind a doorkeeper."""

    _door: Doorkeeper | None = None

    @property
    def server(self) -> web.Server | None:
        """What a site takes for a factory of protocols."""
        server = super().server
        if server is None:
            return None
        if self._door is None:
            self._door = Doorkeeper(server)
        return cast("web.Server", self._door)


class _Visitor(asyncio.Protocol):
    """Hands everything on to the server's protocol, once the connection is let in."""

    def __init__(self, door: Doorkeeper, inner: asyncio.Protocol) -> None:
        self._door = door
        self._inner = inner
        self._address: str | None = None
        self._closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if not self._door.lets_in(address):
            stream.abort()
            return
        self._address = address
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(self._door.first_byte_s, stream.abort)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._came()
        if self._address is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._address is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        if self._address is not None:
            self._door.left(self._address)
            self._inner.connection_lost(exc)

    def _came(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

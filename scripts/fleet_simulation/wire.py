"""The gateway's connection to a broker, with one event loop for all devices in place of a thread for each."""

import asyncio
import contextlib
import ssl
from typing import Any

from paho.mqtt.client import Client

from scrim.gateway.mqtt.connection import Connection
from scrim.gateway.mqtt.session import Session

TEND_S = 5.0
"""paho looks after keep-alive this often."""


class LoopSession(Session):
    """A session whose socket is watched by the running event loop."""

    async def open(self) -> None:
        """Connect, and watch the socket from here on."""
        loop, client = asyncio.get_running_loop(), self._client
        client.on_socket_close = _forget
        client.on_socket_register_write = lambda *_: loop.add_writer(client.socket(), client.loop_write)
        client.on_socket_unregister_write = lambda _client, _data, sock: loop.remove_writer(sock)
        self._connect()
        loop.add_reader(client.socket(), self._read)
        self._tending = loop.call_later(TEND_S, self._tend)

    async def close(self) -> None:
        """Disconnect."""
        if hasattr(self, "_tending"):
            self._tending.cancel()
        self._client.disconnect()
        if (sock := self._client.socket()) is not None:
            _forget(self._client, None, sock)
            sock.close()

    def _read(self) -> None:
        self._client.loop_read()
        sock = self._client.socket()
        while isinstance(sock, ssl.SSLSocket) and sock.pending():
            self._client.loop_read()
            sock = self._client.socket()

    def _tend(self) -> None:
        self._client.loop_misc()
        self._tending = asyncio.get_running_loop().call_later(TEND_S, self._tend)


class LoopConnection(Connection):
    """A connection made of such sessions."""

    session = LoopSession


def _forget(_client: Client, _data: object, sock: Any) -> None:  # noqa: ANN401  paho's own
    with contextlib.suppress(ValueError, OSError, RuntimeError):  # closed already, or the loop is
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        loop.remove_writer(sock)

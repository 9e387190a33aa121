"""The page: a real gateway before a small core, and a client that sends any bytes as requests."""

import asyncio
import contextlib
import json
import os
import re
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from tests.fuzz.local_socket import Core
from tests.fuzz.target import folder, promise

from scrim.config import Settings
from scrim.gateway.service import serve
from scrim.local.server import LocalServer

_PATIENCE_S = 180.0
_IDLE_S = 0.1
_MOST_ANSWER_BYTES = 256 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


class Http:
    """An answer that is no fault of ours, or the end; nothing changes without our header."""

    limit_s = 4.0

    def __init__(self) -> None:
        self._folder = folder()
        self._before = os.environ.get("XDG_STATE_HOME")
        os.environ["XDG_STATE_HOME"] = self._folder.name
        path = Path(self._folder.name) / "run" / "core.sock"
        self._core = Core()
        self._server = LocalServer(path, self._core)
        self._server.start()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        ready: Future[str | None] = Future()
        page = Settings().patched({"web": {"port": 0}})
        work = serve(path, page, ready.set_result, self._stop)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(work,))
        self._thread.start()
        url = ready.result(_PATIENCE_S)
        self._port = int(str(url).rstrip("/").rpartition(":")[2])
        self.seeds, self.words = self._seeds(), self._words()

    def _seeds(self) -> Sequence[bytes]:
        host = f"Host: 127.0.0.1:{self._port}\r\n"
        change = f"HTTP/1.1\r\n{host}X-Scrim: 1\r\nContent-Type: application/json\r\n"
        bodies = {
            "settings": json.dumps({"effect": "blur", "strength": 30}),
            "settings ": json.dumps({"patch": {"effect": "color", "color": "red"}, "if_revision": 1}),
            "login": json.dumps({"password": "wrong"}),
            "backgrounds/remove": json.dumps({"id": "0ae9ddfcfd6c"}),
            "reset": "{}",
        }
        paths = ("/", "/api/settings", "/api/status", "/api/schema", "/api/backgrounds", "/snapshot.jpg")
        gets = [f"GET {path} HTTP/1.1\r\n{host}\r\n" for path in paths]
        posts = [
            f"POST /api/{path.strip()} {change}Content-Length: {len(body)}\r\n\r\n{body}"
            for path, body in bodies.items()
        ]
        chunked = f"POST /api/settings {change}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        return [text.encode() for text in (*gets, *posts, chunked)]

    def _words(self) -> Sequence[bytes]:
        lines = (
            *("X-Scrim: 1", "Content-Type: image/png", "Content-Length: 99999999999", "Content-Length: -1"),
            *("Expect: 100-continue", "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Origin: null"),
            *("Sec-Fetch-Site: cross-site", "Authorization: Basic Og==", "Cookie: scrim-session=x"),
            *("Connection: upgrade", "Range: bytes=0-", f"Host: 127.0.0.1:{self._port}"),
        )
        odd = (
            b"\r\n",
            b"\r\n\r\n",
            b"\0",
            b"\xff",
            b"HTTP/1.0",
            b"/..",
            b"%2e%2e/",
            b"%00",
            b"//",
            b"A" * 9000,
        )
        return [*(f"{line}\r\n".encode() for line in lines), *odd]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        before = self._core.settings
        codes = [code.decode() for code in _STATUS.findall(self._answers(data, _IDLE_S))]
        promise("500" not in codes, f"answered {codes}")
        may_change = b"x-scrim" in data.lower()
        promise(may_change or self._core.settings == before, "settings changed without our header")
        promise(self._core.settings.privacy == Settings().privacy, "privacy changed")
        question = self.seeds[0].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        promise(
            self._answers(question, _PATIENCE_S).startswith(b"HTTP/1.1 200 "), "the next one is not served"
        )
        return " ".join(codes[:4])

    def _answers(self, data: bytes, patience_s: float) -> bytes:
        """What comes back until the end, or until nothing comes any more."""
        received = b""
        with socket.create_connection(("127.0.0.1", self._port), _PATIENCE_S) as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(data)
            client.settimeout(patience_s)
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                while len(received) < _MOST_ANSWER_BYTES and (more := client.recv(65536)):
                    received += more
        return received

    def close(self) -> None:
        """See ``Target``."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
        self._server.close()
        self._folder.cleanup()
        if self._before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = self._before

"""The local socket: a real server, and a client that says anything."""

import json
import socket
from pathlib import Path
from typing import Any

from tests.fuzz.target import folder, promise

from scrim.config import Settings
from scrim.errors import LocalError
from scrim.local.messages import LineBuffer, parse_object
from scrim.local.server import LocalServer

_PATIENCE_S = 180.0
_MOST_LINES = 40


class Core:
    """Settings, and nothing else."""

    def __init__(self) -> None:
        self.settings = Settings()

    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "set":
            if not isinstance(params.get("patch"), dict):
                raise LocalError("patch must be an object")
            self.settings = self.settings.patched(params["patch"], live=True)
        elif method != "settings":
            raise LocalError(f"no method {method}")
        return {"settings": self.settings.without_secrets()}


class LocalSocket:
    """Each line gets an answer or the connection its end; and the next client is served."""

    limit_s = 2.0

    def __init__(self) -> None:
        self._folder = folder()
        self._path = Path(self._folder.name) / "run" / "core.sock"
        self._core = Core()
        self._server = LocalServer(self._path, self._core)
        self._server.start()
        self.seeds = [
            json.dumps(document).encode() + b"\n"
            for document in (
                {"id": "1", "method": "settings", "params": {}},
                {"id": "2", "method": "set", "params": {"patch": {"effect": "blur"}, "if_revision": 1}},
                {"id": "3", "method": "events"},
                {"id": "4", "method": "feed"},
                {"id": "5", "method": "provide_images"},
                {"id": "6", "method": "image", "params": {"token": "x", "width": 2, "height": 2}},
                {"id": "7", "method": "model_failed", "params": {"token": "x", "error": "y"}},
            )
        ]
        methods = (
            "set",
            "settings",
            "events",
            "feed",
            "image",
            "image_failed",
            "model",
            "provide_models",
            "reset",
        )
        odd = (
            b"\n",
            b"\n\n",
            b"\0",
            b"\xff",
            b'"\\ud800"',
            b"1e999",
            b"9" * 5000,
            b"[" * 100,
            b"{" * 2000,
            b"null",
        )
        self.words = [*(f'"method":"{word}"'.encode() for word in methods), b'"params":', b'"id":', *odd]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        lines = data.split(b"\n")[:_MOST_LINES]
        with self._connected() as client:
            self._say(client, b"\n".join(lines) + b"\n")
            answers = self._answers(client)
        promise(len(answers) <= len(lines) + 1, "more answers than lines")
        with self._connected() as other:
            other.sendall(b'{"id":"check","method":"settings"}\n')
            healthy = self._answers(other)
        promise(len(healthy) == 1 and healthy[0].get("ok") is True, f"the next client got {healthy}")
        promise(self._core.settings.privacy == Settings().privacy, "privacy changed")
        return " ".join(str(answer.get("ok")) for answer in answers[:6])

    def _connected(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(_PATIENCE_S)
        client.connect(str(self._path))
        return client

    def _say(self, client: socket.socket, data: bytes) -> None:
        try:
            client.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return  # it was told enough

    def _answers(self, client: socket.socket) -> list[dict[str, Any]]:
        """Everything until the server hangs up."""
        buffer, answers = LineBuffer(), []
        try:
            client.shutdown(socket.SHUT_WR)
            while data := client.recv(65536):
                answers += [parse_object(line) for line in buffer.feed(data)]
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answers

    def close(self) -> None:
        """See ``Target``."""
        self._server.close()
        self._folder.cleanup()

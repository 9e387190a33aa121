"""A server of images on loopback that is as bad as servers get."""

import contextlib
import http.server
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

KINDS = ("good", "drip", "endless", "bomb", "loop", "inside", "hangs", "garbage", "missing", "short")

_DRIP_S = 0.5
_PATIENCE_S = 20.0


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path: one of ``KINDS``."""

    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        """Answer as badly as asked."""
        kind = self.path.strip("/").split("?")[0]
        answers: dict[str, Callable[[], None]] = {
            "good": lambda: self._send(_picture()),
            "bomb": lambda: self._send(_bomb()),
            "garbage": lambda: self._send(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64),
            "short": lambda: self._send(_picture(), length=100_000),
            "loop": lambda: self._redirect(self.path),
            "inside": lambda: self._redirect("http://[::1]:22/"),
            "drip": self._drip,
            "endless": self._endless,
            "hangs": lambda: time.sleep(_PATIENCE_S),
        }
        with contextlib.suppress(OSError):
            answers.get(kind, lambda: self.send_error(404))()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        """Say nothing."""

    def _send(self, body: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self) -> None:
        self._begin_pouring()
        for byte in _picture():
            self.wfile.write(bytes([byte]))
            time.sleep(_DRIP_S)

    def _endless(self) -> None:
        self._begin_pouring()
        while True:
            self.wfile.write(bytes(65536))

    def _begin_pouring(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """Serve; the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="images")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _picture() -> bytes:
    shades = np.linspace(0, 255, 320, dtype=np.uint8)
    picture = np.dstack(
        [np.tile(shades, (180, 1)), np.full((180, 320), 90, np.uint8), np.tile(shades[::-1], (180, 1))]
    )
    return bytes(cv2.imencode(".png", picture)[1])


def _bomb() -> bytes:
    """A PNG of 20000 x 20000 pixels in some hundred kilobytes."""
    side = 20_000
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + side // 8)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

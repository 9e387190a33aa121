"""Everything that streams, and GLib's loop around it."""

import contextlib
import os
import socket
from typing import Any

from scrim.errors import LocalError
from scrim.gateway.rtsp import line
from scrim.gateway.rtsp.child.encoders import Kind
from scrim.gateway.rtsp.child.gst import GLib
from scrim.gateway.rtsp.child.publisher import Publisher
from scrim.gateway.rtsp.child.server import Server
from scrim.gateway.rtsp.child.stream import Stream
from scrim.gateway.rtsp.plan import Plan

FIGURES_S = 1


class Streaming:
    """Does what the plan says for as long as ``run`` runs.

    Args:
        end: of the line to the gateway; does not wait.
        plan: what to do.
        kinds: encoders, best first.

    Raises:
        DeviceError: an address or a file cannot be had.
    """

    def __init__(self, end: socket.socket, plan: Plan, kinds: list[Kind]) -> None:
        self._end = end
        self._loop = GLib.MainLoop()
        self._stream = Stream(plan, kinds, lambda is_wanted: self._say("wanted", wanted=is_wanted))
        self._server = Server(plan.serve, self._stream) if plan.serve else None
        self._publisher = Publisher(plan.publish, self._stream) if plan.publish else None
        self._encoder = kinds[0].name

    def run(self) -> None:
        """Stream until the gateway hangs up."""
        condition = GLib.IOCondition.IN | GLib.IOCondition.HUP
        GLib.unix_fd_add_full(GLib.PRIORITY_HIGH, self._end.fileno(), condition, self._hear)
        GLib.timeout_add_seconds(FIGURES_S, self._tell)
        self._say("ready", url=self._server.url if self._server else None, encoder=self._encoder)
        self._loop.run()
        if self._publisher:
            self._publisher.close()
        if self._server:
            self._server.close()
        self._stream.close()

    def _say(self, word: str, **fields: Any) -> None:  # noqa: ANN401
        with contextlib.suppress(LocalError):
            line.send(self._end, word, **fields)

    def _tell(self) -> bool:
        figures = self._stream.figures() | {"clients": self._server.clients if self._server else 0}
        if self._publisher:
            figures |= {"publishing": self._publisher.state, "publish_error": self._publisher.error}
        self._say("figures", figures=figures)
        return True

    def _hear(self, _fd: int, _condition: GLib.IOCondition) -> bool:
        try:
            message, fd = line.receive(self._end)
        except BlockingIOError:
            return True
        except LocalError:
            self._loop.quit()
            return False
        if fd is not None:
            self._adopt(message["word"], fd)
        return True

    def _adopt(self, word: str, fd: int) -> None:
        if word == "feed":
            self._stream.adopt_pipe(fd)
        elif word == "ring":
            self._stream.adopt_ring(fd)
        else:
            os.close(fd)

"""What gateway and child say to each other: one JSON object a packet, descriptors with some of them.

Gateway to child: ``start`` with the plan, ``feed`` with a pipe, ``ring`` with a memory ring.
Child to gateway: ``ready``, ``cannot``, ``log``, ``wanted`` (whether it wants the feed), ``figures``.
"""

import os
import socket
from typing import Any

from scrim.errors import LocalError
from scrim.local.messages import dump, parse_object

MAX_PACKET_BYTES = 32 * 1024
_MAX_FDS = 2

Message = dict[str, Any]


def make_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a line."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, word: str, fd: int | None = None, **fields: Any) -> None:  # noqa: ANN401
    """Say one thing; ``fd`` goes with it and stays the caller's to close.

    Raises:
        LocalError: the other end is gone, or does not listen.
    """
    packet = dump({"word": word, **fields})
    try:
        if fd is None:
            end.send(packet)
        else:
            socket.send_fds(end, [packet], [fd])
    except OSError as error:
        raise LocalError(f"{word}: the other end is gone: {error.strerror or error}") from None


def receive(end: socket.socket) -> tuple[Message, int | None]:
    """The next thing said, and the descriptor that came with it, the caller's to close.

    Raises:
        BlockingIOError: nothing is there, and the socket does not wait.
        LocalError: the other end is gone, or said something that cannot be understood.
    """
    try:
        packet, fds, flags, _ = socket.recv_fds(end, MAX_PACKET_BYTES, _MAX_FDS)
    except BlockingIOError:
        raise
    except OSError as error:
        raise LocalError(f"the other end is gone: {error.strerror or error}") from None
    try:
        return _understood(packet, flags, fds), fds[0] if fds else None
    except LocalError:
        for fd in fds:
            os.close(fd)
        raise


def _understood(packet: bytes, flags: int, fds: list[int]) -> Message:
    if not packet:
        raise LocalError("the other end has hung up")
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or len(fds) > 1:
        raise LocalError("the other end said too much at once")
    return parse_object(packet.rstrip(b"\n"), MAX_PACKET_BYTES)

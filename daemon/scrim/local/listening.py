"""Taking the socket's place: never from a core that is alive, always from one that died."""

import fcntl
import os
import socket
import stat
import struct
from pathlib import Path

from scrim.errors import LocalError
from scrim.local.place import prepare_folder

SOCKET_MODE = 0o660
"""Owner and group may ask; the unit decides which group."""

_BACKLOG = 64
"""Above the number of clients served: a connect with a time-out fails at once when this queue is full."""
_PROBE_S = 1.0


def listen(path: Path) -> socket.socket:
    """A socket that listens at ``path``, non-blocking.

    Whoever starts holds a lock on the folder meanwhile, so that of two cores that start at once one wins.

    Raises:
        LocalError: another core listens there, something that is no socket lies there, or it cannot be made.
    """
    prepare_folder(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            _clear(path)
            listener.bind(str(path))
            path.chmod(SOCKET_MODE)  # nobody can connect before listen()
            listener.listen(_BACKLOG)
        finally:
            os.close(folder)
    except OSError as error:
        listener.close()
        raise LocalError(
            f"{path}: cannot listen: {error.strerror}; name another socket in SCRIM_SOCKET"
        ) from None
    except LocalError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def is_free(path: Path) -> bool:
    """Whether a core of this user could listen at ``path`` now; its folder is made if it can be."""
    try:
        prepare_folder(path)
    except LocalError:
        return False
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return False
    try:
        return stat.S_ISSOCK(path.lstat().st_mode) and _listener_pid(path) is None
    except FileNotFoundError:
        return True


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LocalError(f"{path}: is not a socket: remove it, or name another in SCRIM_SOCKET")
    owner = _listener_pid(path)
    if owner is not None:
        raise LocalError(
            f"{path}: another core is listening there (pid {owner}): stop it, or name another socket "
            "in SCRIM_SOCKET"
        )
    path.unlink()


def _listener_pid(path: Path) -> int | None:
    """The process that listens at ``path`` (0 when it cannot be told), or None when nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return None
        except (TimeoutError, BlockingIOError, PermissionError):
            return 0
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", credentials)[0]
        return pid

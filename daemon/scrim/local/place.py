"""Where the local socket lies."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from scrim.errors import LocalError

SOCKET_NAME = "core.sock"
SYSTEM_FOLDER = Path("/run/scrim")
TEMPORARY_FOLDER = Path("/tmp")  # noqa: S108  (its sub-folder is checked to be ours and closed to others)
MAX_PATH_BYTES = 107
"""What fits into ``sockaddr_un`` (unix(7)), its closing zero left out."""


def default_path(
    environment: Mapping[str, str] = os.environ,
    system_folder: Path = SYSTEM_FOLDER,
    temporary_folder: Path = TEMPORARY_FOLDER,
) -> Path:
    """The socket's path, the same for both ends.

    The first that applies: ``$SCRIM_SOCKET``; ``core.sock`` in ``$RUNTIME_DIRECTORY`` (given by systemd to
    the core's unit), in ``/run/scrim`` if that folder exists, in ``$XDG_RUNTIME_DIR/scrim``, in
    ``/tmp/scrim-<uid>``.
    """
    if named := environment.get("SCRIM_SOCKET"):
        return Path(named)
    if runtime := environment.get("RUNTIME_DIRECTORY"):
        return Path(runtime.split(":")[0]) / SOCKET_NAME
    if system_folder.is_dir():
        return system_folder / SOCKET_NAME
    if user := environment.get("XDG_RUNTIME_DIR"):
        return Path(user) / "scrim" / SOCKET_NAME
    return temporary_folder / f"scrim-{os.getuid()}" / SOCKET_NAME


def prepare_folder(path: Path) -> None:
    """Make the socket's folder with mode 0700 when it is missing, then check it as ``check_folder`` does.

    Raises:
        LocalError: it cannot be made or is not ours.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(
            f"{path.parent}: cannot be made: {error.strerror}; name another socket in SCRIM_SOCKET"
        ) from None
    check_folder(path)


def check_folder(path: Path) -> None:
    """Make sure that nobody else put a socket in our place.

    A folder inside one that everybody may write to (``/tmp``) must belong to us and be closed to others.

    Raises:
        LocalError: the path is too long, or the folder is another's, a link, or open.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise LocalError(
            f"{path}: a socket's path has at most {MAX_PATH_BYTES} bytes; name a shorter SCRIM_SOCKET"
        )
    folder = path.parent
    try:
        shared = folder.parent.stat().st_mode & stat.S_ISVTX
        found = folder.lstat()
    except OSError:
        return  # missing: connecting or binding says so
    if not shared or folder.parent == folder:
        return
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid in {os.getuid(), 0}
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise LocalError(
            f"{folder}: is not a folder of user {os.getuid()} with mode 0700; remove it, "
            "or name another socket in SCRIM_SOCKET"
        )

"""What a video node's errno means to a person, and what to do about it."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def explain(device: str, error: OSError, proc: Path = _PROC) -> str:
    """One line for an error of opening or using ``device``: what it is and the mend.

    Args:
        device: path of the node.
        error: what the system said.
        proc: where the process list is; another folder in tests.
    """
    match error.errno:
        case errno.ENOENT | errno.ENXIO:
            return (
                f"{device}: no such device; plug it in; `ls /dev/v4l/by-id /dev/video*` shows what is there"
            )
        case errno.ENODEV:
            return f"{device}: the device is gone; plug it in again"
        case errno.EACCES | errno.EPERM:
            return (
                f"{device}: no permission; add the user to the group video (`sudo usermod -aG video $USER`, "
                "then log in again), or allow the device in the systemd unit (DeviceAllow)"
            )
        case errno.EBUSY:
            return f"{device}: in use by {_named(holders(device, proc))}; stop it, or choose another device"
        case errno.EIO | errno.EPROTO | errno.ENOLINK:
            return f"{device}: {_reason(error)}; try another cable or port, without a hub"
        case errno.ENOSPC:
            return (
                f"{device}: not enough USB bandwidth; use another port, a smaller size or a lower frame rate"
            )
        case _:
            return f"{device}: {_reason(error)}"


def holders(device: str, proc: Path = _PROC) -> list[str]:
    """The programs that have ``device`` open, as ``name (pid)``; only those this user may look at."""
    target = os.path.realpath(device)
    return sorted(_program(process) for process in _processes(proc) if _holds(process, target))


def count_holders(device: str, proc: Path = _PROC) -> int | None:
    """How many other programs have ``device`` open; None when none is seen, but some cannot be looked at."""
    target = os.path.realpath(device)
    count, is_sure = 0, True
    for process in _processes(proc):
        try:
            count += target in _open_files(process)
        except PermissionError:
            is_sure = False
    return count if count or (is_sure and _sees_others(proc)) else None


def _sees_others(proc: Path) -> bool:
    """Whether the process list is whole: a sandbox may hide everybody else's, the first process first."""
    return (proc / "1").is_dir()


def _open_files(process: Path) -> set[str]:
    """What a process has open.

    Raises:
        PermissionError: it cannot be looked at.
    """
    found = set()
    try:
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(link.readlink()))
    except PermissionError:
        raise
    except OSError:
        pass  # it has ended
    return found


def _processes(proc: Path) -> Iterator[Path]:
    own = str(os.getpid())
    return (entry for entry in proc.iterdir() if entry.name.isdecimal() and entry.name != own)


def _holds(process: Path, target: str) -> bool:
    with contextlib.suppress(PermissionError):
        return target in _open_files(process)
    return False


def _program(process: Path) -> str:
    try:
        name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        name = "a program"
    return f"{name} ({process.name})"


def _named(programs: list[str]) -> str:
    return ", ".join(programs) if programs else "another program"


def _reason(error: OSError) -> str:
    return f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, error.errno)})"

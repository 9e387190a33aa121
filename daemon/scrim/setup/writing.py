"""Files written all together or not at all, each whole or not at all."""

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scrim.errors import SetupError
from scrim.statefile import sync_folder

Owner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class NewFile:
    """What a file shall hold.

    Attributes:
        path: where; its folder is there.
        data: its bytes.
        mode: of one that is new.
        owner: user and group ids of one that is new; None for this process's.
        keeps_mode: a file that is there keeps the mode it has; its owner it keeps in any case.
    """

    path: Path
    data: bytes = field(repr=False)
    mode: int
    owner: Owner | None = None
    keeps_mode: bool = False


def write_all(files: Sequence[NewFile]) -> None:
    """Write every file aside, and put them in their places, in order, only when all have been written.

    Signals that would end the process wait meanwhile.

    Raises:
        SetupError: one could not be written; no file has changed, unless the last step itself failed, which
            then names the file.
    """
    with _undisturbed(), contextlib.ExitStack() as stack:
        staged = []
        for file in files:
            aside = _stage(file)
            stack.callback(aside.unlink, missing_ok=True)
            staged.append(aside)
        for file, aside in zip(files, staged, strict=True):
            try:
                aside.replace(file.path)
            except OSError as error:
                text = (
                    f"setup: {file.path}: {error.strerror}; what was told before it is written, this is not"
                )
                raise SetupError(text) from None
        for folder in {file.path.parent for file in files}:
            sync_folder(folder)


def _stage(file: NewFile) -> Path:
    """The same file under another name in its folder, safely on the disk."""
    aside = file.path.with_name(f".{file.path.name}.{secrets.token_hex(4)}")
    try:
        if file.path.is_dir():
            raise IsADirectoryError(None, "is a folder")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                _give(out.fileno(), file)
                out.write(file.data)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _error(file.path, error) from None
    return aside


def _give(descriptor: int, file: NewFile) -> None:
    """The owner and mode that the file has, or shall have."""
    mode, owner = file.mode, file.owner
    with contextlib.suppress(FileNotFoundError):
        there = file.path.stat()
        owner = (there.st_uid, there.st_gid)
        mode = there.st_mode & 0o777 if file.keeps_mode else mode
    if owner is not None and owner != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, mode)


def _error(path: Path, error: OSError) -> SetupError:
    why = error.strerror or str(error)
    return SetupError(f"setup: {path}: {why}; nothing was changed. Run it as a user who may write there")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP wait until the end of this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

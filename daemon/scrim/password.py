"""Passwords: read from a file that only its owner can read, or from systemd's credentials; never logged."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from scrim.errors import ConfigError, Problem

MAX_PASSWORD_BYTES = 1024

_MENDS = {
    "open": "chmod 600 it: others on this machine can read it",
    "long": f"at most {MAX_PASSWORD_BYTES} bytes",
    "text": "one line of UTF-8 text",
    "kind": "a plain file",
}


def find_password(
    path: Path | None, credential: str, key: str, environment: Mapping[str, str] = os.environ
) -> str | None:
    """The password that a file holds, or the one that systemd gave to this unit, or None.

    Args:
        path: what the settings name; None for nothing.
        credential: name of the systemd credential that is taken when the settings name nothing, as
            ``LoadCredential=NAME:/path`` in the unit gives it (systemd.exec(5)).
        key: dotted name of the setting, for errors.
        environment: where ``CREDENTIALS_DIRECTORY`` stands.

    Raises:
        ConfigError: the file cannot be read, others can read it too, or what it holds is no password. The
            text never has the password in it.
    """
    folder = environment.get("CREDENTIALS_DIRECTORY")
    given = Path(folder) / credential if folder else None
    if path is not None:
        # systemd opens its own files to the unit's user by an access list, whose mask looks like a group's.
        return read_password(path, key, is_credential=given is not None and path.parent == given.parent)
    if given is not None and given.exists():
        return read_password(given, key, is_credential=True)
    return None


def read_password(path: Path, key: str, *, is_credential: bool = False) -> str:
    """The first and only line of a file.

    Args:
        path: the file.
        key: dotted name of the setting, for errors.
        is_credential: systemd made the file and keeps others away from it.

    Raises:
        ConfigError: see ``find_password``.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise _error(key, path, "is no plain file", "kind")
            if mode & 0o077 and not is_credential:
                raise _error(key, path, f"has mode {stat.S_IMODE(mode):04o}", "open")
            data = file.read(MAX_PASSWORD_BYTES + 2)
    except OSError as error:
        problem = Problem(key, str(path), error.strerror or str(error), "a file with the password in it")
        raise ConfigError([problem]) from None
    return _password(data, key, path)


def _open_at_once(path: str, flags: int) -> int:
    """Without waiting for somebody to write, where it is a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _password(data: bytes, key: str, path: Path) -> str:
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    if len(line) > MAX_PASSWORD_BYTES:
        raise _error(key, path, "is too long for a password", "long")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise _error(key, path, "is no text", "text") from None
    if not text or not text.isprintable():
        raise _error(key, path, "holds no password" if not text else "has more than a password in it", "text")
    return text


def _error(key: str, path: Path, message: str, mend: str) -> ConfigError:
    return ConfigError([Problem(key, str(path), message, _MENDS[mend])])

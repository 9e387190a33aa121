"""Where scrim keeps what outlives a run, and where it looks for background images."""

import os
from collections.abc import Mapping
from pathlib import Path

SYSTEM_STATE_FOLDER = Path("/var/lib/scrim")

BACKGROUND_FOLDERS = (Path("/var/lib/scrim/backgrounds"), Path("/usr/share/scrim/backgrounds"))
"""The only folders a background image's ``file:`` URL may point into."""


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder for state; it need not exist.

    The first that applies: the first path in ``$STATE_DIRECTORY`` (given by systemd to the core's unit);
    ``scrim`` in ``$XDG_STATE_HOME``; ``.local/state/scrim`` in the home folder; ``/var/lib/scrim`` for a user
    without one. Relative paths do not count (XDG Base Directory Specification).
    """
    given = Path(environment.get("STATE_DIRECTORY", "").split(":")[0])
    if given.is_absolute():
        return given
    base = Path(environment.get("XDG_STATE_HOME", ""))
    if base.is_absolute():
        return base / "scrim"
    home = _home(environment)
    return home / ".local" / "state" / "scrim" if home else SYSTEM_STATE_FOLDER


def _home(environment: Mapping[str, str]) -> Path | None:
    if named := environment.get("HOME"):
        return Path(named)
    try:
        return Path.home()
    except RuntimeError:
        return None

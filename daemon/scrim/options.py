"""Which settings a command works with: the options that all commands share."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrim.patch import combine, parse_assignment

if TYPE_CHECKING:
    from scrim.config import Settings

SYSTEM_CONFIG = Path("/etc/scrim/scrim.toml")


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add ``--config`` and ``--set``."""
    command.add_argument(
        "--config", type=Path, metavar="FILE", help=f"settings file (default {SYSTEM_CONFIG}, if it is there)"
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="assignments",
        help="change one setting, such as effect=blur or camera.width=640; repeatable",
    )


def settings_of(options: argparse.Namespace) -> "Settings":
    """The file's, with the command line's over them.

    Raises:
        ConfigError: they are wrong; lists every problem.
    """
    from scrim.config import Settings, load

    path = config_path(options.config)
    settings = load(path) if path else Settings()
    return settings.patched(assigned(options))


def assigned(options: argparse.Namespace) -> dict[str, Any]:
    """What ``--set`` says, as one patch."""
    return combine(map(parse_assignment, options.assignments))


def config_path(given: Path | None) -> Path | None:
    """The file to read: the one that was given, ``$SCRIM_CONFIG``, the system's; None without any."""
    if given is not None:
        return given
    if named := os.environ.get("SCRIM_CONFIG"):
        return Path(named)
    return SYSTEM_CONFIG if is_there(SYSTEM_CONFIG) else None


def is_there(path: Path) -> bool:
    """Whether there is a settings file; one in a folder that this user may not look into counts as there."""
    try:
        return path.exists()
    except PermissionError:
        return True

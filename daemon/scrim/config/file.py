"""The settings file: read with a limit, parsed, and handed over whole."""

import tomllib
from pathlib import Path
from typing import Any

from scrim.config.document import Settings, from_document
from scrim.errors import ConfigError, Problem

MAX_SETTINGS_BYTES = 256 * 1024
"""A settings file or patch larger than this is refused before it is parsed."""


def load(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or has wrong settings; lists every problem.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SETTINGS_BYTES + 1)
    except OSError as error:
        problem = Problem(str(path), "file", error.strerror or str(error), "a readable TOML file")
        raise ConfigError([problem], str(path)) from None
    if len(data) > MAX_SETTINGS_BYTES:
        problem = Problem(str(path), "file", "is too large", f"at most {MAX_SETTINGS_BYTES} bytes")
        raise ConfigError([problem], str(path))
    return from_document(_parse_toml(data, path), where=str(path))


def _parse_toml(data: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            [Problem(str(path), "file", f"is no TOML: {error}", "TOML 1.0 in UTF-8")], str(path)
        ) from None

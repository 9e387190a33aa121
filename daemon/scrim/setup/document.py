"""The settings file with other values in it: comments, order and everything else stay."""

import tomllib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from scrim.config import Settings, from_document
from scrim.errors import ConfigError, SetupError


def edited(text: str, before: Settings, after: Settings) -> str:
    """``text`` with every value that differs.

    Args:
        text: TOML that means ``before``.
        before: what the file says, with the defaults of what it does not say.
        after: what it shall say.

    Raises:
        SetupError: the outcome would not mean ``after``.
    """
    import tomlkit

    document = tomlkit.parse(text)
    for section, key, value in _differences(before, after):
        if not section:
            document[key] = value
            continue
        if section not in document:
            document[section] = tomlkit.table()
        document[section][key] = value
    outcome = tomlkit.dumps(document)
    try:
        is_right = from_document(tomllib.loads(outcome)) == after
    except (ConfigError, ValueError):
        is_right = False
    if not is_right:
        raise SetupError(
            "setup: the settings file is written in a way in which it cannot be edited; "
            'nothing was changed. "scrim show-config" prints it in the usual form'
        )
    return outcome


def _differences(before: Settings, after: Settings) -> Iterator[tuple[str, str, Any]]:
    """Section, key and TOML value; the section is empty for keys that stand in none."""
    for name in type(after).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(new, BaseModel):
            for key in type(new).model_fields:
                if getattr(old, key) != getattr(new, key):
                    yield name, key, _plain(getattr(new, key))
        elif old != new:
            yield "", name, _plain(new)


def _plain(value: Any) -> Any:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        import tomlkit

        table = tomlkit.inline_table()
        table.update(value)
        return table
    return value

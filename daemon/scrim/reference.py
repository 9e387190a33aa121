"""Settings written out as TOML, every key with its meaning: what config/scrim.toml is made from."""

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from scrim.config import Settings

_HEAD = """\
# The settings of scrim, each with its default. A key that is left out keeps its default.
# "scrim check-config FILE" says what is wrong with a file, all of it at once.
"""


def as_toml(settings: Settings) -> str:
    """Every key with its value in ``settings``; an unset key is empty."""
    parts = [_HEAD]
    sections: list[str] = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            sections.append(_section(name, value))
        else:
            parts.append(_entry(name, value, field))
    return "\n".join([*parts, *sections])


def _section(name: str, section: BaseModel) -> str:
    lines = [_comment(section.__doc__ or ""), f"[{name}]"]
    lines += [_entry(key, getattr(section, key), field) for key, field in type(section).model_fields.items()]
    return "\n".join(lines)


def _entry(key: str, value: object, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    allowed = str(extra["allowed"]) if isinstance(extra, dict) else ""
    return f"{_comment(f'{field.description} ({allowed})')}\n{key} = {literal(value)}\n"


def _comment(text: str) -> str:
    return textwrap.fill(text, 110, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def literal(value: Any) -> str:  # noqa: ANN401
    """A value as TOML; None is an empty text."""
    if value is None:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON's escapes are TOML's too, but TOML wants one for DEL as well.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{key} = {literal(inner)}" for key, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)

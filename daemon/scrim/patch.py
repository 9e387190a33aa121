"""Patches of the settings document: their spelling, their shorthands, and how they are merged."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from scrim.errors import ConfigError, Problem
from scrim.wording import show

_SHORTHANDS = {
    "strength": ("background_blur", "strength"),
    "color": ("background_replacement", "default_color"),
    "image": ("background_replacement", "background_image_url"),
    "fit": ("background_replacement", "fit"),
}

_EFFECT_SECTIONS = ("background_blur", "background_replacement")

_EFFECTS = ("off", "blur", "image", "color")

_MOST_PARTS = 6
"""No key lies deeper; more would only be an attempt to exhaust the stack."""

_CAMEL_ALIASES = {"reporting_period_millis": "reporting_period_ms"}


def expand(patch: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """A patch in the document's own words: snake_case, shorthands resolved, one kind of replacement.

    Returns:
        The changes, and what is wrong with the patch's own words: an ``effect`` that is none of off, blur,
        image and color, or a key that is given twice, in two spellings.
    """
    problems: list[Problem] = []
    document: dict[str, Any] = {}
    short: dict[str, Any] = {}
    for key, value in _snake_case(patch, problems).items():
        (short if key in _SHORTHANDS or key == "effect" else document)[key] = value
    for key, value in short.items():
        document = _overlaid(document, _expand_shorthand(key, value, problems))
    return _one_replacement(document), problems


def switches_effect(patch: Mapping[str, Any]) -> bool:
    """Whether a patch that is right says anything about which effect is on."""
    changes, _ = expand(patch)
    return any("is_enabled" in (changes.get(section) or {}) for section in _EFFECT_SECTIONS)


def combine(patches: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One patch out of several, so that they are checked together; the later value of a key wins."""
    combined: dict[str, Any] = {}
    for patch in patches:
        combined = _overlaid(combined, _snake_case(patch, []))
    return combined


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``base`` with ``changes`` in it, section by section; None takes a key out."""
    return _without_none(_overlaid(base, changes))


def parse_assignment(text: str, option: str = "--set") -> dict[str, Any]:
    """Turn ``key.part=value`` into a patch; the value is TOML, or else taken as text.

    Args:
        text: the assignment.
        option: of the command line that it was given to.

    Raises:
        ConfigError: there is no ``=``, no key, or more than six parts of one.
    """
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts) or len(parts) > _MOST_PARTS:
        raise ConfigError([Problem(option, text, "is no assignment", "KEY=VALUE")], "command line")
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        parsed = value.strip()
    for part in reversed(parts):
        parsed = {part: parsed}
    return dict(parsed)


def snake_case(key: str) -> str:
    """A key in the document's spelling, such as ``is_enabled`` for ``isEnabled``."""
    words = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", key).lower()
    return _CAMEL_ALIASES.get(words, words)


def _expand_shorthand(key: str, value: Any, problems: list[Problem]) -> dict[str, Any]:  # noqa: ANN401
    if key != "effect":
        section, inner = _SHORTHANDS[key]
        return {section: {inner: value}}
    if value not in _EFFECTS:
        problems.append(Problem("effect", show(value), "is not an effect", ", ".join(_EFFECTS)))
        return {}
    replacement: dict[str, Any] = {"is_enabled": value in ("image", "color")}
    if value == "color":
        replacement["background_image_url"] = None
    return {"background_blur": {"is_enabled": value == "blur"}, "background_replacement": replacement}


def _one_replacement(document: dict[str, Any]) -> dict[str, Any]:
    """Naming an image drops the colour, naming a colour drops the image; naming both stays an error."""
    replacement = document.get("background_replacement")
    if not isinstance(replacement, Mapping):
        return document
    image, color = (replacement.get(key) for key in ("background_image_url", "default_color"))
    other: dict[str, Any] = {}
    if image and not color:
        other = {"default_color": None}
    elif color and not image:
        other = {"background_image_url": None}
    return {**document, "background_replacement": {**replacement, **other}}


def _snake_case(value: Any, problems: list[Problem]) -> Any:  # noqa: ANN401
    if not isinstance(value, Mapping):
        return value
    renamed: dict[str, Any] = {}
    for given, inner in value.items():
        key = snake_case(str(given))
        if key in renamed:
            problems.append(Problem(key, show(inner), "is given twice, in two spellings", "one of them"))
        renamed[key] = _snake_case(inner, problems)
    return renamed


def _overlaid(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[key] = _overlaid(inner, value)
        else:
            merged[key] = value
    return merged


def _without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in document.items()
        if value is not None
    }

"""The JSON schema of the settings, in the shape that a form is made from."""

from typing import Any

from scrim.config.document import Settings
from scrim.config.reading import FIXED_KEYS, LIVE_KEYS

IS_LIVE = "isLive"
"""Marks a setting that may be changed while scrim runs; every other stands in the settings file alone."""

NEEDS_RESTART = "needsRestart"
"""Marks one of those whose change comes into effect when the core is started again."""


def form_schema() -> dict[str, Any]:
    """``Settings``' JSON schema without references, each setting with ``isLive`` and ``needsRestart``."""
    schema = Settings.model_json_schema()
    definitions = schema.pop("$defs", {})
    resolved: dict[str, Any] = _resolved(schema, definitions)
    for section, value in resolved["properties"].items():
        for key, leaf in value.get("properties", {"": value}).items():
            leaf[IS_LIVE] = section in LIVE_KEYS or f"{section}.{key}" in LIVE_KEYS
            leaf[NEEDS_RESTART] = section == "camera" and key in FIXED_KEYS
    return resolved


def _resolved(value: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_resolved(inner, definitions) for inner in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        # What stands beside a reference counts for more than what it refers to.
        meant = definitions[str(value["$ref"]).removeprefix("#/$defs/")]
        value = {**meant, **{key: inner for key, inner in value.items() if key != "$ref"}}
    return {key: _resolved(inner, definitions) for key, inner in value.items()}

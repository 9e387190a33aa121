"""The schema that the page's form is made from."""

import json
from typing import Any

from scrim.config import Settings, restart_needed
from scrim.config.schema import form_schema
from scrim.errors import ConfigError


def leaves(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for name, section in schema["properties"].items():
        inner = section.get("properties")
        found |= {f"{name}.{key}": leaf for key, leaf in inner.items()} if inner else {name: section}
    return found


def test_it_has_no_reference_left() -> None:
    assert "$ref" not in json.dumps(form_schema())


def test_every_setting_says_what_it_does_and_what_is_allowed() -> None:
    for leaf in leaves(form_schema()).values():
        assert leaf["description"]
        assert leaf["allowed"]


def test_what_is_marked_as_live_is_what_may_be_changed_while_scrim_runs() -> None:
    document = Settings().model_dump(mode="json")
    for key, leaf in leaves(form_schema()).items():
        section, _, name = key.partition(".")
        value = document[section][name] if name else document[section]
        patch = {section: {name: value}} if name else {section: value}
        assert refused(patch) == ([] if leaf["isLive"] else [section]), key


def refused(patch: dict[str, Any]) -> list[str]:
    """The sections of which a patch is refused while scrim runs."""
    try:
        Settings().patched(patch, live=True)
    except ConfigError as error:
        return [problem.key.partition(".")[0] for problem in error.problems]
    return []


def test_what_is_marked_as_waiting_for_a_restart_is_what_the_core_says_waits() -> None:
    other = {"width": 640, "height": 480, "frame_rate": 15, "mirror": True, "rotate": 180}
    wanted = Settings().patched({"camera": other, "model": {"form": "int8"}, "strength": 3}, live=True)
    marked = [key for key, leaf in leaves(form_schema()).items() if leaf["needsRestart"]]
    assert marked == list(restart_needed(Settings(), wanted))

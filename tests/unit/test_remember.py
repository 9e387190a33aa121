"""What was changed at run time, across a restart."""

import json
from pathlib import Path
from typing import Any

from scrim.config import Settings
from scrim.core.changes import InEffect
from scrim.core.remember import Memory
from scrim.statefile import StateFile

TEAL = {"effect": "color", "color": "teal"}


def memory(folder: Path, base: Settings | None = None, assigned: dict[str, Any] | None = None) -> Memory:
    assigned = assigned or {}
    return Memory(StateFile(folder / "state.json"), (base or Settings()).patched(assigned), assigned)


def note(folder: Path, patch: dict[str, Any], revision: int = 7) -> None:
    kept = memory(folder)
    kept.note(InEffect(Settings().patched(patch), revision))
    kept.close()


def test_nothing_is_remembered_at_first(tmp_path: Path):
    assert memory(tmp_path).recall() == InEffect(Settings(), 1)


def test_a_change_survives(tmp_path: Path):
    note(tmp_path, TEAL)
    assert memory(tmp_path).recall() == InEffect(Settings().patched(TEAL), 7)


def test_a_change_that_is_not_to_be_remembered_is_not(tmp_path: Path):
    kept = memory(tmp_path)
    kept.note(InEffect(Settings().patched(TEAL), 2, is_remembered=False))
    kept.close()
    assert memory(tmp_path).recall() == InEffect(Settings(), 1)


def test_file_then_changes_then_command_line(tmp_path: Path):
    note(tmp_path, TEAL | {"strength": "high"})
    base = Settings().patched({"strength": "low", "fit": "stretch"})
    found = memory(tmp_path, base, {"effect": "blur"}).recall().settings
    assert (found.effect, found.background_blur.strength) == ("blur", "high")
    assert found.background_replacement.fit == "stretch"
    assert found.background_replacement.default_color == "#008080"


def test_what_does_not_go_with_the_command_line_is_set_aside(tmp_path: Path):
    note(tmp_path, TEAL)
    assigned = {"background_blur": {"is_enabled": True}}
    assert memory(tmp_path, assigned=assigned).recall() == InEffect(Settings(), 1)
    assert (tmp_path / "state.json.bad").exists()


def test_what_is_no_setting_any_more_is_set_aside(tmp_path: Path):
    document = {"revision": 3, "patch": {"background_blur": {"strength": "ultra"}}}
    (tmp_path / "state.json").write_text(json.dumps(document))
    assert memory(tmp_path).recall() == InEffect(Settings(), 1)
    assert not (tmp_path / "state.json").exists()


def test_after_a_reset_nothing_is_left_and_the_next_change_is_remembered(tmp_path: Path):
    kept = memory(tmp_path)
    kept.note(InEffect(Settings().patched(TEAL), 2))
    kept.forget()
    kept.note(InEffect(Settings(), 3))
    kept.close()
    assert list(tmp_path.iterdir()) == []
    kept.note(InEffect(Settings().patched(TEAL), 4))
    kept.close()
    assert memory(tmp_path).recall().revision == 4


def test_the_longest_data_url_is_remembered(tmp_path: Path):
    image = "data:image/png;base64," + "A" * 190_000
    kept = memory(tmp_path)
    kept.note(InEffect(Settings().patched({"effect": "image", "image": image}), 2))
    kept.close()
    assert memory(tmp_path).recall().settings.background_replacement.background_image_url == image

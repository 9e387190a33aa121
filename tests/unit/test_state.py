"""What is remembered: whole or not at all, and never a reason not to start."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrim.config import Settings, from_document
from scrim.core.segment.loading import timings_file
from scrim.core.state import (
    remembered_settings,
    settings_document,
    state_path,
)
from scrim.errors import ConfigError, StateError
from scrim.places import SYSTEM_STATE_FOLDER, state_folder
from scrim.statefile import LEAST_INTERVAL_S, MAX_STATE_BYTES, StateFile

KILLER = Path(__file__).with_name("state_killer.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.json"


@pytest.fixture
def file(path: Path) -> StateFile:
    return StateFile(path)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def test_what_is_saved_is_loaded(file: StateFile, path: Path) -> None:
    assert file.load() is None
    file.save({"revision": 2, "patch": {"ü": [1.5, None]}}, 100.0)
    assert StateFile(path).load() == {"revision": 2, "patch": {"ü": [1.5, None]}}
    assert names(path) == ["state.json"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_at_most_one_write_in_ten_seconds(file: StateFile, path: Path) -> None:
    file.save({"n": 1}, 100.0)
    file.save({"n": 2}, 100.1)
    file.save({"n": 3}, 109.9)
    assert json.loads(path.read_text()) == {"n": 1}
    assert not file.due(100.0 + LEAST_INTERVAL_S - 0.001)
    assert file.due(100.0 + LEAST_INTERVAL_S)
    file.flush()
    assert json.loads(path.read_text()) == {"n": 3}
    assert not file.due(1000.0)
    file.save({"n": 4}, 111.0)
    assert not file.due(119.9), "the ten seconds count from the last write"
    file.flush()
    assert json.loads(path.read_text()) == {"n": 4}, "at the end nothing waits"


def test_nothing_is_written_when_nothing_changed(file: StateFile, path: Path) -> None:
    file.save({"a": 1, "b": 2}, 0.0)
    before = path.stat()
    for at_s in range(20, 200, 20):
        file.save({"b": 2, "a": 1}, float(at_s))
        file.flush()
    file.save({"a": 3}, 200.0)
    file.save({"a": 1, "b": 2}, 200.1)
    file.save({"a": 3}, 200.2)
    assert not file.due(500.0)
    again = StateFile(path)
    again.load()
    again.save({"a": 3}, 0.0)
    assert path.stat().st_ino != before.st_ino
    assert names(path) == ["state.json", "state.json.1"]


def test_a_change_taken_back_is_not_written(file: StateFile, path: Path) -> None:
    file.save({"a": 1}, 0.0)
    inode = path.stat().st_ino
    file.save({"a": 2}, 1.0)
    file.save({"a": 1}, 2.0)
    assert not file.due(100.0)
    file.flush()
    assert path.stat().st_ino == inode


BROKEN = {
    "empty": b"",
    "zeroes": bytes(4096),
    "cut off": b'{"revision": 2, "pat',
    "duplicate key": b'{"a": 1, "a": 2}',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": 1e999}',
    "a list": b"[]",
    "no UTF-8": b'{"a": "\xff"}',
    "deep": b'{"a":' * 500 + b"1" + b"}" * 500,
    "too large": b'{"a": "' + b"x" * MAX_STATE_BYTES + b'"}',
    "many digits": b'{"a": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_the_older_is_used_when_the_newer_is_broken(
    file: StateFile, path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file.save({"n": 1}, 0.0)
    file.save({"n": 2}, 100.0)
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert StateFile(path).load() == {"n": 1}
    assert "set aside as state.json.bad" in caplog.text
    assert path.with_name("state.json.bad").read_bytes() == data
    assert StateFile(path).load() == {"n": 1}, "and again"


def test_both_broken_is_no_state(file: StateFile, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"{")
    path.with_name("state.json.1").write_bytes(b"}")
    assert file.load() is None
    assert names(path) == ["state.json.1.bad", "state.json.bad"]
    file.save({"n": 1}, 0.0)
    assert StateFile(path).load() == {"n": 1}


def test_a_document_that_is_refused_counts_as_broken(file: StateFile, path: Path) -> None:
    file.save({"n": 1}, 0.0)
    file.save({"n": 2}, 100.0)

    def check(document: dict[str, Any]) -> None:
        if document["n"] == 2:
            raise StateError("two is not allowed")

    assert StateFile(path).load(check) == {"n": 1}


def test_setting_aside_afterwards(file: StateFile, path: Path) -> None:
    file.set_aside("there is nothing yet")
    file.save({"n": 1}, 0.0)
    file.save({"n": 2}, 100.0)
    again = StateFile(path)
    again.load()
    again.set_aside("its image is gone")
    assert again.load() == {"n": 1}
    again.set_aside("its image is gone too")
    assert again.load() is None


def test_leftovers_of_the_killed_are_swept(file: StateFile, path: Path) -> None:
    path.parent.mkdir()
    path.with_name(".state.json.x8s7").write_bytes(b"{")
    path.with_name("others").touch()
    assert file.load() is None
    assert names(path) == ["others"]


@pytest.mark.parametrize("kind", ["below a file", "a folder in its place"])
def test_a_place_that_cannot_be_written_is_logged_once(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    if kind == "below a file":
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "scrim" / "state.json"
    else:
        path = tmp_path / "state.json"
        for name in ("state.json/x", "state.json.1/x"):
            (tmp_path / name).mkdir(parents=True)
    file = StateFile(path)
    assert file.load() is None
    caplog.clear()
    for at_s in range(0, 100, 5):
        file.save({"n": at_s}, float(at_s))
        file.flush()
    (record,) = caplog.records
    assert "is not remembered" in record.message
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def test_a_place_that_can_be_written_later_is(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    file = StateFile(blocker / "state.json")
    file.save({"n": 1}, 0.0)
    blocker.unlink()
    assert not file.due(5.0), "not tried more often than it would be written"
    assert file.due(10.0)
    file.flush()
    assert StateFile(file.path).load() == {"n": 1}


@pytest.mark.parametrize("document", [{"a": float("nan")}, {"a": "x" * MAX_STATE_BYTES}])
def test_what_could_not_be_loaded_is_not_saved(file: StateFile, document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        file.save(document, 0.0)


def test_dropping_leaves_nothing(file: StateFile, path: Path) -> None:
    assert not file.drop()
    file.save({"n": 1}, 0.0)
    file.save({"n": 2}, 100.0)
    file.save({"n": 3}, 101.0)
    path.with_name("state.json.bad").touch()
    path.with_name(".state.json.left").touch()
    assert file.drop()
    assert names(path) == []
    assert not file.due(1000.0)
    assert file.load() is None


def test_what_cannot_be_dropped_is_an_error(file: StateFile, path: Path) -> None:
    (path / "x").mkdir(parents=True)
    with pytest.raises(StateError, match="cannot be removed"):
        file.drop()


@given(newer=st.binary(max_size=200), older=st.none() | st.binary(max_size=200))
def test_whatever_lies_there_loading_never_fails(
    tmp_path_factory: pytest.TempPathFactory, newer: bytes, older: bytes | None
) -> None:
    path = tmp_path_factory.mktemp("state") / "state.json"
    path.write_bytes(newer)
    if older is not None:
        path.with_name("state.json.1").write_bytes(older)
    found = StateFile(path).load()
    assert found is None or isinstance(found, dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40)
@given(
    steps=st.lists(
        st.tuples(st.dictionaries(st.text(), json_values, max_size=2), st.floats(0, 15)),
        min_size=1,
        max_size=6,
    )
)
def test_the_last_saved_is_the_one_loaded(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[dict[str, Any], float]]
) -> None:
    path = tmp_path_factory.mktemp("state") / "state.json"
    file, now_s = StateFile(path), 0.0
    for document, pause_s in steps:
        now_s += pause_s
        file.save(document, now_s)
    file.flush()
    assert StateFile(path).load() == steps[-1][0]


def test_killed_while_saving_the_old_or_the_new_is_there(tmp_path: Path) -> None:
    cycles = 200
    seed = int.from_bytes(os.urandom(4))
    command = [sys.executable, str(KILLER), str(tmp_path), str(cycles), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    result = json.loads(done.stdout)
    assert (result["broken"], result["bad"]) == (0, 0), f"seed {seed}"
    assert result["halves"] > cycles / 10, "the kills are to hit the middle of a write"
    assert result["advanced"] > cycles / 10, "and some writes are to be finished"


colors = st.sampled_from([None, "#336699", "#ffffff"])
images = st.sampled_from([None, "file:/var/lib/scrim/backgrounds/a.png"])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    effect, color, image = draw(st.sampled_from(["off", "blur", "replacement"])), draw(colors), draw(images)
    return {
        "background_blur": {
            "is_enabled": effect == "blur",
            "strength": draw(st.sampled_from(["low", "medium", 7.0, 33.5])),
        },
        "background_replacement": {
            "is_enabled": effect == "replacement",
            "default_color": None if image else color,
            "background_image_url": image,
            "fit": draw(st.sampled_from(["cover", "contain"])),
        },
        "matte": {"refine": draw(st.booleans()), "smooth": draw(st.booleans())},
    }


@given(documents(), documents(), st.integers(1, 1000))
def test_settings_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, local: Any, changed: Any, revision: int
) -> None:
    base, wanted = from_document(local), from_document(changed)
    path = tmp_path_factory.mktemp("state") / "state.json"
    document = settings_document(base, wanted, revision)
    assert bool(document["patch"]) == (base != wanted)
    StateFile(path).save(document, 0.0)
    assert remembered_settings(StateFile(path), base) == (wanted, revision)


USELESS = {
    "raw pictures": {"revision": 2, "patch": {"privacy": {"allow_raw": True}}},
    "a device": {"revision": 2, "patch": {"camera": {"source": "v4l2:/dev/video9"}}},
    "an unknown key": {"revision": 2, "patch": {"matte": {"shine": True}}},
    "no patch": {"revision": 2},
    "no revision": {"patch": {}},
    "a strange revision": {"revision": True, "patch": {}},
    "revision 0": {"revision": 0, "patch": {}},
}


@pytest.mark.parametrize("document", USELESS.values(), ids=USELESS)
def test_state_that_cannot_be_used_is_set_aside(
    path: Path, document: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps(document))
    assert remembered_settings(StateFile(path), Settings()) is None
    assert names(path) == ["state.json.bad"]
    assert "state.json" in caplog.text


def test_a_local_file_changed_meanwhile_may_make_it_useless(path: Path) -> None:
    base = from_document({"background_blur": {"is_enabled": False}})
    with_color = base.patched({"effect": "color", "color": "red"})
    StateFile(path).save(settings_document(base, with_color, 5), 0.0)
    assert remembered_settings(StateFile(path), base) == (with_color, 5)
    with pytest.raises(ConfigError):
        Settings().patched({"background_replacement": {"is_enabled": True}})
    assert remembered_settings(StateFile(path), Settings()) is None


def test_where_state_lies(tmp_path: Path) -> None:
    environment = {
        "STATE_DIRECTORY": "/var/lib/scrim:/x",
        "XDG_STATE_HOME": "/home/u/state",
        "HOME": "/home/u",
    }
    assert state_path(environment) == Path("/var/lib/scrim/state.json")
    assert timings_file(environment) == Path("/var/lib/scrim/model-timings.json")
    environment["STATE_DIRECTORY"] = "relative"
    assert state_folder(environment) == Path("/home/u/state/scrim")
    environment["XDG_STATE_HOME"] = "relative"
    assert state_folder(environment) == Path("/home/u/.local/state/scrim")
    assert state_folder({}) in (Path.home() / ".local/state/scrim", SYSTEM_STATE_FOLDER)

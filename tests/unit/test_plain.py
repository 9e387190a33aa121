"""Settings as values alone: they read as the checked ones, and a change of them is checked all the same."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scrim.config import Settings
from scrim.config.plain import Patched, plain
from scrim.config.reading import wish_of
from scrim.core.checking import check_aside
from scrim.errors import ConfigError

PATCHES: tuple[dict[str, Any], ...] = (
    {"effect": "color", "color": "teal"},
    {"strength": 12},
    {"camera": {"mirror": True, "width": None}},
    {"camera": {"is_enabled": False}},
    {"camera": {"is_enabled": True}},
    {"person": {"persons": "largest"}, "processing_budget_per_frame": 40},
)


def checked() -> Settings:
    return Settings().patched(
        {
            "images": {"allow_hosts": ["nas.lan"]},
            "image": "https://user:secret@nas.lan/a.jpg?token=1",
            "sinks": ["file:/x.mkv"],
            "keep": {"regions": [[0, 0, 0.5, 0.5]]},
            "camera": {"controls": {"gain": 20}},
        }
    )


def as_plain(settings: Settings) -> Settings:
    return plain(settings.model_dump(mode="json"))


def test_they_read_as_the_checked_ones():
    settings = checked()
    same = as_plain(settings)
    assert same.effect == settings.effect
    assert same.without_secrets() == settings.without_secrets()
    assert same.model_dump(mode="json") == settings.model_dump(mode="json")
    assert wish_of(same.gadget) == settings.gadget.wish
    assert same.model.model_copy(update={"name": "x"}).name == "x"
    assert same == as_plain(settings)
    assert same != as_plain(Settings())


@pytest.mark.parametrize("patch", PATCHES, ids=str)
@pytest.mark.parametrize("live", [False, True])
def test_a_patch_makes_of_them_what_it_makes_of_the_checked_ones(patch: dict[str, Any], live: bool):
    settings = checked()
    assert as_plain(settings).patched(patch, live=live) == as_plain(settings.patched(patch, live=live))


def test_what_is_wrong_is_told_in_the_same_words():
    for patch in ({"strength": 0}, {"effekt": "blur"}, {"sinks": []}, {"camera": {"is_enabled": 0}}):
        told = []
        for settings in (checked(), as_plain(checked())):
            with pytest.raises(ConfigError) as caught:
                settings.patched(patch, live=True)
            told.append(str(caught.value))
        assert told[0] == told[1]


def test_a_patch_that_was_checked_before_is_not_checked_again():
    settings, asked = Settings(), {"strength": 30}
    wanted = settings.patched(asked, live=True).model_dump(mode="json")
    known = Patched(asked, True, wanted, (Patched({"effect": "off"}, False, wanted),))
    given = plain(settings.model_dump(mode="json"), [known])
    found = given.patched(asked, live=True)
    assert found == plain(wanted)
    assert found.patched({"effect": "off"}) == plain(wanted), "what was found for this patch after that one"
    assert given.patched({"effect": "off"}).effect == "off"


def test_a_dump_can_be_written_to():
    settings = as_plain(checked())
    settings.model_dump()["camera"]["controls"]["gain"] = 0
    assert settings.camera.controls["gain"] == 20


CHECK = """
import json, sys
from scrim.core.checking import check_aside
from scrim.errors import ScrimError

def read():
    from scrim.config import Settings
    return Settings().patched({"effect": "color", "color": "teal"})

wait = check_aside(read, {"strength": 7})
settings = wait()
remembered = settings.patched({"strength": 30}, live=True).patched({"strength": 7})
print(settings.effect, remembered.background_blur.strength, "pydantic" in sys.modules)
"""


def python(code: str, state: Path) -> str:
    environment = {"STATE_DIRECTORY": str(state), "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _path() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}


def test_the_process_that_goes_on_never_loads_the_library_that_checks(tmp_path: Path):
    (tmp_path / "state.json").write_text(json.dumps({"revision": 3, "patch": {"strength": 30}}))
    assert python(CHECK, tmp_path) == "color 7.0 False\n"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"patch": 3}', '{"patch": {"strength": 0}}'])
def test_a_broken_state_is_left_to_who_reads_it(content: str, tmp_path: Path):
    (tmp_path / "state.json").write_text(content)
    assert python(CHECK, tmp_path) == "color 7.0 True\n", "it is looked at again, and told of, by the core"


@pytest.mark.parametrize(
    ("settings", "words", "status"),
    [
        (lambda: Settings().patched({"strength": 0}), "background_blur.strength", 78),
        (lambda: 1 / 0, "could not be checked", 1),
    ],
    ids=["wrong", "broken"],
)
def test_what_the_child_finds_wrong_is_raised_here(
    settings: Callable[[], Settings], words: str, status: int, capfd: pytest.CaptureFixture[str]
):
    with pytest.raises(Exception, match=words) as caught:
        check_aside(settings, {})()
    assert getattr(caught.value, "exit_status", None) == status
    capfd.readouterr()

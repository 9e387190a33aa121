"""The manual pages: whole, and clean to those who print them. That they are up to date is in test_config."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from scrim.cli import command_line
from scrim.config import Settings
from scrim.examples import actions_of

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "man").iterdir())
COMMANDS = {
    f"{name} {action}".strip(): parser
    for name, command in actions_of(command_line()).items()
    for action, parser in {"": command, **actions_of(command)}.items()
}


def output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


@cache
def shown(page: Path) -> str:
    """As a terminal without bold letters shows it."""
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not here: apt install mandoc")
    text = output("mandoc", "-T", "ascii", "-O", "width=400", str(page))
    while "\b" in text:
        place = text.index("\b")
        text = text[: place - 1] + text[place + 1 :]
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize(
    "command", [("mandoc", "-T", "lint", "-W", "style"), ("groff", "-ww", "-b", "-mandoc", "-Tutf8", "-z")]
)
def test_printers_have_nothing_to_say(command: tuple[str, ...], page: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here: apt install mandoc groff-base")
    assert output(*command, str(page)) == ""


def test_a_mistake_would_be_told(tmp_path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not here: apt install mandoc")
    page = tmp_path / "wrong.1"
    page.write_text((ROOT / "man" / "scrim.1").read_text().replace(".TP\n", ".XX\n", 1))
    assert "XX" in output("mandoc", "-T", "lint", str(page))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_and_a_part_with_all_its_options(name: str) -> None:
    parser = COMMANDS[name]
    assert f"scrim {name.partition(' ')[0]}" in (parser.epilog or "")
    part = shown(ROOT / "man" / "scrim.1").partition(f"\n   scrim {name}\n")[2].partition("\n   scrim ")[0]
    for action in parser._actions:
        for option in set(action.option_strings) - {"-h", "--help"}:
            assert option in part
    examples = [line.strip() for line in (parser.epilog or "").splitlines() if line.startswith("  ")]
    assert examples[0] in part


def test_every_key_has_its_place() -> None:
    text = shown(ROOT / "man" / "scrim.toml.5")
    for section, field in Settings.model_fields.items():
        keys = getattr(field.annotation, "model_fields", None)
        part = text.partition(f"[{section}]\n")[2] if keys else text
        for key in keys or [section]:
            assert f"\n       {key} = " in part

"""The documents of behaviour, events and metrics: what they name is there, and all that is there is named."""

import ast
import re
from functools import cache
from inspect import get_annotations
from pathlib import Path

import pytest

from scrim.core.changes import RESULTS
from scrim.core.events import StateWatch
from scrim.core.health import HealthReader, ProcessReader
from scrim.core.metrics import DeviceFigures, Figures, Metrics
from scrim.local.status import EVENT_NAMES, Counters, DropCounts

ROOT = Path(__file__).parents[2]
BEHAVIOUR = (ROOT / "docs" / "behaviour.md").read_text()
TELEMETRY = (ROOT / "docs" / "events-and-metrics.md").read_text()

STATEMENT = re.compile(r"^(\d+)\. (.+?)(?=^\d+\. |^## |\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
STATEMENTS = {int(number): text for number, text in STATEMENT.findall(BEHAVIOUR)}


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of a file's tests, those in classes as ``Class::test``."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


@pytest.mark.parametrize("number", STATEMENTS)
def test_every_statement_names_tests_that_exist(number: int) -> None:
    named = TEST.findall(STATEMENTS[number])
    assert named, "no test holds this statement"
    missing = [
        f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in names_in(path)
    ]
    assert missing == []


def test_statements_are_numbered_without_a_gap_and_grouped() -> None:
    assert list(STATEMENTS) == list(range(1, len(STATEMENTS) + 1))
    groups = [
        "Privacy",
        "Effects",
        "Live changes",
        "Budget",
        "Events",
        "Metrics",
        "Models",
        "Doctor",
        "USB gadget",
        "Cameras and loopback devices",
        "Operators and fleets",
        "MQTT and Home Assistant",
        "Stream",
        "Page",
        "Set-up and supply",
        "Endurance",
        "Appliance",
    ]
    assert re.findall(r"^## (.+)$", BEHAVIOUR, re.MULTILINE) == groups


def test_nothing_that_looks_like_a_test_is_spelled_otherwise() -> None:
    assert BEHAVIOUR.count("::test_") == sum(len(TEST.findall(text)) for text in STATEMENTS.values())


def rows(heading: str) -> dict[str, str]:
    """First cell of each row of the table below a heading, without its backquotes, to the row."""
    section = TELEMETRY.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for row in re.findall(r"^\| (`.+)$", section, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row.partition(" | ")[0]):
            found[name] = row
    return found


def test_every_event_is_described() -> None:
    assert list(rows("Events")) == list(EVENT_NAMES)


def test_payloads_are_described() -> None:
    events = []
    watch = StateWatch(events.append)
    watch.camera("lost")
    watch.delegate(is_lost=True)
    watch.picture("placeholder")
    watch.level(1, "time")
    assert len(events) == 4
    for event in events:
        assert all(f"`{key}`" in rows("Events")[event.name] for key in event.payload)


def test_every_metric_is_described(tmp_path: Path) -> None:
    metrics = Metrics(HealthReader(tmp_path), ProcessReader(lambda: 0.0, tmp_path), 0)
    figures = Figures(captures=[DeviceFigures("<name>", "live")], sinks=[DeviceFigures("<name>", "open", 1)])
    names = {name.replace("_name_", "_<name>_") for name in metrics.snapshot(figures, 1)}
    assert rows("Metrics").keys() == names


def test_every_counter_is_described() -> None:
    described = rows("Counters")
    for key in get_annotations(Counters):
        assert f"`{key}`" in described[key]
    for reason in get_annotations(DropCounts):
        assert f"`{reason}`" in described["frames_dropped"]
    for result in RESULTS:
        assert f"`{result}`" in described["settings_changes"]
    assert described.keys() == get_annotations(Counters).keys()


def test_the_example_is_python() -> None:
    (example,) = re.findall(r"```python\n(.+?)```", TELEMETRY, re.DOTALL)
    compile(example, "events-and-metrics.md", "exec")

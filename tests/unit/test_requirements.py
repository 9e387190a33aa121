"""The locked packages are those that the project asks for; so is all that tests and scripts import."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LOCKS = ["bookworm", "trixie"]


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def wanted() -> set[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return {name_of(line) for line in [*project["dependencies"], *extras["litert"], *extras["gpio"]]}


def locked(release: str) -> dict[str, str]:
    """Name to everything that stands behind it, up to the next name."""
    text = (PROJECT / f"requirements/{release}.txt").read_text()
    return {
        name_of(entry): entry for entry in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE) if "==" in entry
    }


@pytest.mark.parametrize("release", LOCKS)
def test_everything_is_locked(release):
    assert wanted() <= locked(release).keys(), "run scripts/lock"


@pytest.mark.parametrize("release", LOCKS)
def test_every_package_has_a_hash(release):
    assert all("--hash=sha256:" in entry for entry in locked(release).values())


def test_bookworm_keeps_the_numpy_that_its_picamera2_is_made_for():
    assert "numpy==1." in locked("bookworm")["numpy"]


DEBIAN = {"gi": "python3-gi"}
"""Modules that no wheel has, to the Debian packages that ``scripts/setup --dev`` installs for them."""

ELSEWHERE = {"picamera2": "tests/vm/picamera_probe.py", "atheris": "tests/fuzz/guided.py"}
"""Modules that one file alone imports: inside the virtual machine, and when somebody asks for it."""


def python_files() -> Iterator[Path]:
    for folder in ("tests", "scripts"):
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.suffix == ".py" or (
                path.is_file() and path.read_bytes()[:40].startswith(b"#!/usr/bin/env python")
            ):
                yield path


def imported_by(path: Path) -> set[str]:
    """First part of the name of every module that a file imports, at its top or further in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def third_party() -> dict[str, str]:
    """Each module that is neither Python's nor ours, to a file that imports it."""
    ours = {path.name for path in (PROJECT / "scripts").iterdir()} | {"scrim", "tests"}
    return {
        module: str(path.relative_to(PROJECT))
        for path in python_files()
        for module in imported_by(path) - sys.stdlib_module_names - ours
    }


def installed_for(requirements: set[str]) -> set[str]:
    """These packages and all that they require in turn."""
    found: set[str] = set()
    queue = list(requirements)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            lines = metadata.requires(name) or []
            queue += [
                name_of(line) for line in lines if not re.search(r"extra\b", line) and has(name_of(line))
            ]
    return found


def has(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def test_a_clean_machine_has_what_tests_and_scripts_import():
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = wanted() | {name_of(line) for line in extras["dev"]}
    assert {name for name in asked if not has(name)} == set(), "run scripts/setup --dev"
    known = installed_for(asked)
    packages = metadata.packages_distributions()
    setup = (PROJECT / "scripts" / "setup").read_text()
    missing = {
        module: file
        for module, file in third_party().items()
        if not known & {name_of(name) for name in packages.get(module, [])}
        and DEBIAN.get(module, "nothing") not in setup
        and ELSEWHERE.get(module) != file
    }
    assert missing == {}, "add its package to the extra dev in pyproject.toml"

"""The locked packages are those that the project asks for, for both Debian releases."""

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LOCKS = ["bookworm", "trixie"]


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement)[0].lower().replace("_", "-")


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

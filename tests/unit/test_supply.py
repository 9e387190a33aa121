"""What scrim is made of: bill of materials, licences, audit, and a wheel that anybody can build again."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from supply import audit, licences  # noqa: E402
from supply.locks import RELEASES, lock_file, locked  # noqa: E402
from supply.sbom import bill  # noqa: E402

TABLE = licences.read()
SPOKEN = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages without an expression say instead."""


def document(release: str = "trixie", **environment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bill(release, TABLE, environment))
    return found


@pytest.mark.parametrize("release", RELEASES)
def test_the_sbom_is_valid_by_the_official_schema(release: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    text = bill(release, TABLE, {"SOURCE_DATE_EPOCH": "1700000000"})
    assert validator.validate_str(text) is None
    if release == RELEASES[0]:
        assert validator.validate_str(text.replace('"library"', '"libary"')) is not None


@pytest.mark.parametrize("release", RELEASES)
def test_the_sbom_has_every_locked_package_with_its_hashes(release: str) -> None:
    text = lock_file(release).read_text()
    names = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE)) - {"colorama"}
    assert {one.name for one in locked(text)} == names
    parts = {one["purl"]: one for one in document(release)["components"] if "purl" in one}
    assert len(parts) == len(names)
    for one in locked(text):
        part = parts[f"pkg:pypi/{one.name}@{one.version}"]
        hashes = [entry["content"] for entry in part["externalReferences"][0]["hashes"]]
        assert hashes
        assert all(f"--hash=sha256:{digest}" in text for digest in hashes)
    told = sum(len(part["externalReferences"][0]["hashes"]) for part in parts.values())
    windows = re.search(r"^colorama==.*?(?=^\w)", text, re.MULTILINE | re.DOTALL)
    assert told == text.count("--hash=") - (windows[0].count("--hash=") if windows else 0)


def test_the_sbom_has_every_model_with_licence_and_hash() -> None:
    parts = [part for part in document()["components"] if part["type"] == "machine-learning-model"]
    told = {part["properties"][0]["value"]: part["hashes"][0]["content"] for part in parts}
    there = {f"models/{path.name}": path for path in (ROOT / "models").glob("*.tflite")}
    assert told == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    assert all(part["licenses"] == [{"license": {"id": "Apache-2.0"}}] for part in parts)


def test_the_sbom_is_the_same_whenever_it_is_made() -> None:
    assert bill("trixie", TABLE, {}) == bill("trixie", TABLE, {})
    assert "timestamp" not in document()["metadata"]
    dated = document(SOURCE_DATE_EPOCH="1700000000")
    assert dated["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert dated["serialNumber"] != document()["serialNumber"]


def test_nothing_comes_in_whose_licence_is_not_allowed() -> None:
    assert TABLE.problems() == []
    names = {one.name for release in RELEASES for one in locked(lock_file(release).read_text())}
    assert names == TABLE.packages.keys(), "requirements/licences.toml has too many or too few"
    assert TABLE.inside.keys() <= names
    assert not any("GPL" in identifier for identifier in TABLE.allowed)


@pytest.mark.parametrize(
    ("expression", "is_good"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("EPL-2.0 OR MIT", True),
        ("GPL-3.0-or-later", False),
        ("MIT AND GPL-2.0-only", False),
        ("GPL-2.0-only OR AGPL-3.0-only", False),
        ("", False),
    ],
)
def test_a_licence_is_judged_by_all_that_has_to_be_kept_to(expression: str, is_good: bool) -> None:
    assert licences.is_allowed(expression, TABLE.allowed) is is_good


def installed() -> list[str]:
    return [name for name in TABLE.packages if name != "setuptools" and _version(name)]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def test_the_table_says_what_packages_say_of_themselves() -> None:
    wrong = {}
    for name in installed():
        about = metadata.metadata(name)
        spoken = about.get("License-Expression") or about.get("License")
        if not spoken or len(spoken) > 80:
            found = [line for line in about.get_all("Classifier", []) if line.startswith("License ::")]
            spoken = found[0].rpartition(":: ")[2] if found else ""
        if SPOKEN.get(spoken, spoken) != TABLE.packages[name]:
            wrong[name] = spoken
    assert wrong == {}, "requirements/licences.toml"
    assert len(installed()) > 20


def test_the_video_library_inside_opencv_is_not_the_gpl_one() -> None:
    spec = find_spec("cv2")
    assert spec is not None
    assert spec.origin is not None
    libraries = sorted(Path(spec.origin).parents[1].glob("opencv_python_headless.libs/libavcodec*"))
    if not libraries:
        pytest.skip("this OpenCV has no FFmpeg inside")
    data = libraries[0].read_bytes()
    assert b"libavcodec license: LGPL version 2.1 or later" in data
    assert b"--enable-gpl" not in data
    assert b"--enable-nonfree" not in data


REPORT = {
    "dependencies": [
        {
            "name": "aiohttp",
            "version": "3.9.1",
            "vulns": [{"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": ["3.9.2"], "description": ""}],
        },
        {"name": "idna", "version": "3.20", "vulns": []},
    ]
}
TODAY = date(2026, 11, 21)
EXPLAINED = audit.Finding("GHSA-1", "aiohttp", TODAY + timedelta(days=9), "scrim serves no static files")


def test_a_vulnerability_is_a_problem_until_it_is_explained() -> None:
    verdict = audit.judge([REPORT], [], TODAY)
    assert verdict.status == 1
    assert verdict.problems == ("aiohttp 3.9.1: PYSEC-1: not explained; 3.9.2 mends it: scripts/lock",)
    explained = audit.judge([REPORT, REPORT], [EXPLAINED], TODAY)
    assert (explained.status, explained.looked_at) == (0, 4)
    assert explained.explained == ("aiohttp 3.9.1: PYSEC-1: scrim serves no static files",)


def test_an_explanation_ends_with_its_day_and_with_the_vulnerability() -> None:
    late = audit.judge([REPORT], [EXPLAINED], TODAY + timedelta(days=9))
    assert late.status == 1
    assert "looked at again" in late.problems[0]
    mended = audit.judge([{"dependencies": REPORT["dependencies"][1:]}], [EXPLAINED], TODAY)
    assert mended.problems == ("aiohttp: GHSA-1: not found any more; take it out",)
    assert audit.judge([REPORT], [audit.Finding("GHSA-1", "idna", EXPLAINED.until, "")], TODAY).status == 1


def test_what_could_not_be_asked_is_never_clean() -> None:
    skipped = {"name": "x", "skip_reason": "Dependency not found on PyPI and could not be audited: x (1.0)"}
    verdict = audit.judge([{"dependencies": [skipped]}], [], TODAY)
    assert (verdict.status, verdict.unasked, verdict.problems) == (audit.NOT_ASKED, ("x (1.0)",), ())
    assert audit.judge([{"dependencies": []}], [], TODAY).status == audit.NOT_ASKED
    assert audit.judge([{"dependencies": [skipped]}], [EXPLAINED], TODAY).problems == ()


def test_the_shipped_explanations_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "requirements" / "findings.toml").read_text()
    assert all(one.why and one.id for one in audit.findings(text))
    example = re.sub(r"^# ?", "", text[text.index("# [[finding]]") :], flags=re.MULTILINE)
    assert audit.findings(example)[0].until == date(2027, 6, 30)


def copied(folder: Path) -> None:
    """All of the project that a wheel is made of, without what was built here before."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info", "build")
    for name in ("daemon", "models", "config", "man"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copyfile(ROOT / name, folder / name)


def test_a_wheel_built_again_elsewhere_is_the_same_byte_by_byte(tmp_path: Path) -> None:
    digests = []
    for folder in (tmp_path / "one", tmp_path / "another and deeper" / "two"):
        copied(folder)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        command += [
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--wheel-dir",
            str(folder / "out"),
            str(folder),
        ]
        environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        (wheel,) = (folder / "out").iterdir()
        digests.append((wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest()))
    assert digests[0] == digests[1]

"""The smaller commands, and what they all have in common."""

import json
from pathlib import Path

from scrim.config import Settings
from scrim.reference import as_toml

HEALTHY = (
    *("--set", "camera.source=test:", "--set", "camera.width=128", "--set", "camera.height=96"),
    *("--set", "model.name=person-192x112", "--set", "model.form=float16"),
)


def test_no_command_a_wrong_one_and_help(scrim):
    for arguments, status in (
        ((), 2),
        (("fly",), 2),
        (("--help",), 0),
        (("run", "--help"), 0),
        (("--version",), 0),
    ):
        result = scrim(*arguments)
        assert result.returncode == status
        assert "Traceback" not in result.stderr


def test_doctor_for_people_and_for_programs(scrim):
    people, programs = scrim("doctor", *HEALTHY), scrim("doctor", *HEALTHY, "--json")
    found = json.loads(programs.stdout)
    assert {"name", "is_good", "found", "mend"} == set(found[0])
    assert programs.returncode == (0 if all(one["is_good"] for one in found) else 1)
    # A machine that is busy may have time for one of them and not for the other.
    assert people.returncode == (1 if "FAIL" in people.stdout else 0)
    for one in found:
        assert one["name"] in people.stdout


def test_doctor_fails_with_a_mend(scrim):
    broken = ("--set", "camera.source=v4l2:/dev/video99", "--set", "model.name=nobody")
    result = scrim("doctor", *HEALTHY, *broken)
    assert result.returncode == 1
    assert result.stdout.count("FAIL") >= 2
    assert result.stdout.count("mend: ") == result.stdout.count("FAIL")
    assert "Traceback" not in result.stderr
    programs = scrim("doctor", *HEALTHY, *broken, "--json")
    assert programs.returncode == 1
    assert all(one["mend"] for one in json.loads(programs.stdout) if not one["is_good"])


def test_settings_are_shown_as_toml_as_json_and_as_a_schema(scrim):
    assert scrim("show-config").stdout == as_toml(Settings())
    shown = json.loads(scrim("show-config", "--json", "--set", "effect=color", "--set", "color=teal").stdout)
    assert shown["background_replacement"]["default_color"] == "#008080"
    assert "background_blur" in json.loads(scrim("show-config", "--schema").stdout)["properties"]


def test_shown_settings_are_good_settings(scrim, tmp_path: Path):
    path = tmp_path / "shown.toml"
    path.write_text(scrim("show-config", "--set", 'camera.source=file:/a "b"\\c.mp4').stdout)
    result = scrim("check-config", path)
    assert (result.returncode, result.stdout) == (0, f"scrim: {path} is good\n")
    assert scrim("show-config", "--config", path).stdout == path.read_text()


def test_settings_come_from_the_file_the_environment_names(scrim, tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text("[web]\nport = 9\n")
    assert "port = 9\n" in scrim("show-config", SCRIM_CONFIG=str(path)).stdout
    assert "port = 7\n" in scrim("show-config", "--set", "web.port=7", SCRIM_CONFIG=str(path)).stdout


def test_a_missing_settings_file_is_an_error_of_settings(scrim, tmp_path: Path):
    for arguments in (
        ("show-config", "--config"),
        ("check-config",),
        ("run", "--config"),
        ("doctor", "--config"),
    ):
        result = scrim(*arguments, tmp_path / "none.toml")
        assert result.returncode == 78
        assert "none.toml" in result.stderr
        assert "Traceback" not in result.stderr

"""Passwords come out of files that nobody else can read, and never into a text."""

import os
from pathlib import Path

import pytest

from scrim.errors import ConfigError
from scrim.password import MAX_PASSWORD_BYTES, find_password, read_password

KEY = "mqtt.password_file"
SECRET = "correct horse battery staple"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return path


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_password(path, KEY)
    (problem,) = caught.value.problems
    assert problem.key == KEY
    assert problem.value == str(path)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_line_is_the_password(file: Path, end: str) -> None:
    file.write_bytes(f"{SECRET}{end}".encode())
    assert read_password(file, KEY) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert f"{mode:04o}" in refused(file)
    assert "chmod 600" in refused(file)


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", f"{SECRET}\n{SECRET}\n".encode(), b"\xff\xfe", b"a\x00b", b"x" * (MAX_PASSWORD_BYTES + 1)],
)
def test_what_is_no_password_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    refused(file)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none")
    assert "directory" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "plain file" in refused(tmp_path / "pipe")


def test_systemd_s_credential_is_found_by_its_name(tmp_path: Path) -> None:
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_password(None, "mqtt-password", KEY, environment) is None
    credential = tmp_path / "mqtt-password"
    credential.write_text(SECRET)
    credential.chmod(0o440)  # as an access list makes it look
    assert find_password(None, "mqtt-password", KEY, environment) == SECRET
    assert find_password(credential, "mqtt-password", KEY, environment) == SECRET


def test_what_the_settings_name_comes_first(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mqtt-password").write_text("another")
    assert find_password(file, "mqtt-password", KEY, {"CREDENTIALS_DIRECTORY": str(folder)}) == SECRET


def test_nothing_named_is_no_password() -> None:
    assert find_password(None, "mqtt-password", KEY, {}) is None

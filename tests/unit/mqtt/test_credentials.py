"""Passwords and certificates: from where they are taken, and what is refused at start."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from scrim.config import MqttSettings, Settings
from scrim.errors import ConfigError
from scrim.gateway.mqtt.credentials import check, password, tls_context


def settings(**mqtt: Any) -> MqttSettings:
    return (
        Settings()
        .patched(
            {"mqtt": {key: str(value) if isinstance(value, Path) else value for key, value in mqtt.items()}}
        )
        .mqtt
    )


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("from the file\n")
    path.chmod(0o600)
    return path


def problems(mqtt: MqttSettings, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check(mqtt, environment or {})
    assert all(problem.allowed for problem in caught.value.problems)
    assert "from the" not in str(caught.value), "no secret in an error"
    return [problem.key for problem in caught.value.problems]


def test_from_where_a_password_comes(secret: Path, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mqtt-password").write_text("from systemd")
    given = {"CREDENTIALS_DIRECTORY": str(folder), "SCRIM_MQTT_PASSWORD": "from the environment"}
    assert password(settings(password_file=secret), given) == "from the file"
    assert password(settings(), given) == "from systemd"
    assert password(settings(), {"SCRIM_MQTT_PASSWORD": "from the environment"}) == "from the environment"
    assert password(settings(), {}) is None


def test_a_password_that_others_may_read_is_refused(secret: Path) -> None:
    for mode in (0o640, 0o604, 0o660):
        secret.chmod(mode)
        assert problems(settings(password_file=secret)) == ["mqtt.password_file"]


def test_a_password_file_that_is_not_there(tmp_path: Path) -> None:
    assert problems(settings(password_file=tmp_path / "missing")) == ["mqtt.password_file"]


def test_without_tls_nothing_of_it_may_stand_there(tmp_path: Path) -> None:
    assert problems(settings(ca_file="/a", cert_file="/b", tls_insecure=True)) == [
        "mqtt.ca_file",
        "mqtt.cert_file",
        "mqtt.tls_insecure",
    ]
    assert problems(settings(tls=True, key_file="/c")) == ["mqtt.key_file"]


def test_files_that_are_no_certificates_are_all_told(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    secret.chmod(0o644)
    wrong = settings(tls=True, ca_file=tmp_path / "ca.pem", password_file=secret)
    assert problems(wrong) == ["mqtt.password_file", "mqtt.ca_file"]
    assert problems(settings(tls=True, ca_file=tmp_path / "missing.pem")) == ["mqtt.ca_file"]
    assert problems(settings(tls=True, cert_file=tmp_path / "ca.pem")) == ["mqtt.cert_file"]


def test_tls_looks_who_the_broker_is_unless_it_is_told_not_to() -> None:
    context = tls_context(settings(tls=True))
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    insecure = tls_context(settings(tls=True, tls_insecure=True))
    assert insecure is not None
    assert insecure.verify_mode is ssl.CERT_NONE
    assert tls_context(settings()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": "a/b"},
        {"prefix": "#"},
        {"prefix": ""},
        {"discovery_prefix": "a/+/b"},
        {"telemetry_interval_s": 1.9},
        {"longest_pause_s": 61},
        {"version": "4"},
        {"discovery": "yes"},
        {"port": 70000},
        {"pasword_file": "/x"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        settings(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "short"},
        {"id": "with/slash"},
        {"id": "Upper-case"},
        {"id": "x" * 17},
        {"groups": ["Office"]},
        {"groups": ["a/b"]},
        {"groups": ["#"]},
        {"groups": [f"g{number}" for number in range(9)]},
        {"name": "line\nbreak"},
    ],
)
def test_a_device_is_not_called_like_that(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Settings().patched({"device": wrong})

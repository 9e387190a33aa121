"""What proves to the broker who we are, and to us who the broker is."""

import os
import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from scrim.config import MqttSettings
from scrim.errors import ConfigError, Problem
from scrim.problems import show

CREDENTIAL = "mqtt-password"
ENVIRONMENT = "SCRIM_MQTT_PASSWORD"

_MOST_PASSWORD = 4096


def check(mqtt: MqttSettings, environment: Mapping[str, str] = os.environ) -> None:
    """See that everything which is named can be read.

    Raises:
        ConfigError: lists every problem.
    """
    problems = [*_contradictions(mqtt)]
    for read in (lambda: password(mqtt, environment), lambda: tls_context(mqtt)):
        try:
            read()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def password(mqtt: MqttSettings, environment: Mapping[str, str] = os.environ) -> str | None:
    """The password: the systemd credential, the environment's, or the file's; None without any.

    Raises:
        ConfigError: it cannot be read, is no text, or others may read it too.
    """
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder and (Path(folder) / CREDENTIAL).exists():
        return _read_password(Path(folder) / CREDENTIAL)
    if ENVIRONMENT in environment:
        return environment[ENVIRONMENT]
    if mqtt.password_file is None:
        return None
    path = Path(mqtt.password_file)
    _check_private(path)
    return _read_password(path)


def tls_context(mqtt: MqttSettings) -> ssl.SSLContext | None:
    """How to speak TLS; None when it is not to be spoken. Files are read anew: certificates are renewed.

    Raises:
        ConfigError: a file cannot be read, or is not what it should be.
    """
    if not mqtt.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=mqtt.ca_file)
    except (OSError, ValueError) as error:
        raise _refused("mqtt.ca_file", mqtt.ca_file, error, "a PEM file with certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if mqtt.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if mqtt.cert_file is not None:
        try:
            # The callback keeps OpenSSL from asking a terminal for the password of an encrypted key.
            context.load_cert_chain(mqtt.cert_file, mqtt.key_file, lambda: "")
        except (OSError, ValueError) as error:
            names = " and ".join(filter(None, (mqtt.cert_file, mqtt.key_file)))
            allowed = "a PEM file with a certificate, and its key without a password"
            raise _refused("mqtt.cert_file", names, error, allowed) from None
    return context


def _contradictions(mqtt: MqttSettings) -> Iterator[Problem]:
    if not mqtt.tls:
        for key in ("ca_file", "cert_file", "tls_insecure"):
            if getattr(mqtt, key):
                yield Problem(
                    f"mqtt.{key}", show(getattr(mqtt, key)), "means nothing without TLS", "mqtt.tls = true"
                )
    if mqtt.key_file and not mqtt.cert_file:
        yield Problem("mqtt.key_file", mqtt.key_file, "is the key of no certificate", "mqtt.cert_file too")


def _check_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _refused("mqtt.password_file", str(path), error, "a file with the password") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"may be read or written by others (mode {stat.S_IMODE(mode):04o})"
        raise ConfigError([Problem("mqtt.password_file", str(path), message, f"chmod 600 {path}")])


def _read_password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_PASSWORD + 1)
    except OSError as error:
        raise _refused("mqtt.password_file", str(path), error, "a file with the password") from None
    text = data.rstrip(b"\r\n")
    if not text or len(data) > _MOST_PASSWORD:
        message = "is empty" if not text else "is too long"
        raise ConfigError([Problem("mqtt.password_file", str(path), message, "one line, at most 4096 bytes")])
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ConfigError([Problem("mqtt.password_file", str(path), "is no text", "UTF-8")]) from None


def _refused(key: str, value: str | None, error: Exception, allowed: str) -> ConfigError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigError([Problem(key, value or "(the system's)", why or type(error).__name__, allowed)])

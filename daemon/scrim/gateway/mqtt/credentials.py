"""What proves to the broker who we are, and to us who the broker is."""

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scrim.errors import ConfigError, Problem
from scrim.password import find_password
from scrim.wording import show

if TYPE_CHECKING:
    from scrim.config import MqttSettings

CREDENTIAL = "mqtt-password"
ENVIRONMENT = "SCRIM_MQTT_PASSWORD"


def check(mqtt: "MqttSettings", environment: Mapping[str, str] = os.environ) -> None:
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


def password(mqtt: "MqttSettings", environment: Mapping[str, str] = os.environ) -> str | None:
    """The password: the file's, the systemd credential, or the environment's; None without any.

    Raises:
        ConfigError: it cannot be read, is no text, or others may read it too.
    """
    path = None if mqtt.password_file is None else Path(mqtt.password_file)
    return find_password(path, CREDENTIAL, "mqtt.password_file", environment) or environment.get(ENVIRONMENT)


def tls_context(mqtt: "MqttSettings") -> ssl.SSLContext | None:
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


def _contradictions(mqtt: "MqttSettings") -> Iterator[Problem]:
    if not mqtt.tls:
        for key in ("ca_file", "cert_file", "tls_insecure"):
            if getattr(mqtt, key):
                yield Problem(
                    f"mqtt.{key}", show(getattr(mqtt, key)), "means nothing without TLS", "mqtt.tls = true"
                )
    if mqtt.key_file and not mqtt.cert_file:
        yield Problem("mqtt.key_file", mqtt.key_file, "is the key of no certificate", "mqtt.cert_file too")


def _refused(key: str, value: str | None, error: Exception, allowed: str) -> ConfigError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigError([Problem(key, value or "(the system's)", why or type(error).__name__, allowed)])

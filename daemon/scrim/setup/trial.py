"""The broker, tried with settings and a password that are not written yet."""

import tempfile
from pathlib import Path

from scrim.finding import Finding
from scrim.setup.draft import Draft
from scrim.setup.writing import NewFile, write_all


def try_broker(draft: Draft) -> list[Finding]:
    """Connect and send one message that nobody asked for, as ``scrim doctor`` does. Takes 20 s at most.

    Raises:
        ConfigError: a password or certificate cannot be used.
        BrokerError: there is no way to the broker.
    """
    from scrim.gateway.mqtt.doctor import look

    password = draft.passwords.get("mqtt")
    if password is None:
        return list(look(draft.settings))
    with tempfile.TemporaryDirectory(prefix="scrim-setup-") as folder:
        path = Path(folder) / "password"
        write_all([NewFile(path, password.encode() + b"\n", 0o600)])
        return list(look(draft.patched({"mqtt": {"password_file": str(path)}}).settings))

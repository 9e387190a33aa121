"""A core that crashes again and again, as a process: safe mode, what it shows, and how it ends."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from scrim.core.crashes import CRASHES, WINDOW_S
from scrim.errors import EXIT_RESTART, LocalError
from scrim.local import Client

PATIENCE_S = 120.0
TEAL = {"effect": "color", "color": "#008080"}


class Unit:
    """Starts a core as its unit does: with a folder that survives it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.runtime = folder / "run"
        self.runtime.mkdir(mode=0o700)
        self.socket = self.runtime / "core.sock"
        self._log = (folder / "log").open("wb")
        self._environment = environment | {
            "RUNTIME_DIRECTORY": str(self.runtime),
            "STATE_DIRECTORY": str(folder / "state"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = ("camera.source=test:", "camera.width=160", "camera.height=120", "model.form=float16")
        words = [word for setting in settings for word in ("--set", setting)]
        command = [sys.executable, "-m", "scrim", "core", *words]
        self.process = subprocess.Popen(command, env=self._environment, stderr=self._log)

    def crash(self) -> None:
        """Start it, and kill it as soon as it has written down that it began."""
        path = self.runtime / "runs.json"
        keep_young(path)
        before_ns = path.stat().st_mtime_ns if path.exists() else 0
        self.start()
        until(lambda: path.exists() and path.stat().st_mtime_ns > before_ns)
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def status(self) -> dict[str, Any]:
        with Client(self.socket, timeout_s=PATIENCE_S) as client:
            return dict(client.status())

    def is_answering(self) -> bool:
        try:
            return bool(self.status())
        except LocalError:
            return False

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(PATIENCE_S) == 0
        self._log.close()


def keep_young(record: Path) -> None:
    """Take out of the crashes' times what this machine, if it is very slow, took for the starts between."""
    told = json.loads(record.read_text()) if record.exists() else {"crashes": []}
    oldest_s = time.monotonic() - WINDOW_S / 2
    if any(at_s < oldest_s for at_s in told["crashes"]):
        told["crashes"] = [max(at_s, oldest_s) for at_s in told["crashes"]]
        record.write_text(json.dumps(told))


@pytest.fixture
def unit(tmp_path: Path, scrim_environment: dict[str, str]) -> Iterator[Unit]:
    made = Unit(tmp_path, scrim_environment)
    try:
        yield made
    finally:
        made.stop()


def test_a_core_that_crashes_again_and_again_shows_the_placeholder_and_comes_back(unit: Unit) -> None:
    for _ in range(CRASHES):
        unit.crash()
    unit.start()
    until(unit.is_answering)
    until(lambda: unit.status()["sinks"][0]["delivered"])
    status = unit.status()
    assert status["safe_mode"]["crashes"] == CRASHES
    assert 0 < status["safe_mode"]["left_s"] <= 60
    assert (status["state"], status["placeholder_reason"]) == ("placeholder", "safe_mode")
    assert status["camera"]["closed_by"] == ["safe mode"]
    assert status["model"]["runtime"] == "none"
    with Client(unit.socket, timeout_s=PATIENCE_S) as client:
        picture = client.preview(PATIENCE_S)
        assert picture is not None
        assert picture.origin == "placeholder"
        client.set(TEAL)  # who watches may still change settings, and look again with them
        assert unit.status()["placeholder_reason"] == "safe_mode"
        client.restart()
    assert unit.process is not None
    assert unit.process.wait(PATIENCE_S) == EXIT_RESTART
    unit.start()
    until(unit.is_answering)
    until(lambda: unit.status()["state"] == "running")
    status = unit.status()
    assert status["safe_mode"] is None
    assert status["effect"]["effect"] == "color"

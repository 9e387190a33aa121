"""Events in a real journal, asked for by their fields."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEBIAN = Path("/usr/lib/python3/dist-packages/systemd")
"""From the Debian package python3-systemd."""

SPEAK = """
from scrim.core.event_log import EventLog
from scrim.core.events import Event
from scrim.journal import start_logging
start_logging(is_verbose=False, identifier="scrim-core")
EventLog().any_event(Event("camera_lost", {"since": 1.5, "previous_lasted_s": 2.5, "reason": "unplugged"}))
"""


def test_an_event_is_found_by_its_name(tmp_path: Path) -> None:
    if not DEBIAN.is_dir():
        pytest.skip("no systemd for Python here: apt install python3-systemd")
    (tmp_path / "systemd").symlink_to(DEBIAN)
    environment = os.environ | {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    if subprocess.run(
        [sys.executable, "-c", "import systemd.journal"], env=environment, check=False
    ).returncode:
        pytest.skip(f"{DEBIAN} is for another Python than {sys.version.split()[0]}")
    with (tmp_path / "stderr").open("w+") as stream:
        status = os.fstat(stream.fileno())
        environment["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
        subprocess.run([sys.executable, "-c", SPEAK], env=environment, stderr=stream, check=True, timeout=60)
        stream.seek(0)
        assert stream.read() == ""
    entry = found("SCRIM_EVENT=camera_lost")
    assert entry["MESSAGE"] == "camera: lost: unplugged"
    assert (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]) == ("scrim-core", "4")
    assert (entry["SCRIM_REASON"], entry["SCRIM_PREVIOUS_LASTED_S"]) == ("unplugged", "2.5")


def found(match: str) -> dict[str, str]:
    """The newest entry that matches."""
    deadline_s = time.monotonic() + 60
    while True:
        command = ["guest", "journalctl", "--output=json", "--lines=1", match]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        if said.strip():
            entry: dict[str, str] = json.loads(said)
            return entry
        assert time.monotonic() < deadline_s, "no such entry"
        time.sleep(0.2)

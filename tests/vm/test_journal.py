"""Events in a real journal, asked for by their fields."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

NO_LIBRARY = "import sys; sys.modules['systemd'] = None"
"""Takes systemd's library away."""

SPEAK = """
from scrim.core.event_log import EventLog
from scrim.core.events import Event
from scrim.journal import start_logging
start_logging(is_verbose=False, identifier="scrim-core")
EventLog().any_event(Event("camera_lost", {"since": 1.5, "previous_lasted_s": 2.5, "reason": REASON}))
"""


@pytest.mark.parametrize("has_library", [True, False], ids=["libsystemd", "socket"])
def test_an_event_is_found_by_its_name(
    tmp_path: Path, lend_systemd: Callable[[Path], None], has_library: bool
) -> None:
    environment = os.environ | {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    if has_library:
        lend_systemd(tmp_path)
    reason = f"unplugged\nby hand, {has_library}"
    speak = (SPEAK if has_library else f"{NO_LIBRARY}\n{SPEAK}").replace("REASON", repr(reason))
    with (tmp_path / "stderr").open("w+") as stream:
        status = os.fstat(stream.fileno())
        environment["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
        subprocess.run([sys.executable, "-c", speak], env=environment, stderr=stream, check=True, timeout=300)
        stream.seek(0)
        assert stream.read() == ""
    entry = found("SCRIM_EVENT=camera_lost", f"SCRIM_REASON={reason}")
    assert entry["MESSAGE"] == f"camera: lost: {reason}"
    assert (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]) == ("scrim-core", "4")
    assert entry["SCRIM_PREVIOUS_LASTED_S"] == "2.5"


def found(*matches: str) -> dict[str, str]:
    """The newest entry that matches all."""
    deadline_s = time.monotonic() + 300
    while True:
        command = ["guest", "journalctl", "--output=json", "--lines=1", *matches]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
        if said.strip():
            entry: dict[str, str] = json.loads(said)
            return entry
        assert time.monotonic() < deadline_s, "no such entry"
        time.sleep(0.2)

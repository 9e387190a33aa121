"""Entries as libsystemd sends them, into a socket where the journal would listen, in a /run of our own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

OWN_RUN = 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && exec "$0" "$@"'

LISTEN = """
import json, os, socket, subprocess, sys, tempfile
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
journal.settimeout(30)
with tempfile.TemporaryFile() as stream:
    status = os.fstat(stream.fileno())
    environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    command = [sys.executable, "-c", sys.argv[1]]
    subprocess.run(command, env=environment, stderr=stream, check=True, timeout=600)
    stream.seek(0)
    told = stream.read()
    assert told == b"", told  # not to standard error as well
print(json.dumps(journal.recv(65536).decode().splitlines()))
"""

NO_LIBRARY = "import sys; sys.modules['systemd'] = None"
"""Takes systemd's library away."""

SPEAK = """
from scrim.core.event_log import EventLog
from scrim.core.events import Event
from scrim.journal import start_logging
start_logging(is_verbose=False, identifier="scrim-core")
EventLog().any_event(Event("camera_lost", {"since": 1.5, "previous_lasted_s": 2.5, "reason": "unplugged"}))
"""


@pytest.mark.parametrize("has_library", [True, False], ids=["libsystemd", "socket"])
def test_events_reach_the_journal_with_their_fields(
    tmp_path: Path, lend_systemd: Callable[[Path], None], has_library: bool
) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespace can be made here: needs root")
    environment = os.environ | {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    if has_library:
        lend_systemd(tmp_path)
    speak = SPEAK if has_library else f"{NO_LIBRARY}\n{SPEAK}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", OWN_RUN, sys.executable, "-c", LISTEN, speak],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    entry = dict(line.split("=", 1) for line in json.loads(done.stdout))
    assert entry["MESSAGE"] == "camera: lost: unplugged"
    assert entry["SYSLOG_IDENTIFIER"] == "scrim-core"
    assert entry["PRIORITY"] == "4"
    ours = {name: value for name, value in entry.items() if name.startswith("SCRIM_")}
    assert ours == {
        "SCRIM_EVENT": "camera_lost",
        "SCRIM_SINCE": "1.5",
        "SCRIM_PREVIOUS_LASTED_S": "2.5",
        "SCRIM_REASON": "unplugged",
    }

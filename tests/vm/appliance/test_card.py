"""The card is not written to, and need not be writable."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scrim.local.client import Client
from scrim.statefile import LEAST_INTERVAL_S

from ..usb import run, until
from ..video import Reader
from . import stage
from .conftest import Installed

pytestmark = [pytest.mark.appliance, pytest.mark.patience(2400)]

CARD, STATE = "ubda", "ubdb"
"""The guest's two disks: its root, and a small empty one."""

STATE_FOLDER = "/var/lib/scrim-state"
FOLDERS = {"/var/lib/scrim": "core", "/var/lib/scrim-gateway": "gateway"}


def sectors_written(disk: str) -> int:
    """How many sectors a disk was given since the boot, with all that waits in memory."""
    run("sync")
    return int(Path("/sys/block", disk, "stat").read_text().split()[6])


def is_settled() -> bool:
    """Whether what was to be remembered was written, and nothing waits for its turn."""
    files = [path for folder in FOLDERS for path in (stage.GUEST / folder[1:]).rglob("*") if path.is_file()]
    return time.time() - max(path.stat().st_ctime for path in files) > 1.5 * LEAST_INTERVAL_S


@contextlib.contextmanager
def in_use(reader: Reader) -> Iterator[None]:
    """Somebody watches, MQTT tells, and the page and ``scrim ctl`` ask."""
    yield
    reader.after(time.monotonic(), "live")


def newer_than(stamp: Path) -> list[str]:
    """What was changed on the guest's root since then."""
    return stage.guest("find", "/", "-xdev", "-newercc", stamp, "-print", limit_s=300).splitlines()


@pytest.mark.cycles(short=8, long=600)
def test_nothing_is_written_while_it_runs(reader: Reader, cycles: int, tmp_path: Path) -> None:
    """Measured at the disk itself, so that nobody's writing is missed; then looked for among the files."""
    until(is_settled, what="the end of what a first start remembers")
    before, stamp = sectors_written(CARD), tmp_path / "stamp"
    stamp.touch()
    with in_use(reader):
        ends_s = time.monotonic() + cycles
        while time.monotonic() < ends_s:
            assert stage.status() is not None
            stage.guest("/opt/scrim/bin/python", "-c", LOOK, stage.PAGE)
            time.sleep(0.5)
    written = sectors_written(CARD) - before
    assert (written, newer_than(stamp)) == (0, [])


LOOK = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=60)
except urllib.error.HTTPError:
    pass
"""


def test_a_setting_that_is_remembered_is_written(reader: Reader, tmp_path: Path) -> None:
    """And so the test above would see it."""
    before, stamp = sectors_written(CARD), tmp_path / "stamp"
    stamp.touch()
    with Client(stage.SOCKET, timeout_s=60) as client:
        client.set({"camera": {"mirror": True}})
        until(lambda: sectors_written(CARD) > before, what="a write")
        client.reset()
    changed = newer_than(stamp)
    assert changed
    assert {Path(path).parts[:4] for path in changed} == {("/", "var", "lib", "scrim")}


@pytest.fixture
def read_only(appliance: Installed) -> Iterator[None]:
    """The root cannot be written; state has a small partition of its own."""
    stage.guest("systemctl", "stop", *reversed(stage.UNITS))
    run("mke2fs", "-q", "-F", "-t", "ext4", f"/dev/{STATE}")
    stage.guest("mkdir", "-p", STATE_FOLDER)
    stage.guest("mount", "-o", "noatime", f"/dev/{STATE}", STATE_FOLDER)
    for folder, name in FOLDERS.items():
        stage.guest("cp", "-a", folder, f"{STATE_FOLDER}/{name}")
        stage.guest("mount", "--bind", f"{STATE_FOLDER}/{name}", folder)
    stage.guest("mount", "-o", "remount,ro", "/")
    yield
    stage.guest("systemctl", "stop", *reversed(stage.UNITS))
    stage.guest("mount", "-o", "remount,rw", "/")
    stage.guest("umount", *FOLDERS)
    stage.guest("umount", STATE_FOLDER)
    stage.guest("rmdir", STATE_FOLDER)
    stage.guest("systemctl", "start", *stage.UNITS)


@pytest.mark.long_only
def test_it_works_on_a_read_only_root(read_only: None) -> None:
    with pytest.raises(OSError, match="Read-only"):
        (stage.GUEST / "etc/probe").touch()
    before = sectors_written(CARD)
    stage.guest("systemctl", "start", *stage.UNITS)
    stage.until_live()
    with Client(stage.SOCKET, timeout_s=60) as client:
        client.set({"camera": {"mirror": True}})
    stage.guest("systemctl", "restart", stage.CORE)
    stage.until_live()
    with Client(stage.SOCKET, timeout_s=60) as client:
        assert client.settings()["settings"]["camera"]["mirror"]
        client.reset()
    for unit in stage.UNITS:
        assert stage.properties(unit, "ActiveState")["ActiveState"] == "active"
    assert "Read-only" not in stage.journal(stage.CORE) + stage.journal(stage.GATEWAY)
    assert sectors_written(CARD) == before
    assert sectors_written(STATE) > 0

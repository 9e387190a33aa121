"""GStreamer's child in the gateway's sandbox: this machine's GStreamer under the unit's own rules."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scrim.gateway.rtsp.child.main import MAX_MEMORY_BYTES
from scrim.gateway.rtsp.support import probe

from ..host import ROOT
from ..usb import run, until
from . import stage
from .conftest import Installed

pytestmark = [pytest.mark.appliance, pytest.mark.patience(2400)]

UNIT = "test-rtsp.service"
PORT = 8555
COMMAND = (
    f"{sys.executable} -m scrim gateway --set web.is_enabled=false"
    f" --set rtsp.is_enabled=true --set rtsp.port={PORT}"
)
CHANGES = f"""
[Service]
# This machine's programs, at home or below /tmp, which belong to root; without privileges.
RootDirectory=/host
ProtectHome=no
PrivateTmp=no
ReadWritePaths=+/tmp
User=root
StateDirectory=
ConfigurationDirectory=
Environment=PYTHONPATH={ROOT / "daemon"} XDG_STATE_HOME=/tmp HOME=/tmp SCRIM_SOCKET=/run/scrim/core.sock
ExecStart=
ExecStart={COMMAND}
"""


@pytest.fixture
def streaming(appliance: Installed) -> Iterator[str]:
    """A second gateway, for RTSP only."""
    missing = probe().missing
    if missing:
        pytest.skip(f"no GStreamer: apt install --no-install-recommends {' '.join(missing)}")
    stage.until_live()
    place = Path("/run/systemd/system") / UNIT
    place.write_text((ROOT / "systemd" / stage.GATEWAY).read_text())
    with stage.dropped_in(UNIT, CHANGES):
        started = stage.guest("systemctl", "start", UNIT, is_checked=False)
        yield started
        stage.guest("systemctl", "stop", UNIT, is_checked=False)
    place.unlink()


def processes_of(unit: str) -> list[int]:
    path = Path("/sys/fs/cgroup/system.slice", unit, "cgroup.procs")
    return [int(line) for line in path.read_text().split()]


def is_limited(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text()
    return bool(re.search(rf"Max address space +{MAX_MEMORY_BYTES} +{MAX_MEMORY_BYTES}", limits))


def test_the_stream_is_served_from_within_the_sandbox(streaming: str) -> None:
    assert stage.guest("systemctl", "is-active", UNIT, is_checked=False).strip() == "active", (
        streaming + stage.journal(UNIT)
    )
    url = f"rtsp://127.0.0.1:{PORT}/scrim"
    words = ("ffmpeg", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url, "-frames:v", "5")

    def played() -> bool:
        return run(*words, "-f", "null", "-", is_checked=False).strip() == ""

    until(played, 300, f"the stream; {stage.journal(UNIT)[-2000:]}")
    children = [pid for pid in processes_of(UNIT) if is_limited(pid)]
    assert len(children) == 1
    status = Path(f"/proc/{children[0]}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapBnd:\t0000000000000000" in status

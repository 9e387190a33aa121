"""What the units promise: ready once somebody sees a picture, alive while it goes on, and well locked in."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
PATIENCE_S = 180.0
INTERVAL_S = 2.0


class Systemd:
    """The notify socket, and what was heard at it."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.path = path

    def hear(self, word: str, within_s: float = PATIENCE_S) -> bool:
        """Whether ``word`` is heard in time; what comes before it is passed over."""
        deadline_s = time.monotonic() + within_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                if self._socket.recv(4096).decode() == word:
                    return True
            except TimeoutError:
                return False
        return False

    def forget(self) -> None:
        """Pass over what has been said until now."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listener = Systemd(tmp_path / "notify")
    yield listener
    listener.close()


@pytest.fixture(params=["core", "gateway"])
def service(
    request: pytest.FixtureRequest, tmp_path: Path, systemd: Systemd, scrim_environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = scrim_environment | {
        "NOTIFY_SOCKET": str(systemd.path),
        "WATCHDOG_USEC": str(int(INTERVAL_S * 1e6)),
        "SCRIM_SOCKET": str(tmp_path / "core.sock"),
    }
    settings = ["--set", "camera.source=test:", "--set", "camera.width=64", "--set", "web.port=0"]
    command = [sys.executable, "-m", "scrim", request.param, *settings]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_service_says_that_it_is_ready_alive_and_stopping(service, systemd):
    assert systemd.hear("READY=1")
    assert systemd.hear("WATCHDOG=1")
    assert systemd.hear("WATCHDOG=1")
    service.terminate()
    assert systemd.hear("STOPPING=1")
    assert service.wait(PATIENCE_S) == 0


def test_a_service_that_hangs_says_nothing_any_more(service, systemd):
    assert systemd.hear("WATCHDOG=1")
    os.kill(service.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, service.pid, os.WSTOPPED | os.WNOWAIT)  # it is a moment until it has stopped
    systemd.forget()
    assert not systemd.hear("WATCHDOG=1", INTERVAL_S)
    os.kill(service.pid, signal.SIGCONT)
    assert systemd.hear("WATCHDOG=1")


@pytest.mark.parametrize(("unit", "most"), [("scrim", 0.5), ("scrim-gateway", 1.1), ("scrim-gadget", 1.2)])
def test_what_an_attacker_could_reach_is_little(unit, most):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    command = [analyze, "security", "--offline=yes", "--no-pager", str(UNITS / f"{unit}.service")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    level = next(line for line in said.splitlines() if "Overall exposure level" in line)
    assert float(level.split(":")[1].split()[0]) <= most


@pytest.mark.parametrize("unit", ["scrim", "scrim-gateway"])
def test_a_unit_is_never_given_up_except_for_wrong_settings(unit):
    lines = (UNITS / f"{unit}.service").read_text().splitlines()
    assert {"StartLimitIntervalSec=0", "Restart=always", "RestartPreventExitStatus=78"} <= set(lines)
    assert {"UMask=0077", "LimitCORE=0"} <= set(lines)
    assert ("PrivateNetwork=yes" in lines) == (unit == "scrim")
    assert ("PrivateDevices=yes" in lines) == (unit == "scrim-gateway")

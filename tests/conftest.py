"""What every test may use: the command line as a subprocess, and Hypothesis without its clock.

With ``SCRIM_LONG=1`` in the environment every count is the one that docs/security.md
promises. That takes hours.
"""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

IS_LONG = os.environ.get("SCRIM_LONG") == "1"
LONG_COUNTS = {
    "SCRIM_PRIVACY_SEQUENCES": "20000",
    "SCRIM_FUZZ_PATCHES": "100000",
    "SCRIM_DELEGATE_KILLS": "200",
    "SCRIM_BROKER_FLAPS": "200",
    "SCRIM_VM": "long",
}
"""What single tests ask for; each may be set by itself."""

if IS_LONG:
    for _name, _count in LONG_COUNTS.items():
        os.environ.setdefault(_name, _count)

# With CI set the same examples are played each time, so that what it says depends on the code alone.
settings.register_profile(
    "scrim", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("scrim")

PATIENCE_S = 600

FIRST_PORT, PORTS_EACH, WORKERS = 16000, 2000, 8
"""Below 32768, where the ports begin that Linux hands out."""

UNPACKED = Path(__file__).parents[1] / ".cache" / "prometheus" / "usr" / "bin"
"""Where scripts/setup --dev puts Prometheus."""

Scrim = Callable[..., "subprocess.CompletedProcess[str]"]


class ByFile(LoadScopeScheduling):
    """Gives each worker whole files, and one of them all that runs in the guest, which boots once."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/vm" if nodeid.startswith("tests/vm/") else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def state_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes what this user's scrim remembers."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(autouse=True)
def patience_with_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that decodes has as long as a busy machine takes, where a test does not say how long."""
    from scrim import decode, recompress

    for function in (decode.decode, decode.in_child, recompress.recompress):
        monkeypatch.setattr(function, "__defaults__", (decode.never, float(PATIENCE_S)))


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Finds TCP ports of loopback for a test alone, each another, also while nobody listens there yet.

    The kernel gives ports of this range to nobody who asks for any, and each worker has a part of its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + worker % WORKERS * PORTS_EACH
    left = iter([first + (os.getpid() + number) % PORTS_EACH for number in range(PORTS_EACH)])
    return lambda count: list(itertools.islice(filter(_is_free, left), count))


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return True
    return False


@pytest.fixture
def scrim_environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of this user's settings, socket or remembered timings."""
    ours = ("SCRIM_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return kept | {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_RUNTIME_DIR": str(tmp_path / "runtime"),
        "SCRIM_CONFIG": str(_empty_settings(tmp_path)),
    }


@pytest.fixture
def scrim(scrim_environment: dict[str, str]) -> Scrim:
    """Runs ``scrim`` with arguments until it ends; more environment by keyword."""

    def run(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "scrim", *map(str, arguments)],
            env=scrim_environment | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    return run


def _empty_settings(folder: Path) -> Path:
    path = folder / "empty.toml"
    path.write_text("")
    return path


@pytest.fixture(scope="session")
def prometheus_tool() -> Callable[[str], str]:
    """Finds ``promtool`` or ``prometheus``; the test is skipped where there is none."""

    def find(name: str) -> str:
        found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), str(UNPACKED)]))
        if found is None:
            pytest.skip(f"{name} is not here: scripts/setup --dev unpacks it, or apt install prometheus")
        return found

    return find


@pytest.fixture
def lend_systemd() -> Callable[[Path], None]:
    """Puts Debian's systemd for Python into a folder; skips the test where there is none for this Python."""

    def lend(folder: Path) -> None:
        debian = Path("/usr/lib/python3/dist-packages/systemd")
        if not debian.is_dir():
            pytest.skip("no systemd for Python here: apt install python3-systemd")
        (folder / "systemd").symlink_to(debian)
        environment = os.environ | {"PYTHONPATH": str(folder)}
        tried = [sys.executable, "-c", "import systemd.journal"]
        if subprocess.run(tried, env=environment, check=False).returncode:
            pytest.skip(f"{debian} is for another Python than {sys.version.split()[0]}")

    return lend

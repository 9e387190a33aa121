"""An installed scrim in the guest: its services, what they say, and their camera, webcam and broker."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scrim.errors import LocalError
from scrim.local.client import Client
from scrim.local.status import Status

from ..host import ROOT
from ..usb import run, until
from ..video import COLOR, SIZE
from ..wheels import FAILURE, WHEELS

GUEST = Path("/run/guest")
"""The guest's own root."""

SHARED = Path(os.environ.get("VM_OUT", "/run/vm-out"))
SETTINGS = GUEST / "etc/scrim/scrim.toml"
SOCKET = Path("/run/scrim/core.sock")
CORE, GATEWAY, GADGET = "scrim.service", "scrim-gateway.service", "scrim-gadget.service"
UNITS = (CORE, GATEWAY)
PAGE = "http://127.0.0.1:8080"

USERS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
ROUGH = ("host", "proc", "sys", "dev", "run", "tmp", "var/tmp")
"""Folders of the guest that are no part of what is installed."""

CHANGED = {
    "width": str(SIZE[0]),
    "height": str(SIZE[1]),
    "default_color": f'"{COLOR}"',
}
"""Keys of the settings that a test's owner of scrim wrote by hand."""


def guest(*command: str | Path, limit_s: float = 600, is_checked: bool = True) -> str:
    """The output of a program of the guest's own."""
    return run("guest", *command, limit_s=limit_s, is_checked=is_checked)


def here(path: Path) -> Path:
    """A path of this test's as the guest's own programs see it."""
    is_shared = path.is_relative_to("/tmp") or path.is_relative_to("/run")
    return path if is_shared else Path("/host") / path.relative_to("/")


def install(*options: str) -> str:
    """What scripts/install says."""
    assert not (SHARED / FAILURE).exists(), (SHARED / FAILURE).read_text()
    words = " ".join(options)
    return guest("sh", "-c", f"cd {here(ROOT)} && exec scripts/install {words}", limit_s=1800)


def install_from_wheels(*options: str) -> str:
    """The same, from the folder that the host filled."""
    return install("--wheelhouse", str(SHARED / WHEELS), *options)


def properties(unit: str, *names: str) -> Mapping[str, str]:
    """What systemd says of a unit."""
    words = [f"--property={name}" for name in names]
    lines = guest("systemctl", "show", unit, *words).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def pid_of(unit: str) -> int:
    """Its main process; 0 for none."""
    return int(properties(unit, "MainPID")["MainPID"])


def restart(*units: str) -> None:
    """Have them started anew, with whatever was changed of them."""
    guest("systemctl", "daemon-reload")
    guest("systemctl", "restart", *units)


def status() -> Status | None:
    """What the core says of itself; None while it says nothing."""
    try:
        with Client(SOCKET, timeout_s=60) as client:
            return client.status()
    except LocalError:
        return None


def until_live() -> Status:
    """The core's status, once it shows the camera."""

    def live() -> Status | None:
        told = status()
        return (
            told
            if told is not None and told["state"] == "running" and told["camera"]["state"] == "live"
            else None
        )

    return until(live, 600, "a live picture")


def journal(unit: str) -> str:
    """All that a unit said since the boot."""
    return guest("journalctl", "--no-pager", "-o", "cat", "-u", unit)


def edit(changes: Mapping[str, str]) -> None:
    """Write settings by hand: of each key the first line."""
    text = SETTINGS.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
        assert count == 1, key
    SETTINGS.write_text(text)


def replace_in_section(section: str, key: str, value: str) -> None:
    """Write one key of one section."""
    before, head, rest = SETTINGS.read_text().partition(f"\n[{section}]\n")
    assert head, section
    changed, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", rest, count=1, flags=re.MULTILINE)
    assert count == 1, key
    SETTINGS.write_text(before + head + changed)


@contextlib.contextmanager
def dropped_in(unit: str, text: str, name: str = "test.conf") -> Iterator[None]:
    """More lines in a unit, until the end."""
    folder = Path("/run/systemd/system") / f"{unit}.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    guest("systemctl", "daemon-reload")
    try:
        yield
    finally:
        (folder / name).unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()
        guest("systemctl", "daemon-reload")


def listing() -> dict[str, str]:
    """Every file of the guest's own root, and every line of its lists of users, for a comparison."""
    skipped = [word for path in ROUGH for word in ("-path", f"/{path}", "-prune", "-o")]
    found = guest("find", "/", "-xdev", *skipped, "-printf", r"%p %y %m %u %g %l\n", limit_s=600)
    lines = {line.split(" ", 1)[0]: line for line in found.splitlines()}
    for name in USERS:
        with contextlib.suppress(FileNotFoundError):
            lines |= {f"/etc/{name}: {line}": "" for line in (GUEST / "etc" / name).read_text().splitlines()}
    return lines


def probe(unit: str, *arguments: str | Path) -> Any:
    """What ``probe.py`` sees in a unit's own sandbox, beside the main process, which is started anew."""
    script = Path("/run/test-probe.py")
    script.write_text(Path(__file__).with_name("probe.py").read_text())
    words = " ".join(map(str, arguments))
    lines = f"TimeoutStartSec=infinity\nExecStartPost=/opt/scrim/bin/python {script} {words}"
    with dropped_in(unit, f"[Service]\n{lines}\n", "probe.conf"):
        guest("systemctl", "restart", unit, is_checked=False)
    said = [line for line in journal(unit).splitlines() if line.startswith("probe: ")]
    assert said, journal(unit)[-4000:]
    return json.loads(said[-1].removeprefix("probe: "))

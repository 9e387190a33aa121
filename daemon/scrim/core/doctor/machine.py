"""The machine and this user: groups, permissions, temperature, throttling and supply."""

import grp
import os
from collections.abc import Iterator
from pathlib import Path

from scrim.core.health import HealthReader
from scrim.finding import Finding, judged
from scrim.local.place import default_path
from scrim.places import state_folder

_HOT_CELSIUS = 80.0
"""Where a Raspberry Pi begins to slow down (its documentation on thermal control)."""


def groups() -> Iterator[Finding]:
    """Whether this user may open cameras: the nodes belong to group video."""
    try:
        video = grp.getgrnam("video")
    except KeyError:
        yield Finding("groups", True, "this system has no group video")
        return
    is_root = os.geteuid() == 0
    is_good = is_root or video.gr_gid in {os.getegid(), *os.getgroups()}
    found = f"{'root or ' if is_root else ''}{'in' if is_good else 'not in'} group video"
    yield judged("groups", found, "sudo usermod -aG video $USER, then log in again", is_good=is_good)


def permissions() -> Iterator[Finding]:
    """Whether state can be kept and the local socket made."""
    for what, folder in (("state", state_folder()), ("socket", default_path().parent)):
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        is_good = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        found = f"{folder}{'' if there == folder else ' (to be made)'}"
        variable = "XDG_STATE_HOME" if what == "state" else "SCRIM_SOCKET"
        mend = f"let this user write in {there}, or name another place in {variable}"
        yield judged(f"{what} folder", found, mend, is_good=is_good)


def health(sysfs: Path) -> Iterator[Finding]:
    """How hot the processor is, whether it is slowed down, and whether it gets enough power."""
    now = HealthReader(sysfs).read()
    heat = now.temperature_c
    found = "no sensor here" if heat is None else f"{heat:.0f} °C"
    is_cool = heat is None or heat < _HOT_CELSIUS
    yield judged("temperature", found, "cool it: it slows down soon", is_good=is_cool)
    yield _alarm(
        "throttling",
        now.is_throttled,
        ("the clock is not held down", "the processor's clock is held down"),
        "cool it: a heat sink or a fan, and air around it",
    )
    yield _alarm(
        "power supply",
        now.is_under_voltage,
        ("enough", "too weak: under-voltage"),
        "use the power supply that was made for this board, and a short cable",
    )


def _alarm(name: str, is_on: bool | None, words: tuple[str, str], mend: str) -> Finding:
    found = "this machine does not say" if is_on is None else words[is_on]
    return judged(name, found, mend, is_good=not is_on)

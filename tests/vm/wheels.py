"""The host's half of the tests of the installer: what it installs, for the guest has no network."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
RELEASE = "trixie"
"""The guest's."""

WHEELS = "wheels"
PACKAGE = "scrim.deb"
FAILURE = "provide-failed"
"""In the folder that host and guest share."""


def provide(folder: Path, *, with_package: bool) -> None:
    """Leave in a folder all Python packages, and the Debian package, or why they are not there.

    What is locked is fetched once and kept beside the guest.

    Args:
        folder: what host and guest share.
        with_package: whether the Debian package is wanted too.
    """
    try:
        wheels = folder / WHEELS
        wheels.mkdir()
        for wheel in _locked().glob("*.whl"):
            _link(wheel, wheels / wheel.name)
        _run("scripts/wheelhouse", "--release", RELEASE, "--only", "scrim", wheels)
        if with_package:
            _run("scripts/build-deb", "--release", RELEASE, "--wheelhouse", wheels, folder / PACKAGE)
    except subprocess.CalledProcessError as error:
        (folder / FAILURE).write_text(f"{error}\n{error.stdout}")


def _locked() -> Path:
    """The folder of the packages of the lock file, filled if it is not yet."""
    lock = ROOT / "requirements" / f"{RELEASE}.txt"
    folder = _cache() / f"wheels-{RELEASE}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    is_whole = folder / ".whole"
    with _held(folder.with_suffix(".lock")):
        if not is_whole.exists():
            _run("scripts/wheelhouse", "--release", RELEASE, "--only", "locked", folder)
            is_whole.touch()
    return folder


def _cache() -> Path:
    """Where scripts/vm keeps the guest."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("SCRIM_VM_CACHE") or base / "scrim-vm")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copy(source, target)


def _run(*command: str | Path) -> None:
    subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )

"""The locked packages, as ``scripts/lock`` wrote them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASES = ("bookworm", "trixie")

_ENTRY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)(?: ; (?P<marker>[^\\\n]+?))? *\\?$", re.MULTILINE
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NOT_HERE = "sys_platform == 'win32'"


@dataclass(frozen=True, slots=True)
class Locked:
    """One package.

    Attributes:
        name: in its normal form.
        version: the one and only.
        hashes: SHA-256 of each file that may be installed.
    """

    name: str
    version: str
    hashes: tuple[str, ...]


def lock_file(release: str) -> Path:
    """Where the lock of a Debian release lies."""
    return ROOT / "requirements" / f"{release}.txt"


def locked(text: str) -> Iterator[Locked]:
    """The packages of a lock that are installed on Debian."""
    entries = list(_ENTRY.finditer(text))
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if entry["marker"] != _NOT_HERE:
            hashes = _HASH.findall(text, entry.end(), following.start() if following else len(text))
            yield Locked(entry["name"], entry["version"], tuple(hashes))

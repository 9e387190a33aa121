"""An emulated board: Debian's kernel, and a Debian for arm64 as its memory disk, in QEMU.

QEMU lets a nanosecond pass with every instruction, and its processor counts them as the real one does. So the
counters of ``scrim bench`` count in the guest, and its clock counts too.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

from board_counts.guest import MARK, Row

_HERE = Path(__file__).parent
_LINKS = ("bin", "lib", "sbin")
_FOLDERS = ("etc", "usr/bin", "usr/lib", "usr/sbin", "venv")
_NOT = ("usr/lib/gcc", "usr/lib/python3.13/test", "venv/include")
"""Of the Debian: what a Python with its packages needs."""

_MACHINE = ("-machine", "virt", "-smp", "1", "-m", "3G", "-icount", "shift=0,sleep=off")
_CONSOLE = ("-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot")


class GuestError(Exception):
    """The emulated board did not count."""


@contextmanager
def disk(root: Path, clips: Path, rows: Sequence[Row]) -> Iterator[Path]:
    """Pack everything that the guest needs into one archive, which is its memory disk.

    Args:
        root: a Debian for arm64 with scrim in ``/venv``.
        clips: a folder of raw frames, in the guest ``/count/clips``.
        rows: what to count.
    """
    with tempfile.TemporaryDirectory(prefix="scrim-boards-") as folder:
        extra = Path(folder, "extra")
        for name in ("dev", "proc", "sys", "tmp"):
            Path(extra, name).mkdir(parents=True)
        os.mknod(extra / "dev/console", 0o20600, os.makedev(5, 1))
        shutil.copytree(clips, extra / "count/clips")
        shutil.copy(_HERE / "guest.py", extra / "count/guest.py")
        (extra / "count/rows.json").write_text(json.dumps([asdict(row) for row in rows]))
        shutil.copy(_HERE / "init", extra / "init")
        archive = Path(folder, "disk")
        with archive.open("wb") as file:
            _pack(root, list(_names(root)), file.fileno())
            _pack(extra, [str(path.relative_to(extra)) for path in sorted(extra.rglob("*"))], file.fileno())
        yield archive


def _names(root: Path) -> Iterator[str]:
    yield from ("usr", *_LINKS)
    for top in _FOLDERS:
        for folder, folders, files in os.walk(root / top):
            inside = Path(folder).relative_to(root)
            if str(inside) in _NOT:
                folders.clear()
                continue
            links = [name for name in folders if Path(folder, name).is_symlink()]
            yield from map(str, (inside, *(inside / name for name in (*files, *links))))


def _pack(folder: Path, names: Sequence[str], file: int) -> None:
    listing = "\0".join(names).encode()
    command = ["cpio", "--null", "--create", "--format=newc", "--quiet"]
    subprocess.run(command, cwd=folder, input=listing, stdout=file, check=True)


def counts(cpu: str, kernel: Path, archive: Path, wanted: int) -> Iterator[dict[str, Any]]:
    """Start the board and yield what it counts, row by row.

    Args:
        cpu: as QEMU names it, such as cortex-a53.
        kernel: Debian's for arm64.
        archive: of :func:`disk`.
        wanted: rows.

    Raises:
        GuestError: the guest had no counters, or ended before it had counted all rows; its own last words are
            in the message.
    """
    counted = 0
    command = ["nice", "-n", "10", "qemu-system-aarch64", "-cpu", cpu, *_MACHINE, *_CONSOLE]
    command += ["-kernel", str(kernel), "-initrd", str(archive), "-append", "console=ttyAMA0 quiet panic=-1"]
    words: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as guest:
        try:
            for line in cast("IO[str]", guest.stdout):
                if line.startswith(MARK):
                    counted += 1
                    yield checked(json.loads(line.removeprefix(MARK)))
                else:
                    words.append(line.rstrip())
        except BaseException:
            guest.kill()
            raise
    if counted != wanted or guest.returncode:
        why = f"the emulated {cpu} ended after {counted} of {wanted} rows; its last words:"
        raise GuestError("\n".join([why, *words[-20:]]))


def checked(one: dict[str, Any]) -> dict[str, Any]:
    """The same.

    Raises:
        GuestError: nothing was counted.
    """
    if None in one["instructions"]:
        raise GuestError("the emulated board has no counter of instructions; it takes QEMU 7.2 or later")
    return one

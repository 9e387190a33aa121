"""The host's half: boots the guest, has it run the tests, and hands on what it reports."""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scrim

ROOT = Path(__file__).parents[2]
VM = ROOT / "scripts" / "vm"
BOOT_S = 600
"""For booting, and for collecting the tests."""

GUEST_LIMIT_S = 4 * 3600
REPORTS = "reports"
TESTS = "tests"

Report = dict[str, Any]


class GuestError(Exception):
    """The guest ended, or went silent, in the middle of a test."""


def why_not() -> str | None:
    """Why there is no guest on this machine; None when there is one."""
    if os.environ.get("SCRIM_VM") == "off":
        return "SCRIM_VM=off"
    asked = subprocess.run([VM, "ready"], capture_output=True, text=True, check=False)
    return None if asked.returncode == 0 else f"no virtual machine: {asked.stdout.strip()}"


class Guest:
    """A booted guest that runs tests one after the other.

    Args:
        node_ids: the tests, in order.
        folder: for what host and guest share.
        options: more for the guest's pytest.
    """

    def __init__(self, node_ids: Sequence[str], folder: Path, options: Sequence[str] = ()) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TESTS).write_text("\n".join(node_ids))
        self._console = (folder / "console").open("w+")
        self._process = subprocess.Popen(
            [VM, "run", "-t", str(GUEST_LIMIT_S), "-o", folder, "--", _command(options)],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=subprocess.STDOUT,
        )
        self._reports = folder / REPORTS
        self._offset = 0
        self._told: defaultdict[str, list[Report]] = defaultdict(list)
        self._left = len(node_ids)
        self._patience_s = float(BOOT_S)

    def reports_of(self, node_id: str, patience_s: float) -> list[Report]:
        """What one test reports, up to its teardown.

        Raises:
            GuestError: it did not end in time, or the guest ended.
        """
        deadline_s = time.monotonic() + self._patience_s + patience_s
        self._patience_s = 0
        while True:
            has_ended = self._process.poll() is not None
            self._read()
            told = self._told[node_id]
            if told and told[-1]["when"] == "teardown":
                return told
            if has_ended:
                raise GuestError(f"the guest ended before this test did:\n{self._last_words()}")
            if time.monotonic() > deadline_s:
                self.stop()
                raise GuestError(
                    f"no end within {patience_s:.0f} s; the guest was stopped:\n{self._last_words()}"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """End the guest; one that has run all its tests is let finish."""
        try:
            self._process.wait(0 if self._left else 60)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait(300)
        self._console.close()

    def _read(self) -> None:
        """Take in what was reported since the last time, by whichever test."""
        try:
            with self._reports.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            report: Report = json.loads(line)
            self._told[report["nodeid"]].append(report)
            self._left -= report["when"] == "teardown"

    def _last_words(self) -> str:
        for name in ("console", "log"):
            with contextlib.suppress(OSError):
                text = (self._folder / name).read_text(errors="replace").strip()
                if text:
                    return text[-4000:]
        return "(nothing said)"


def _command(options: Sequence[str]) -> str:
    """What the guest runs: the same Python, the same project, this folder's tests."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("SCRIM_VM")}
    environment = kept | {
        "SCRIM_VM_INSIDE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(scrim.__file__).parents[1]),
        "PATH": f"{Path(sys.executable).parent}:/run/vm-bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
    }
    words = ["env", *(f"{name}={value}" for name, value in environment.items())]
    words += [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(ROOT),
        *options,
    ]
    return f'{shlex.join(words)} "@$VM_OUT/{TESTS}"'

"""Counts on each emulated board and prints counts and estimates. Started by scripts/arm64-instructions."""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from board_counts.estimate import BOARDS
from board_counts.machine import GuestError, counts, disk
from board_counts.rows import rows, write_clips
from board_counts.table import judged, table


def main() -> int:
    """Count, and say what was counted."""
    parser = argparse.ArgumentParser(prog="arm64-instructions", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="a Debian for arm64 with scrim in /venv")
    parser.add_argument("--kernel", type=Path, required=True, help="Debian's for arm64")
    parser.add_argument(
        "--cpu", action="append", choices=[board.cpu for board in BOARDS], help="only this one"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the guest ends too
    try:
        cpus = options.cpu or [board.cpu for board in BOARDS]
        found = [judged(one) for one in count_all(cpus, options.root, options.kernel)]
    except (GuestError, ValueError) as error:
        say(str(error))
        return 1
    print(json.dumps({"results": found}, indent=1) if options.json else table(found))
    return 0


def count_all(cpus: list[str], root: Path, kernel: Path) -> list[dict[str, Any]]:
    """Every row on every processor, in order, each with its ``cpu``.

    Raises:
        GuestError: a board did not count.
    """
    wanted = list(rows())
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="scrim-boards-") as folder:
        clips = Path(folder, "clips")
        say("drawing the pictures, packing the guest")
        write_clips(clips)
        with disk(root, clips, wanted) as archive:
            for cpu in cpus:
                say(f"starting an emulated {cpu}")
                for number, one in enumerate(counts(cpu, kernel, archive, len(wanted)), 1):
                    say(f"{cpu}: {number} of {len(wanted)} counted")
                    found.append({"cpu": cpu, **one})
    return found


def say(words: str) -> None:
    """Tell people how far it is."""
    print(f"arm64-instructions: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

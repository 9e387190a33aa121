"""Kills a process that saves, over and over, and reads what it left: ``state_killer.py FOLDER CYCLES SEED``.

Writes one JSON object. A process of its own and free of threads, because it forks.
"""

import json
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrim.statefile import StateFile


def document(number: int) -> dict[str, Any]:
    """One that shows whether it is whole; of another length than the one before."""
    return {"revision": number, "patch": {"filling": f"{number % 97:02d}" * (number % 700)}}


def is_whole(found: Mapping[str, Any] | None) -> bool:
    return found is not None and found == document(found["revision"])


def save(path: Path, number: int, most: int) -> None:
    file = StateFile(path)
    file.load()
    for next_number in range(number + 1, number + most + 1):
        file.save(document(next_number), 0.0)
        file.flush()


def start_saving(path: Path, number: int, most: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        save(path, number, most)
    finally:
        os._exit(0)


def kill_one(path: Path, number: int, delay_s: float) -> None:
    pid = start_saving(path, number, 1_000_000)
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, f"the saving process ended by itself: {status}"


def time_of_four(path: Path) -> float:
    """Seconds that a process takes here to save four times."""
    begin_s = time.monotonic()
    os.waitpid(start_saving(path, 1, 4), 0)
    return time.monotonic() - begin_s


def main() -> None:
    folder, cycles, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    path = folder / "state.json"
    longest_s = statistics.median(time_of_four(path) for _ in range(5))
    number, broken, halves, advanced = 5, 0, 0, 0
    for _ in range(cycles):
        kill_one(path, number, chance.uniform(0, longest_s))
        halves += any(folder.glob(".state.json.*")) or not path.exists()
        found = StateFile(path).load()
        broken += not is_whole(found) or found is None or found["revision"] < number - 1
        has_saved = found is not None and found["revision"] > number
        # As fast as this machine is now: three of four are to have saved something before they are killed.
        longest_s *= 1 / 1.02 if has_saved else 1.06
        advanced += has_saved
        number = found["revision"] if found else number
    bad = len(list(folder.glob("*.bad")))
    json.dump({"broken": broken, "bad": bad, "halves": halves, "advanced": advanced}, sys.stdout)


if __name__ == "__main__":
    main()

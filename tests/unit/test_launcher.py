"""Who is started again by ``scrim run``; the rest of it is in tests/system/test_run.py."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scrim.errors import EXIT_RESTART
from scrim.launcher import keep_running


def ending(folder: Path, name: str, *statuses: int) -> Callable[[], "subprocess.Popen[bytes]"]:
    """Starts a process that ends with the first status, the next time with the second, then waits."""
    left = list(statuses)

    def start() -> "subprocess.Popen[bytes]":
        with (folder / "started").open("a") as file:
            file.write(f"{name}\n")
        does = f"sys.exit({left.pop(0)})" if left else "signal.pause()"
        return subprocess.Popen([sys.executable, "-c", f"import signal, sys; {does}"])

    return start


@pytest.mark.parametrize(
    ("core", "gateway", "status", "started"),
    [
        ((EXIT_RESTART, EXIT_RESTART, 3), (), 3, {"core": 3, "gateway": 1}),
        ((), (EXIT_RESTART, 0), 0, {"core": 1, "gateway": 2}),
        ((), (1,), 1, {"core": 1, "gateway": 1}),
    ],
)
def test_who_asks_for_it_is_started_again(
    tmp_path: Path, core: tuple[int, ...], gateway: tuple[int, ...], status: int, started: dict[str, int]
) -> None:
    starts = [ending(tmp_path, "core", *core), ending(tmp_path, "gateway", *gateway)]
    children = [start() for start in starts]
    assert keep_running(children, starts) == status
    for child in children:
        child.kill()
        child.wait()
    names = (tmp_path / "started").read_text().split()
    assert {name: names.count(name) for name in ("core", "gateway")} == started

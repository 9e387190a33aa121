"""The signal that ends a core: heard whatever the main thread is doing."""

import subprocess
import sys

import pytest

WAITING = """
import signal, threading
from scrim.cli import _stop_signal
stop = _stop_signal()
with stop._cond:  # where the main thread is for a moment each time that it waits
    signal.raise_signal(signal.{name})
assert stop.wait(180)
print("heard")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_is_heard_in_the_middle_of_waiting_for_it(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITING.format(name=name)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == "heard\n", done.stderr

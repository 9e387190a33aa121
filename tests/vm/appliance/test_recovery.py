"""Services that crash or hang, and are back by themselves."""

import time
from collections.abc import Callable

import pytest

from ..usb import until
from ..video import Reader
from . import stage

pytestmark = [pytest.mark.appliance, pytest.mark.patience(2400)]

Measured = Callable[[str, list[float]], None]
Within = Callable[[float], float]

WATCHDOG_S = 10.0
"""Of scrim.service."""


def times(reader: Reader, signal: str, cycles: int) -> list[float]:
    """What each of so many recoveries takes."""
    took_s = []
    for turn in range(cycles):
        if turn:  # crashes are counted until the unit is stopped, and too many of them mean safe mode
            stage.guest("systemctl", "stop", stage.CORE)
            stage.guest("systemctl", "start", stage.CORE)
            stage.until_live()
        took_s.append(gone_and_back(reader, signal))
    return took_s


def gone_and_back(reader: Reader, signal: str) -> float:
    """Seconds from a signal to the next picture that scrim itself writes."""
    pid = stage.pid_of(stage.CORE)
    sent_s = time.monotonic()
    stage.guest("systemctl", "kill", f"--signal={signal}", "--kill-whom=main", stage.CORE)
    until(lambda: stage.pid_of(stage.CORE) not in (0, pid), what="the new process")
    began_s = time.monotonic()
    until(lambda: any(seen.written_s > began_s for seen in reader.seen), what="a picture")
    took_s = next(seen.at_s for seen in reader.seen if seen.written_s > began_s) - sent_s
    reader.after(began_s, "live")
    stage.until_live()
    return took_s


@pytest.mark.cycles(short=1, long=20)
def test_a_core_that_crashes(reader: Reader, cycles: int, measured: Measured, within: Within) -> None:
    took_s = times(reader, "SEGV", cycles)
    measured("unit killed by SIGSEGV: back to a picture", took_s)
    assert max(took_s) <= within(WATCHDOG_S + 2.5)
    assert reader.errors == []
    assert reader.kinds() <= {"live", "placeholder"}


@pytest.mark.long_only
@pytest.mark.cycles(short=1, long=10)
def test_a_core_that_hangs(reader: Reader, cycles: int, measured: Measured, within: Within) -> None:
    took_s = times(reader, "STOP", cycles)
    measured("unit stopped by SIGSTOP: back to a picture", took_s)
    assert max(took_s) <= within(WATCHDOG_S + 2.5)
    assert "Watchdog timeout" in stage.journal(stage.CORE)
    assert reader.kinds() <= {"live", "placeholder"}


@pytest.mark.long_only
def test_the_core_does_not_notice_a_gateway_that_crashes(reader: Reader) -> None:
    pid, core = stage.pid_of(stage.GATEWAY), stage.pid_of(stage.CORE)
    killed_s = time.monotonic()
    stage.guest("systemctl", "kill", "--signal=SEGV", "--kill-whom=main", stage.GATEWAY)
    until(lambda: stage.pid_of(stage.GATEWAY) not in (0, pid), what="the new process")
    until(lambda: stage.properties(stage.GATEWAY, "SubState")["SubState"] == "running", what="the gateway")
    assert stage.pid_of(stage.CORE) == core
    assert reader.kinds(killed_s) <= {"live", "placeholder"}
    reader.after(time.monotonic(), "live")
    assert reader.errors == []

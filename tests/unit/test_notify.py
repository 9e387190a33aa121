"""What systemd is told, and when: a real notify socket, by either way of writing to it."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scrim.core.watchdog import Watchdog
from scrim.notify import notifier, watchdog_interval_s


class Listener:
    """systemd's end of the notify socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        lines = []
        while True:
            try:
                lines.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "notify")
    yield listener
    listener.close()


def test_systemd_is_told(systemd):
    notify = notifier({"NOTIFY_SOCKET": str(systemd.path)})
    notify("READY=1")
    notify("WATCHDOG=1")
    assert systemd.heard() == ["READY=1", "WATCHDOG=1"]


def test_without_systemd_nobody_is_told():
    notifier({})("READY=1")
    notifier({"NOTIFY_SOCKET": "vsock:2:1"})("READY=1")


def test_a_socket_that_is_gone_is_a_warning(tmp_path, caplog):
    notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})("READY=1")
    assert "READY=1 is not told" in caplog.text


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "4000000"}, 4.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}, 4.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_interval_is_systemd_s(environment, interval_s):
    assert watchdog_interval_s(environment) == interval_s


@dataclass
class Sink:
    is_open: bool = True
    delivered_s: float = 0.0


class Rig:
    """A watchdog of 4 s on a clock that the test moves."""

    def __init__(self, interval_s: float | None = 4.0, *sinks: Sink) -> None:
        self.now_s = 100.0
        self.told: list[str] = []
        self.sinks = sinks
        for sink in sinks:
            sink.delivered_s = self.now_s
        self.watchdog = Watchdog(self.told.append, interval_s, lambda: self.now_s)
        self.watchdog.follow(sinks)

    def write(self, sink: Sink, after_s: float) -> None:
        self.now_s += after_s
        sink.delivered_s = self.now_s
        self.watchdog.delivered()


def test_the_first_frame_makes_it_ready_and_each_interval_s_quarter_feeds():
    rig = Rig(4.0, Sink())
    assert rig.told == []
    for _ in range(45):
        rig.write(rig.sinks[0], 0.1)
    assert rig.told == ["READY=1"] + ["WATCHDOG=1"] * 5


def test_one_open_sink_that_hangs_starves_it():
    feed, camera = Sink(), Sink()
    rig = Rig(4.0, feed, camera)
    for _ in range(100):
        rig.write(feed, 0.1)
    fed = rig.told.count("WATCHDOG=1")
    assert fed <= 3
    rig.write(camera, 0.0)
    assert rig.told.count("WATCHDOG=1") == fed + 1


def test_a_sink_whose_device_is_missing_starves_nobody():
    feed, missing = Sink(), Sink(is_open=False)
    rig = Rig(4.0, feed, missing)
    for _ in range(100):
        rig.write(feed, 0.1)
    assert rig.told.count("WATCHDOG=1") == 10


def test_without_a_watchdog_only_ready_is_told():
    rig = Rig(None, Sink())
    rig.write(rig.sinks[0], 0.1)
    rig.write(rig.sinks[0], 9.0)
    assert rig.told == ["READY=1"]

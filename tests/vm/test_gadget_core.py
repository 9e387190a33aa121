"""The whole core behind the cable: its safe picture, its privacy, its death and its return."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrim.core.capture.v4l2 import V4L2Camera
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.frame import Caps

from .usb import MODULES, PATIENCE_S, camera, camera_gone, gadget, program, run, until

SETTINGS = """\
sinks = ["uvc_gadget:"]

[camera]
source = "test:"
width = 640
height = 360
{camera}

[background_blur]
is_enabled = false

[background_replacement]
is_enabled = true
default_color = "teal"

[gadget]
packet_bytes = 3072
"""
TEAL = (93, 147, 72)
"""#008080 in Y, U, V of BT.601, limited range."""


@pytest.fixture(scope="module", autouse=True)
def drivers() -> Iterator[None]:
    run("modprobe", "-a", *MODULES)
    gadget("up", "gadget.packet_bytes=3072")
    yield
    gadget("down")
    run("guest", "udevadm", "settle")
    run("modprobe", "-r", *reversed(MODULES))


class Core:
    """A core as systemd would run it, and what ``scrim ctl`` says of it."""

    def __init__(self, folder: Path, **camera_keys: object) -> None:
        self._folder = folder
        self._environment = os.environ | {
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "SCRIM_CONFIG": str(folder / "scrim.toml"),
        }
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in camera_keys.items())
        (folder / "scrim.toml").write_text(SETTINGS.format(camera=lines))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "scrim", "core"], env=self._environment, stdout=log, stderr=log
            )

    def end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
        self._process = None

    def ctl(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "scrim", "ctl", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.stdout

    def change(self, assignment: str) -> None:
        """Change a setting; a core that has just been started may not answer yet."""
        until(lambda: self.ctl("set", assignment), what=f"{assignment} in effect")

    def status(self) -> dict[str, Any]:
        """What it says of itself, once it answers."""
        told: dict[str, Any] = json.loads(until(lambda: self.ctl("status", "--json"), what="an answer"))
        return told

    def is_watched(self) -> bool:
        """Whether a host takes pictures."""
        return any(
            sink["name"] == "uvc_gadget:" and sink["consumers"] == 1 for sink in self.status()["sinks"]
        )


@contextlib.contextmanager
def running(folder: Path, **camera_keys: object) -> Iterator[Core]:
    core = Core(folder, **camera_keys)
    core.start()
    try:
        yield core
    finally:
        core.end(signal.SIGTERM)
        camera_gone()


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with running(tmp_path) as started:
        yield started


def means(host: V4L2Camera) -> tuple[int, ...]:
    frame = host.read()
    return () if frame is None else tuple(round(float(plane.mean())) for plane in frame.planes)


@contextlib.contextmanager
def watching() -> Iterator[V4L2Camera]:
    host = V4L2Camera(str(camera()), Caps(640, 360, 30))
    host.open()
    try:
        yield host
    finally:
        host.close()


def shows_teal(host: V4L2Camera) -> bool:
    found = means(host)
    return bool(found) and bool(np.abs(np.subtract(found, TEAL)).max() <= 1)


def test_the_host_sees_the_safe_picture_and_nothing_else(core: Core) -> None:
    """The pattern's bars are all background: every picture is the placeholder or plain teal."""
    painter = PlaceholderPainter((640, 360))
    painted = [painter.paint(reason, 0).planes for reason in Reason]
    safe = [TEAL, *(tuple(round(float(plane.mean())) for plane in planes) for planes in painted)]
    seen: list[tuple[int, ...]] = []
    with watching() as host:
        until(lambda: shows_teal(host), what="the replaced picture")
        while len(seen) < 30:
            if found := means(host):
                seen.append(found)
    strange = [found for found in seen if not any(np.abs(np.subtract(found, one)).max() <= 1 for one in safe)]
    assert strange == []
    assert any(np.abs(np.subtract(found, TEAL)).max() <= 1 for found in seen)
    assert next(sink for sink in core.status()["sinks"] if sink["name"] == "uvc_gadget:")["state"] == "open"


def privacy(value: int | None = None) -> int:
    node = f"--device={camera()}"
    if value is not None:
        run("v4l2-ctl", node, f"--set-ctrl=privacy={value}")
    return int(run("v4l2-ctl", node, "--get-ctrl=privacy").split()[-1])


def test_the_host_closes_the_camera_and_opens_what_it_closed(core: Core) -> None:
    with watching() as host:
        until(lambda: shows_teal(host), what="the replaced picture")
        assert privacy(1) == 1
        until(lambda: not shows_teal(host), what="the placeholder")
        until(lambda: core.status()["camera"]["closed_by"] == ["usb host"], what="the host's wish")
        assert core.status()["placeholder_reason"] == "privacy"
        assert privacy(0) == 0
        until(lambda: shows_teal(host), what="the replaced picture")


def test_the_host_sees_that_the_camera_is_closed_and_cannot_open_it(core: Core) -> None:
    camera()
    core.change("camera.is_enabled=false")
    until(lambda: privacy() == 1, what="the closed camera")
    assert privacy(0) == 1
    assert core.status()["camera"]["closed_by"] == ["settings"]
    core.change("camera.is_enabled=true")
    until(lambda: privacy() == 0, what="the open camera")


@pytest.mark.cycles(short=1, long=50)
def test_a_core_killed_under_a_stream_comes_back_for_the_next(
    cycles: int, core: Core, measured: Callable[[str, list[float]], None]
) -> None:
    """The host sees the camera vanish; it is back, with pictures, soon after the core is."""
    took_s: list[float] = []
    for _ in range(cycles):
        with program("v4l2-ctl", f"--device={camera()}", "--stream-mmap") as host:
            until(core.is_watched, what="a stream")
            core.end(signal.SIGKILL)
            host.wait(PATIENCE_S)
        camera_gone()
        began_s = time.monotonic()
        core.start()
        with watching() as again:
            until(lambda again=again: means(again), what="a picture")  # type: ignore[misc]
        took_s.append(time.monotonic() - began_s)
    measured("usb: core killed to picture at the host", took_s)


@pytest.mark.cycles(short=1, long=20)
def test_the_camera_is_open_only_while_the_host_watches(
    cycles: int,
    tmp_path: Path,
    measured: Callable[[str, list[float]], None],
    within: Callable[[float], float],
) -> None:
    """``camera.on_demand``: closed at first, soon open when the host starts, closed again when it stops."""
    took_s: list[float] = []
    with running(tmp_path, on_demand=True) as core:
        until(lambda: core.status()["camera"]["state"] == "idle", what="the closed camera")
        for _ in range(cycles):
            with watching() as host:
                began_s = time.monotonic()
                until(lambda host=host: shows_teal(host), what="the replaced picture")  # type: ignore[misc]
                took_s.append(time.monotonic() - began_s)
            until(lambda: core.status()["camera"]["state"] == "idle", what="the closed camera")
    measured("usb: host starts to live picture, on demand", took_s)
    assert max(took_s) <= within(1.0)


UNIT = Path(__file__).parents[2] / "systemd" / "scrim-gadget.service"
UNITS = Path("/run/systemd/system")


@pytest.fixture
def unit() -> Iterator[str]:
    """The unit in the guest's systemd, whose /host is where this project lies."""
    place = UNITS / UNIT.name
    more = UNITS / f"{UNIT.name}.d"
    command = f"{sys.executable} -m scrim gadget"
    place.write_text(UNIT.read_text())
    more.mkdir()
    (more / "guest.conf").write_text(
        # This machine's Python may live in a home folder, and this project below /tmp.
        "[Service]\nRootDirectory=/host\nProtectHome=no\nPrivateTmp=no\n"
        f"Environment=PYTHONPATH={Path(__file__).parents[2] / 'daemon'}\n"
        f"ExecStart=\nExecStart={command} up\nExecReload=\nExecReload={command} up\n"
        f"ExecStop=\nExecStop={command} down\n"
    )
    gadget("down")
    run("guest", "systemctl", "daemon-reload")
    yield UNIT.name
    run("guest", "systemctl", "stop", UNIT.name, is_checked=False)
    place.unlink()
    (more / "guest.conf").unlink()
    more.rmdir()
    run("guest", "systemctl", "daemon-reload")
    gadget("up", "gadget.packet_bytes=3072")


def test_systemd_sets_the_gadget_up_and_down_with_next_to_no_rights(unit: str) -> None:
    gadgets = Path("/sys/kernel/config/usb_gadget")
    told = run("guest", "systemctl", "start", unit, is_checked=False)
    told += run("guest", "journalctl", "--no-pager", "-o", "cat", "-u", unit)
    assert "gadget: set up on dummy_udc.0" in told
    assert [entry.name for entry in gadgets.iterdir()] == ["scrim"]
    assert (gadgets / "scrim" / "UDC").read_text().strip() == "dummy_udc.0"
    assert "active" in run("guest", "systemctl", "is-active", unit)
    run("guest", "systemctl", "reload", unit)
    assert (gadgets / "scrim" / "UDC").read_text().strip() == "dummy_udc.0"
    run("guest", "systemctl", "stop", unit)
    assert list(gadgets.iterdir()) == []

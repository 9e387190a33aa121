"""Both ends of a USB cable in one kernel: the gadget's, and a host that sees it as a webcam."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from tests import waiting

from scrim.config import GadgetSettings
from scrim.core.capture.test import TestPattern
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.sinks.uvc_gadget import UVCGadgetSink
from scrim.errors import SinkError
from scrim.frame import Caps, FramePool, SafeFrame
from scrim.uvc.controls import LoneShutter

T = TypeVar("T")

MODULES = ("dummy_hcd", "libcomposite", "usb_f_uvc", "uvcvideo")
PATIENCE_S = 120.0
"""For anything that is to happen at all; a machine that is busy with other things may take ten times as long
as usual, and may stop for seconds."""


def run(*command: str | Path, limit_s: float = PATIENCE_S, is_checked: bool = True) -> str:
    """A command's output, both of it."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0 or not is_checked, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def scrim(*arguments: str | Path, is_checked: bool = True) -> str:
    """The command line's output."""
    return run(sys.executable, "-m", "scrim", *arguments, is_checked=is_checked)


def gadget(action: str, *assignments: str) -> str:
    """``scrim gadget ...`` with settings."""
    words = [word for assignment in assignments for word in ("--set", assignment)]
    return scrim("gadget", action, *words)


def until(get: Callable[[], T], limit_s: float = PATIENCE_S, what: str = "it") -> T:
    """What ``get`` gives, once it gives something."""
    return waiting.until(get, limit_s, what)


def host_node() -> Path | None:
    """Where a program on the host finds the camera: by driver and name, and only once udev has seen it."""
    for name in sorted(Path("/sys/class/video4linux").glob("video*/name")):
        with contextlib.suppress(OSError):
            is_ours = "Camera" in name.read_text() and (name.parent / "index").read_text().strip() == "0"
            driver = (name.parent / "device" / "driver").resolve().name
            node = Path("/dev") / name.parent.name
            if is_ours and driver == "uvcvideo" and os.access(node, os.R_OK | os.W_OK):
                return node
    return None


def camera() -> Path:
    """The host's node, waited for."""
    return until(host_node, what="the camera on the host's side")


def camera_gone() -> None:
    """Wait until the host sees no camera."""
    until(lambda: host_node() is None, what="the camera's end on the host's side")


class Cable:
    """The host's socket, whose power goes off: both ends see what they see when a cable is pulled out."""

    def __init__(self) -> None:
        hubs = (hub for hub in Path("/sys/bus/usb/devices").glob("usb*") if "dummy_hcd" in str(hub.resolve()))
        self._switch = next(next(hubs).glob("*:1.0/usb*-port1/disable"))

    def pull(self) -> None:
        """Out."""
        self._switch.write_text("1")

    def push(self) -> None:
        """In."""
        self._switch.write_text("0")


class Board:
    """The gadget's side in this process: the sink, fed with a moving test pattern.

    Args:
        settings: what was set up.
        caps: of the pattern.
    """

    def __init__(self, settings: GadgetSettings, caps: Caps) -> None:
        self.shutter = LoneShutter()
        self.sink = UVCGadgetSink(settings, self.shutter)
        self.caps = caps
        self.sent: list[np.ndarray] = []
        self.is_painting = False
        self.fault: SinkError | None = None
        self._painter = PlaceholderPainter(caps.size)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def __enter__(self) -> Self:
        self.sink.open(self.caps)
        self.sink.write(self._painter.paint(Reason.STARTING, 0))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.sink.close()

    def _feed(self) -> None:
        source = TestPattern(self.caps)
        source.open()
        compositor = Compositor(self.caps.size, FramePool(self.caps.size, 4))
        while not self._stopping.is_set():
            frame = source.read()
            if frame is None:
                continue
            safe = (
                self._painter.paint(Reason.NOBODY, 0) if self.is_painting else compositor.pass_raw(frame, 0)
            )
            if safe is not None:
                self._write(safe)

    def _write(self, safe: SafeFrame) -> None:
        try:
            self.sink.write(safe)
        except SinkError as error:
            self.fault = error
            self._stopping.set()


@contextlib.contextmanager
def program(*command: str | Path) -> Iterator["subprocess.Popen[str]"]:
    """A program on the host, ended at last."""
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:
        try:
            yield started
        finally:
            started.kill()

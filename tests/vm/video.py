"""A camera and a webcam of software, both real drivers, and a core between them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.composite.replace import color_picture
from scrim.core.videodev2 import Direction, VideoNode
from scrim.errors import LocalError
from scrim.frame import Plane
from scrim.local.client import Client
from scrim.local.status import Status

from .usb import PATIENCE_S, run, until

SIZE = (640, 360)
COLOR = "#00ff00"
"""What stands for a live picture: no camera here shows it."""

_FAULTS = {
    "percentage_of_dropped_buffers": 0x00F0F040,
    "disconnect": 0x00F0F041,
    "inject_fatal_streaming_error": 0x00F0F046,
}
"""vivid's own numbers."""

_SYSFS = Path("/sys/class/video4linux")
_VIVID = Path("/sys/bus/platform/drivers/vivid")
_OLD_MODULE = Path("/run/guest/opt/v4l2loopback-0.12.7.ko")


def nodes_of(driver: str) -> list[Path]:
    """The nodes of a driver that udev has seen, in the order of their numbers."""
    run("guest", "udevadm", "settle")
    nodes = sorted(_SYSFS.glob("video*"), key=lambda path: int(path.name.removeprefix("video")))
    return [Path("/dev") / node.name for node in nodes if _driver_of(Path("/dev") / node.name) == driver]


def _remove_module(name: str) -> None:
    def is_gone() -> bool:
        run("guest", "udevadm", "settle")
        run("rmmod", name, is_checked=False)
        return not Path("/sys/module", name).exists()

    until(is_gone, what=f"the end of {name}")


def _driver_of(node: Path) -> str:
    try:
        opened = VideoNode(str(node))
    except OSError:
        return ""
    with contextlib.closing(opened):
        return opened.capability().driver


class Vivid:
    """The kernel's test camera, which fails when it is told to."""

    def __init__(self, cameras: int = 1) -> None:
        run("modprobe", "vivid", f"n_devs={cameras}", "node_types=" + ",".join(["0x1"] * cameras))
        self.node = until(lambda: nodes_of("vivid"), what="the camera")[0]

    @property
    def place(self) -> Path:
        """Its name by the port it is in."""
        return Path("/dev/v4l/by-path/platform-vivid.0-video-index0")

    def set(self, control: str, value: int = 1) -> None:
        """Turn one of its controls; a fault begins at once, without a program's start between."""
        if control in _FAULTS:
            with contextlib.closing(VideoNode(str(self.node))) as node:
                node.set_control(_FAULTS[control], value)
        else:
            run("guest", "v4l2-ctl", "--device", self.node, "--set-ctrl", f"{control}={value}")

    def vanish(self) -> None:
        """Answer ENODEV to everything, as a camera does whose cable was just pulled out."""
        self.set("disconnect")

    def unplug(self) -> None:
        """Be gone, node and all."""
        (_VIVID / "unbind").write_text("vivid.0")

    def plug(self) -> None:
        """Be back."""
        (_VIVID / "bind").write_text("vivid.0")
        self.node = until(lambda: nodes_of("vivid"), what="the camera's return")[0]

    @staticmethod
    def remove() -> None:
        """Take the driver out, once everybody has let go of it."""
        _remove_module("vivid")


class Loopback:
    """v4l2loopback as /dev/video10."""

    node = Path("/dev/video10")

    def __init__(self, *options: str, is_old: bool = False) -> None:
        options = ("video_nr=10", "exclusive_caps=1", "card_label=Scrim", *options)
        if is_old:
            run("modprobe", "videodev")
            run("insmod", _OLD_MODULE, *options)
        else:
            run("modprobe", "v4l2loopback", *options)
        run("guest", "udevadm", "settle")

    @property
    def state(self) -> str:
        """``capture`` while somebody feeds it, else ``output``; 0.12.7 does not tell."""
        return (_SYSFS / self.node.name / "state").read_text().strip()

    @staticmethod
    def remove() -> None:
        """Take the driver out, once everybody has let go of it."""
        _remove_module("v4l2loopback")


class Core:
    """``scrim core`` as a process.

    Args:
        folder: for its settings, socket and state.
        settings: as ``--set`` takes them.
        inside: a command that runs it.
    """

    def __init__(self, folder: Path, *settings: str, inside: Sequence[str | Path] = ()) -> None:
        self._folder = folder
        self._inside = inside
        self._words = [word for setting in settings for word in ("--set", setting)]
        self._log = (folder / "log").open("a+")
        self._process: subprocess.Popen[str] | None = None
        self.started_s = 0.0
        self.start()

    def start(self) -> None:
        """Start it; returns at once."""
        self.started_s = time.monotonic()
        (self._folder / "empty.toml").touch()
        self._process = subprocess.Popen(
            [
                *self._inside,
                sys.executable,
                "-m",
                "scrim",
                "-v",
                "core",
                "--config",
                self._folder / "empty.toml",
                *self._words,
            ],
            env=os.environ | {"SCRIM_SOCKET": str(self._socket), "XDG_STATE_HOME": str(self._folder)},
            stdout=self._log,
            stderr=self._log,
            text=True,
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it said so far."""
        return (self._folder / "log").read_text()

    @property
    def descriptors(self) -> int:
        """How many files it has open, besides connections that are just being closed."""
        counts = []
        for _ in range(10):
            counts.append(len(list(Path(f"/proc/{self.pid}/fd").iterdir())))
            time.sleep(0.02)
        return min(counts)

    def holds(self, node: Path) -> bool:
        """Whether it has a device open."""
        links = []
        for entry in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.append(entry.readlink())
        return node.resolve() in links

    def status(self) -> Status | None:
        """What it says of itself; None while it says nothing."""
        assert self._process is not None
        assert self._process.poll() is None, f"the core ended:\n{self.log[-3000:]}"
        try:
            with Client(self._socket, timeout_s=PATIENCE_S) as client:
                return client.status()
        except LocalError:
            return None

    def ask(self, **patch: Any) -> None:
        """Change its settings."""
        with Client(self._socket, timeout_s=PATIENCE_S) as client:
            client.set(patch)

    def events(self, name: str) -> int:
        """How many events of a name there were since it was started; nobody need have looked."""
        with Client(self._socket, timeout_s=PATIENCE_S) as client:
            return int(client.request("counters")["events"].get(name, 0))

    def until(self, is_so: Callable[[Status], bool], limit_s: float = PATIENCE_S, what: str = "it") -> Status:
        """Its status, once it is as wanted."""

        def seen() -> Status | None:
            status = self.status()
            return status if status is not None and is_so(status) else None

        try:
            return until(seen, limit_s, what)
        except AssertionError:
            raise AssertionError(f"{what} never came to be: {self.status()}\n{self.log[-3000:]}") from None

    def until_live(self, limit_s: float = PATIENCE_S) -> Status:
        """Its status, once it shows the camera."""
        return self.until(lambda status: status["state"] == "running", limit_s, "a live picture")

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it as a service manager does."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _socket(self) -> Path:
        return self._folder / "core.sock"


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture that a reader was given.

    Attributes:
        at_s: when, on the monotonic clock.
        written_s: when it was written, as far as the device tells; it may show an old one again.
        kind: ``live`` is all of one colour, ``placeholder`` one of the placeholder's pictures.
    """

    at_s: float
    written_s: float
    kind: str


class Reader:
    """A program that reads the webcam, like a meeting: streams, and notes what each picture shows.

    Args:
        node: what it reads.
        size: (width, height) that it expects in every picture.
    """

    def __init__(self, node: Path, size: tuple[int, int] = SIZE) -> None:
        self._size = size
        painter = PlaceholderPainter(size)
        self._placeholders = {painter.paint(reason, 0).i420[: size[1]].tobytes() for reason in Reason}
        self._live = int(color_picture(COLOR, size)[0, 0])
        self.seen: list[Seen] = []
        self.errors: list[str] = []
        self.newest = b""
        self._is_stopping = threading.Event()
        self._node = VideoNode(str(node))
        try:
            self.format = self._node.set_format(Direction.CAPTURE, "YU12", size)
            self._node.start(4)
        except OSError:
            self._node.close()
            raise
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def last(self, kind: str) -> float:
        """When a picture of that kind was seen last; 0 for never."""
        return next((seen.at_s for seen in reversed(self.seen) if seen.kind == kind), 0.0)

    def after(self, since_s: float, kind: str, limit_s: float = PATIENCE_S, *, is_new: bool = False) -> float:
        """Seconds from a moment to the first picture of a kind after it, waiting for it.

        Args:
            since_s: the moment.
            kind: see :class:`Seen`.
            limit_s: for waiting.
            is_new: it must have been written after the moment.
        """

        def found() -> float | None:
            for seen in self.seen[-2000:]:
                if (seen.written_s if is_new else seen.at_s) > since_s and seen.kind == kind:
                    return seen.at_s - since_s
            return None

        return until(found, limit_s, f"a picture that is {kind}")

    def kinds(self, since_s: float = 0.0) -> set[str]:
        """What was seen since a moment."""
        return {seen.kind for seen in self.seen if seen.at_s > since_s}

    def close(self) -> None:
        """Stop reading."""
        self._is_stopping.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._node.stop()
        self._node.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while not self._is_stopping.is_set():
            try:
                if not self._node.ready(0.1):
                    continue
                filled = self._node.dequeue()
                kind = self._kind(filled.data)
                self._node.queue(filled.index)
            except OSError as error:
                self.errors.append(str(error))
                return
            now_s = time.monotonic()
            self.seen.append(Seen(now_s, now_s if filled.pts_ns is None else filled.pts_ns / 1e9, kind))

    def _kind(self, data: Plane) -> str:
        width, height = self._size
        if data.size != width * height * 3 // 2:
            return f"{data.size} bytes"
        luma = data[: width * height]
        self.newest = luma.tobytes()
        if self.newest in self._placeholders:
            return "placeholder"
        is_colored = np.abs(luma.astype(np.int16) - self._live) <= 2
        return "live" if is_colored.mean() > 0.97 else "strange"

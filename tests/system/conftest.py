"""A core without a camera: the real local socket and feed, answering from a settings document in memory.

And a real MQTT broker.
"""

import asyncio
import contextlib
import functools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import pytest

from scrim.config import Settings, strength_name, strength_number
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.health import HealthReader, ProcessReader
from scrim.core.metrics import Figures, Metrics
from scrim.core.sinks.feed import FeedSink
from scrim.errors import LocalError
from scrim.frame import Caps
from scrim.gateway.service import serve
from scrim.local.feed import FeedWriter
from scrim.local.server import LocalServer
from scrim.local.status import Status

CAPS = Caps(640, 360, 30)


class StandInCore:
    """Answers as a core does; ``show`` sends one frame into the feed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = Settings()
        self.patches: list[dict[str, Any]] = []
        self.state = "running"
        self.placeholder_reason: str | None = None
        self.sinks: list[dict[str, Any]] = []
        self.closed_by: list[str] = []
        self.restart_needed: list[str] = []
        self.captured = 344712
        self.metrics_answer: Future[dict[str, Any]] | None = None
        self.asked: list[str] = []
        self.terms: list[dict[str, Any]] = []
        self.is_somebody_there = True
        self.camera_error: str | None = None
        self.quality_level = 0
        self.machine: dict[str, Any] = {}
        self.counters = _counters()
        self.shown = 0
        self.feed = FeedWriter()
        self._sink = FeedSink(self.feed)
        self._painter = PlaceholderPainter(CAPS.size)
        self._began_s = time.monotonic()
        self._metrics = Metrics(HealthReader(), ProcessReader(time.monotonic), self._began_s)
        self._server: LocalServer | None = None
        self._playing: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        self._server = LocalServer(self.path, self, self.feed)
        self._server.start()
        self._sink.open(CAPS)

    def stop(self) -> None:
        self._stop.set()
        if self._playing is not None:
            self._playing.join()
            self._playing = None
        if self._server is not None:
            self._server.close()
        self._server = None
        self._sink.close()

    def resize(self, caps: Caps) -> None:
        """Another size from here on."""
        self._sink.close()
        self._painter = PlaceholderPainter(caps.size)
        self._sink.open(caps)

    def show(self, reason: Reason = Reason.CAMERA_LOST) -> None:
        self.shown += 1
        self._sink.write(self._painter.paint(reason, self.shown))

    def play(self, frame_rate: float = 30.0) -> None:
        """Show frames by itself until ``stop``."""
        self._stop.clear()
        self._playing = threading.Thread(target=self._play, args=(1 / frame_rate,))
        self._playing.start()

    def _play(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            self.show()

    def publish(self, event: str, **fields: Any) -> None:
        assert self._server is not None
        self._server.publish(event, **fields)

    def handle(self, method: str, params: dict[str, Any]) -> "dict[str, Any] | Future[dict[str, Any]]":
        self.asked.append(method)
        if method == "status":
            return dict(self.status())
        if method == "counters":
            return self.counters
        if method == "metrics":
            return self.metrics_answer or self.metrics()
        if method == "set":
            self.terms.append({key: value for key, value in params.items() if key != "patch"})
            asked = params.get("if_revision")
            if asked is not None and asked != 1 + len(self.patches):
                raise LocalError(f"if_revision = {asked}: revision {1 + len(self.patches)} is in effect")
            self.settings = self.settings.patched(params["patch"], live=True)
            self.patches.append(params["patch"])
            return self.in_effect()
        if method == "settings":
            return self.in_effect()
        if method == "reset":
            self.settings = Settings()
            return self.in_effect()
        if method == "restart":
            return {}
        raise LocalError(f"no method {method}")

    def in_effect(self) -> dict[str, Any]:
        return {"revision": 1 + len(self.patches), "settings": self.settings.without_secrets()}

    def metrics(self) -> dict[str, Any]:
        figures = Figures(
            frames_submitted=344700,
            frames_segmented=344690,
            frames_dropped=57,
            frame_rate_in_hz=30.0,
            frame_rate_out_hz=29.9,
            segmentation_duration_ms=6.8,
            effect_render_duration_ms=6.3,
            latency_p50_ms=21.4,
            latency_p95_ms=30.2,
            picture_age_ms=33.0,
            model="person-256x144",
            delegate="cpu",
            initialization_duration_ms=84.0,
            matte_coverage=0.31,
            settings_revision=1 + len(self.patches),
        )
        return self._metrics.snapshot(figures, time.monotonic()) | self.machine

    def status(self) -> Status:
        strength = self.settings.background_blur.strength
        replacement = self.settings.background_replacement
        is_on = self.settings.camera.is_enabled and not self.closed_by
        return {
            "version": "0.1.0",
            "uptime_s": time.monotonic() - self._began_s + 11520,
            "state": self.state if is_on else "off",  # type: ignore[typeddict-item]
            "placeholder_reason": self.placeholder_reason if is_on else "privacy",
            "revision": 1 + len(self.patches),
            "restart_needed": self.restart_needed,
            "camera": {
                "source": "v4l2:/dev/video0",
                "state": "live" if is_on else "off",
                "caps": "1280x720@30",
                "error": self.camera_error,
                "closed_by": self.closed_by + ([] if is_on else ["settings"]),
                "device": None,
            },
            "frames": {
                "rate_in_hz": 30.0,
                "rate_out_hz": 29.9,
                "captured": self.captured,
                "delivered": 344655,
                "dropped": 57,
            },
            "latency_ms": {"p50": 21.4, "p95": 30.2},
            "stages_ms": {"capture": 1.2, "segment": 6.8, "matte": 2.9, "composite": 3.4},
            "model": {
                "name": "person-256x144",
                "form": "int8",
                "runtime": "LiteRT, XNNPACK",
                "input": "256x144",
            },
            "effect": {
                "effect": self.settings.effect,
                "strength": strength_number(strength),
                "strength_name": strength_name(strength),
                "color": replacement.default_color,
                "image": replacement.background_image_url,
                "image_error": None,
                "fit": replacement.fit,
            },
            "quality": {
                "level": self.quality_level,
                "reason": "time" if self.quality_level else None,
                "is_overlapping": False,
            },
            "is_somebody_there": self.is_somebody_there,
            "coverage": 0.31,
            "sinks": self.sinks,  # type: ignore[typeddict-item]
            "rss_mb": 142.0,
            "safe_mode": None,
        }


def _counters() -> dict[str, Any]:
    counts = [0, 0, 50, 90, 95, 98, 99, 99, 100, 100, 100, 100]
    stages = ("capture", "segment", "matte", "composite", "total")
    return {
        "bounds_s": [0.002, 0.004, 0.008, 0.012, 0.016, 0.024, 0.033, 0.05, 0.066, 0.1, 0.2],
        "stages": {stage: {"counts": counts, "sum_s": 0.68} for stage in stages},
        "frames_dropped": {"camera": 0, "late": 50, "no_mask": 1, "no_buffer": 0, "sink": 6},
        "segmentations_skipped": 10,
        "events": {"camera_lost": 1},
        "settings_changes": {},
    }


@pytest.fixture
def stand_in_core(tmp_path: Path) -> Iterator[StandInCore]:
    core = StandInCore(tmp_path / "run" / "core.sock")
    core.start()
    try:
        yield core
    finally:
        core.stop()


Serve = Callable[[Path], contextlib.AbstractAsyncContextManager[str]]


@contextlib.asynccontextmanager
async def _gateway(path: Path, settings: Settings | None = None) -> AsyncIterator[str]:
    """A real gateway in the running loop, its page on a free port; yields its URL without the last slash."""
    ready: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    free = (settings or Settings()).patched({"web": {"port": 0}})
    serving = asyncio.create_task(serve(path, free, ready.set_result, stop))
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    try:
        yield (ready.result() or "").rstrip("/")
    finally:
        stop.set()
        await serving


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """With a folder for state of its own, and the patience of a machine that may stop for seconds."""
    for limit in (
        "live_picture._STILL_S",
        "live_picture._ANSWER_S",
        "core_link._ANSWER_S",
        "web.body.BODY_S",
    ):
        monkeypatch.setattr(f"scrim.gateway.{limit}", 60.0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "gateway-state"))
    return _gateway


class Mosquitto:
    """A real broker.

    Args:
        folder: for its settings.
        port: of loopback.
        lines: of its settings, beside the port; anybody may do anything unless they say otherwise.
    """

    def __init__(self, folder: Path, port: int, *lines: str) -> None:
        self.folder = folder
        self.lines = lines or ("allow_anonymous true",)
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again on the same port."""
        listener = f"listener {self.port} 127.0.0.1"
        lines = (
            "per_listener_settings false",
            "persistence false",
            "set_tcp_nodelay true",
            listener,
            *self.lines,
        )
        settings = self.folder / f"mosquitto-{self.port}.conf"
        settings.write_text("\n".join([f"user {pwd.getpwuid(os.getuid()).pw_name}", *lines, ""]))
        self._process = subprocess.Popen(
            [_mosquitto(), "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline_s = time.monotonic() + 180
        while not self._listens():
            assert self._process.poll() is None, "mosquitto ended; are its settings right?"
            assert time.monotonic() < deadline_s
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(180)
        self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 10):
            return True
        return False


def _mosquitto() -> str:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("mosquitto is not here: apt install mosquitto")
    return found


@pytest.fixture
def make_mosquitto(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> Iterator[Callable[..., Mosquitto]]:
    """Starts brokers, with lines of settings of one's own."""
    started: list[Mosquitto] = []

    def make(*lines: str) -> Mosquitto:
        broker = Mosquitto(tmp_path, *free_ports(1), *lines)
        broker.start()
        started.append(broker)
        return broker

    try:
        yield make
    finally:
        for broker in started:
            broker.stop()


@pytest.fixture
def mosquitto(make_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A broker at which anybody may do anything."""
    return make_mosquitto()


def let_go_first(pid: int) -> None:
    """Give a process the processor before all others, where we may: what it loses then is our fault.

    A test that counts frames lost would otherwise count what a busy machine takes away.
    """
    with contextlib.suppress(PermissionError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))


@pytest.fixture
def go_first() -> Callable[[int], None]:
    return let_go_first


class RealScrim:
    """A real core and a real gateway, each in its process.

    Args:
        folder: for the socket.
        environment: of both.
        core: more arguments of the core's.
        web: more arguments of the gateway's, in one text.
    """

    def __init__(self, folder: Path, environment: dict[str, str], *core: str, web: str = "") -> None:
        self.socket = folder / "core.sock"
        self._environment = environment | {"SCRIM_SOCKET": str(self.socket)}
        start = [sys.executable, "-m", "scrim"]
        self._core_command = [*start, "core", *core]
        self._gateway_command = [*start, "gateway", "--set", "web.port=0", *web.split()]
        self.url = ""
        self.start_core()
        self.start_gateway()

    def start_core(self) -> None:
        self.core = subprocess.Popen(self._core_command, env=self._environment, stderr=subprocess.DEVNULL)

    def start_gateway(self) -> None:
        """Start it; ready when it says where its page is."""
        self.gateway = subprocess.Popen(
            self._gateway_command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.gateway.stdout is not None
        self.url = self.gateway.stdout.readline().split()[-1].rstrip("/")

    def restart_core(self) -> None:
        """As whoever started it would, once it has ended."""
        self.core.wait(180)
        self.start_core()

    def kill_gateway(self) -> None:
        self.gateway.kill()
        self._gone(self.gateway)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.gateway, self.core):
            process.terminate()
            self._gone(process)

    def _gone(self, process: "subprocess.Popen[Any]") -> None:
        process.wait(180)
        if process.stdout is not None:
            process.stdout.close()

    def rss_mb(self) -> float:
        return rss_mb(self.gateway.pid)


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in 10^6 bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


@pytest.fixture
def real_scrim(tmp_path: Path, scrim_environment: dict[str, str]) -> Callable[..., RealScrim]:
    """Starts one; two after each other have the same folder for state."""
    return functools.partial(RealScrim, tmp_path, scrim_environment)

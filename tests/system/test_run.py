"""``scrim run`` and ``scrim core`` for real: processes, the socket, a sink, and their end."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.waiting import until

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.errors import EXIT_RESTART, ConfigError, LocalError
from scrim.local.client import Client

PATIENCE_S = 180.0
STOP_S = 5.0
SIZE = (160, 120)
SETTINGS = (
    *("--set", "web.port=0", "--set", "camera.source=demo:", "--set", "effect=color"),
    *("--set", f"camera.width={SIZE[0]}", "--set", f"camera.height={SIZE[1]}"),
    *("--set", "model.name=person-192x112", "--set", "model.form=float16"),
)


class Running:
    """One ``scrim`` that runs until it is stopped, with a temporary folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        self.folder = folder
        self._out, self._err = folder / "stdout", folder / "stderr"
        (folder / "tmp").mkdir()
        environment = environment | {"TMPDIR": str(folder / "tmp"), "SCRIM_SOCKET": str(folder / "core.sock")}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scrim", *arguments], env=environment, stdout=out, stderr=err
            )

    @property
    def errors(self) -> str:
        return self._err.read_text()

    def address(self) -> str:
        found = until(lambda: re.search(r"http://127\.0\.0\.1:\d+/", self._out.read_text()))
        return found.group()

    def client(self) -> Client:
        return Client(until(self._socket), timeout_s=PATIENCE_S)

    def until_status(self, client: Client, *path: str, is_: object) -> None:
        def look() -> bool:
            value: object = client.status()
            for key in path:
                assert isinstance(value, dict)
                value = value[key]
            return value == is_

        until(look)

    def children(self) -> dict[str, int]:
        """Command to pid."""
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = {int(child): Path(f"/proc/{child}/cmdline").read_text() for child in pids}
        return {"core" if "\0core\0" in line else "gateway": child for child, line in lines.items()}

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        return self.process.wait(timeout_s)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait(STOP_S)

    def _socket(self) -> Path | None:
        for path in (self.folder / "core.sock", *self.folder.glob("tmp/scrim-*/core.sock")):
            try:
                with Client(path):
                    return path
            except LocalError:
                continue
        assert self.process.poll() is None, self.errors
        return None


Start = Callable[..., Running]


@pytest.fixture
def start(scrim_environment: dict[str, str]) -> Iterator[Start]:
    """Starts ``scrim`` with arguments; whatever still runs at the end is stopped."""
    started: list[Running] = []
    with tempfile.TemporaryDirectory(prefix="sr-") as base:  # short: a socket's path has 107 bytes at most

        def begin(*arguments: str) -> Running:
            folder = Path(base) / str(len(started))
            folder.mkdir()
            started.append(Running(folder, scrim_environment, *arguments))
            return started[-1]

        yield begin
        for running in started:
            if running.process.poll() is None:
                running.process.terminate()
                running.wait()


def is_alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def listens(pid: int) -> bool:
    """Whether the process has a TCP socket that listens."""
    tables = [Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    listening = {line.split()[9] for table in tables for line in table if line.split()[3] == "0A"}
    mine = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    return any(f"socket:[{inode}]" in mine for inode in listening)


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    video = cv2.VideoCapture(str(path))
    frames = []
    while (read := video.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    return frames


def placeholder(reason: Reason) -> NDArray[np.uint8]:
    painted = PlaceholderPainter(SIZE).paint(reason, 1)
    return np.asarray(cv2.cvtColor(painted.i420.copy(), cv2.COLOR_YUV2BGR_I420), np.uint8)


@pytest.mark.parametrize("overlap", ["auto", "on"])
def test_a_run_from_its_first_frame_to_its_last(start: Start, tmp_path: Path, overlap: str):
    out = tmp_path / "out.mkv"
    running = start("run", *SETTINGS, "--set", f'sinks=["file:{out}"]', "--set", f"budget.overlap={overlap}")
    with urllib.request.urlopen(running.address(), timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    with running.client() as client:
        running.until_status(client, "state", is_="running")
        status = client.status()
        assert status["camera"]["caps"].startswith("160x120@")
        assert status["effect"]["effect"] == "color"
        assert status["quality"]["is_overlapping"] or overlap == "auto"
        assert [sink["state"] for sink in status["sinks"]] == ["open", "open"]
        until(lambda: client.status()["frames"]["delivered"] >= 10)
    children = running.children()
    assert set(children) == {"core", "gateway"}
    assert running.stop() == 0
    assert not any(map(is_alive, children.values()))
    assert list((running.folder / "tmp").iterdir()) == []
    assert "Traceback" not in running.errors
    frames = frames_of(out)
    placeholders = [placeholder(reason) for reason in Reason]
    is_placeholder = [any(np.array_equal(frame, one) for one in placeholders) for frame in frames]
    assert np.array_equal(frames[0], placeholder(Reason.STARTING))
    assert np.array_equal(frames[-1], placeholder(Reason.STOPPING))
    assert is_placeholder.count(False) >= 10
    assert all(
        (frame[:4, :4] < 30).all() for frame, is_one in zip(frames, is_placeholder, strict=True) if not is_one
    )


@pytest.mark.parametrize("overlap", ["auto", "on"])
def test_settings_change_while_it_runs(start: Start, tmp_path: Path, overlap: str):
    running = start("core", *SETTINGS, "--set", f"budget.overlap={overlap}")
    with running.client() as client:
        running.until_status(client, "state", is_="running")
        assert (
            client.set({"effect": "blur", "strength": "high"})["settings"]["background_blur"]["strength"]
            == "high"
        )
        revision = client.status()["revision"]
        for patch, word in (
            ({"strength": 0}, "background_blur.strength"),
            ({"camera": {"source": "test:"}}, "local settings file"),
            ({"effect": "image", "image": f"file:{tmp_path}/x.png"}, "background_image_url"),
        ):
            with pytest.raises(ConfigError, match=word):
                client.set(patch)
            assert client.status()["revision"] == revision
        with pytest.raises(ConfigError, match="allow_raw"):
            client.set({"effect": "off"})
        running.until_status(client, "state", is_="off")
        client.set({"effect": "blur"})
        running.until_status(client, "state", is_="running")
    assert running.stop() == 0


def test_a_core_that_is_to_restart_says_goodbye_and_ends_with_75(start: Start, tmp_path: Path):
    out = tmp_path / "out.mkv"
    running = start("core", *SETTINGS, "--set", f'sinks=["file:{out}"]')
    with running.client() as client:
        running.until_status(client, "state", is_="running")
        with pytest.raises(LocalError, match="restart has none"):
            client.request("restart", {"in_s": 5})
        client.restart()
    assert running.wait() == EXIT_RESTART
    assert np.array_equal(frames_of(out)[-1], placeholder(Reason.STOPPING))
    assert "Traceback" not in running.errors


def test_a_run_starts_a_core_again_that_is_to_restart(start: Start, scrim_environment: dict[str, str]):
    running = start("run", *SETTINGS)
    address = running.address()
    with running.client() as client:
        running.until_status(client, "state", is_="running")
    before = running.children()
    command = [sys.executable, "-m", "scrim", "ctl", "--socket", str(running.folder / "core.sock"), "restart"]
    done = subprocess.run(command, env=scrim_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "it is back" in done.stdout
    with running.client() as client:
        running.until_status(client, "state", is_="running")
    after = running.children()
    assert after["core"] != before["core"]
    assert after["gateway"] == before["gateway"]
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    assert running.stop() == 0
    assert "Traceback" not in running.errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_it_too(start: Start, number: int):
    running = start("run", *SETTINGS)
    running.address()
    children = running.children()
    assert running.stop(number) == 0
    assert not any(map(is_alive, children.values()))


def test_both_end_when_the_run_itself_is_killed(start: Start):
    running = start("run", *SETTINGS)
    running.address()
    children = running.children()
    running.process.kill()
    running.wait()
    until(lambda: not any(map(is_alive, children.values())))


def test_a_core_that_is_killed_ends_the_run_with_an_error(start: Start):
    running = start("run", *SETTINGS)
    running.client().close()
    children = running.children()
    os.kill(children["core"], signal.SIGKILL)
    assert running.wait() == 128 + signal.SIGKILL
    assert "core was killed by SIGKILL" in running.errors
    assert not any(map(is_alive, children.values()))
    assert list((running.folder / "tmp").iterdir()) == []


def test_a_port_that_is_taken_is_said_clearly(start: Start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = start("run", *SETTINGS, "--set", f"web.port={port}")
        assert running.wait() == 1
    assert f"port {port} on 127.0.0.1 is taken by another program" in running.errors
    assert "Traceback" not in running.errors


@pytest.mark.parametrize("source", ["v4l2:/dev/video99", "file:/none/clip.mp4", "file:/none/picture.png"])
def test_a_camera_that_is_not_there_ends_a_run(start: Start, source: str):
    running = start("run", *SETTINGS, "--set", f"camera.source={source}")
    assert running.wait() == 1
    assert "Traceback" not in running.errors
    assert f"scrim: {source.partition(':')[2]}" in running.errors


def test_a_camera_that_is_not_there_is_waited_for_by_a_core(start: Start):
    running = start("core", *SETTINGS, "--set", "camera.source=v4l2:/dev/video99")
    with running.client() as client:
        running.until_status(client, "camera", "state", is_="lost")
        running.until_status(client, "placeholder_reason", is_="camera_lost")
        status = client.status()
        assert status["state"] == "placeholder"
        assert "/dev/video99" in str(status["camera"]["error"])
        picture = client.preview()
        assert picture is not None
        assert picture.origin == "placeholder"
    assert running.process.poll() is None
    assert running.stop() == 0
    assert "Traceback" not in running.errors


@pytest.mark.parametrize(
    ("settings", "status", "word"),
    [
        ("model.name=nobody", 78, "person-256x144"),
        ("camera.source=webcam", 78, "camera.source"),
        ("web.host=0.0.0.0", 78, "web.host"),
    ],
)
def test_wrong_settings_end_it_with_78(start: Start, settings: str, status: int, word: str):
    running = start("run", *SETTINGS, "--set", settings)
    assert running.wait() == status
    assert word in running.errors
    assert "Traceback" not in running.errors


def test_a_sink_that_cannot_be_opened_does_not_end_it(start: Start, tmp_path: Path):
    running = start("core", *SETTINGS, "--set", f'sinks=["file:{tmp_path}/none/out.mkv"]')
    with running.client() as client:
        running.until_status(client, "state", is_="running")
        sink = client.status()["sinks"][1]
        assert sink["state"] == "failed"
        assert "there is no folder" in str(sink["error"])
    assert running.stop() == 0


def test_without_the_page_the_gateway_runs_and_listens_nowhere(start: Start):
    running = start("run", *SETTINGS, "--set", "web.is_enabled=false")
    running.client().close()
    until(lambda: set(running.children()) == {"core", "gateway"})
    gateway = running.children()["gateway"]
    until(lambda: "core is here" in running.errors)
    assert not listens(gateway)
    assert running.stop() == 0

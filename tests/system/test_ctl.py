"""``scrim ctl`` against a real core and a real gateway; images from outside, from end to end."""

import asyncio
import base64
import contextlib
import json
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.waiting import until

from scrim.errors import EXIT_RESTART, ConfigError, LocalError
from scrim.local import AsyncClient, Client
from scrim.local.server import LocalServer

PATIENCE_S = 180.0
PNG = cv2.imencode(".png", np.full((60, 80, 3), 255, np.uint8))[1].tobytes()
BOMB = PNG[:16] + struct.pack(">II", 20_000, 20_000) + PNG[24:]
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()

CONFIG = """
sinks = []
[camera]
source = "test:"
width = 160
height = 120
[model]
name = "person-192x112"
form = "float16"
[images]
allow_http = true
allow_hosts = ["127.0.0.1"]
[web]
port = 0
"""


class Running:
    """A core and a gateway, each a process, with one socket; ``ctl`` runs the command line against them."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.path = folder / "core.sock"
        (folder / "scrim.toml").write_text(CONFIG)
        self.environment = environment | {
            "SCRIM_SOCKET": str(self.path),
            "SCRIM_CONFIG": str(folder / "scrim.toml"),
        }
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, "-m", "scrim", name, *arguments],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        child = self.children.pop(name)
        child.send_signal(number)
        child.wait(PATIENCE_S)

    def ctl(self, *arguments: str | Path, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "scrim", "ctl", *map(str, arguments)],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def client(self) -> Client:
        return Client(self.path, timeout_s=PATIENCE_S)

    def is_up(self) -> bool:
        try:
            with self.client() as client:
                return client.status()["state"] == "running"
        except LocalError:
            return False

    def set_when_gateway_is_there(self, patch: dict[str, Any]) -> dict[str, Any]:
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self.client() as client:
                    return client.set(patch)
            except ConfigError as error:
                # Nor is it a fault where a busy machine takes longer to decode than anybody should wait.
                is_slow = "gateway" in str(error) or "takes too long to decode" in str(error)
                if not is_slow or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)


@pytest.fixture
def core(tmp_path: Path, scrim_environment: dict[str, str]) -> Iterator[Running]:
    running = Running(tmp_path, scrim_environment)
    running.start("core")
    try:
        until(running.is_up)
        yield running
    finally:
        for name in tuple(running.children):
            running.stop(name)


def shows_the_image(core: Running) -> bool:
    """White behind the person; where there is no time, a placeholder stands in for a moment."""
    with core.client() as client:
        picture = client.preview(PATIENCE_S)
    return picture is not None and int(picture.planes.y[2, 2]) == 235


class Server(ThreadingHTTPServer):
    """Images on loopback: ``/slow.png`` waits for ``let_go``.

    Attributes:
        asked: the paths that were asked for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.let_go = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        if self.path == "/slow.png":
            server.let_go.wait(PATIENCE_S)
        if self.path == "/none.png":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        if self.path == "/endless.png":
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(1 << 20))
        self.wfile.write(BOMB if self.path == "/bomb.png" else PNG)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.let_go.set()
        serving.shutdown()
        thread.join()


def test_status_for_people_and_for_programs(core: Running):
    text = core.ctl("status")
    assert text.returncode == 0
    assert "running" in text.stdout
    assert "blurred, strength 15 (medium)" in text.stdout
    answer = json.loads(core.ctl("status", "--json").stdout)
    assert answer["effect"]["effect"] == "blur"
    with core.client() as client:
        assert client.status().keys() == answer.keys()


def test_watch_goes_on_until_it_is_interrupted(core: Running):
    command = [sys.executable, "-m", "scrim", "ctl", "status", "--json", "--watch"]
    with subprocess.Popen(command, env=core.environment, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        for _ in range(2):
            assert json.loads(watching.stdout.readline())["state"] == "running"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE_S) == 0


def test_set_and_reset(core: Running):
    done = core.ctl("set", "effect=color", "color=teal")
    assert (done.returncode, done.stdout) == (0, "scrim: revision 2 is in effect\n")
    answer = json.loads(core.ctl("set", "--json", "strength=40", "fit=contain").stdout)
    assert answer["settings"]["background_blur"]["strength"] == 40
    assert core.ctl("reset").stdout == "scrim: revision 4 is in effect\n"
    with core.client() as client:
        assert client.status()["effect"]["effect"] == "blur"


def test_settings_are_printed_as_set_takes_them(core: Running):
    core.ctl("set", "effect=color", "color=teal", "strength=40")
    lines = core.ctl("settings").stdout.splitlines()
    assert {"background_blur.strength=40.0", 'background_replacement.default_color="#008080"'} <= set(lines)
    answer = json.loads(core.ctl("settings", "--json").stdout)
    assert answer["revision"] == 2
    with core.client() as client:
        assert client.settings() == answer
        live = [line for line in lines if line.startswith(("background_", "matte.", "person."))]
    assert core.ctl("set", *live).stdout == "scrim: revision 2 is in effect\n"


def test_the_model_is_changed_while_it_runs(core: Running):
    def is_in_use(name: str, form: str) -> bool:
        with contextlib.suppress(LocalError), core.client() as client:
            model = client.status()["model"]
            return (model["name"], model["form"]) == (name, form)
        return False

    with core.client() as client:
        assert is_in_use("person-192x112", "float16")
        assert "person-384x208" in client.status()["model"]["offered"]
        answer = client.set({"model": {"name": "person-256x144", "form": "int8"}})
        assert answer["restart_needed"] == []
        assert is_in_use("person-256x144", "int8")
        delivered = client.status()["frames"]["delivered"]
        until(lambda: client.status()["frames"]["delivered"] > delivered)
        until(lambda: client.status()["state"] == "running")
        with pytest.raises(ConfigError, match="allowed: person-192x112") as caught:
            client.set({"model": {"name": "../../etc/passwd"}, "strength": "high"})
        with pytest.raises(ConfigError, match="not in") as caught:
            client.set({"model": {"name": "nobody"}, "strength": "high"})
        assert caught.value.problems[0].key == "model.name"
        with pytest.raises(ConfigError, match="local settings file"):
            client.set({"model": {"threads": 2}})
        assert is_in_use("person-256x144", "int8")
        assert client.status()["effect"]["strength_name"] == "medium"
    core.stop("core")
    core.start("core")
    until(lambda: is_in_use("person-256x144", "int8"))
    with core.client() as client:
        client.reset()
        assert is_in_use("person-192x112", "float16")


def test_size_and_rate_come_into_effect_with_a_restart(core: Running):
    with core.client() as client:
        answer = client.set({"camera": {"width": 128, "height": 96, "frameRate": 20}})
        needed = ["camera.width", "camera.height", "camera.frame_rate"]
        assert answer["restart_needed"] == client.status()["restart_needed"] == needed
        assert answer["settings"]["camera"]["width"] == 128
        assert client.status()["camera"]["caps"] == "160x120@30"
        client.restart()
    assert core.children.pop("core").wait(PATIENCE_S) == EXIT_RESTART
    core.start("core")
    until(core.is_up)
    with core.client() as client:
        status = client.status()
        assert (status["camera"]["caps"], status["restart_needed"]) == ("128x96@20", [])
        picture = client.preview()
        assert picture is not None
        assert picture.planes.y.shape == (96, 128)
        assert client.reset()["restart_needed"] == needed


def test_the_picture_is_mirrored_while_it_runs(core: Running):
    """The frame's number stands in the upper left corner of the test pattern, white on black."""

    def is_number_at(rows: slice, columns: slice) -> bool:
        with core.client() as client:
            picture = client.preview()
        assert picture is not None
        part = picture.planes.y[rows, columns]
        return picture.origin == "effect" and int(part.min()) < 30 and int(part.max()) > 120 > part.mean()

    core.ctl("set", "strength=1")
    top, bottom, left, right = slice(0, 14), slice(-14, None), slice(0, 80), slice(-80, None)
    until(lambda: is_number_at(top, left))
    assert core.ctl("set", "camera.mirror=true").returncode == 0
    until(lambda: is_number_at(top, right))
    assert core.ctl("set", "camera.mirror=false", "camera.rotate=180").returncode == 0
    until(lambda: is_number_at(bottom, right))


def test_secrets_in_an_image_s_url_are_never_told(core: Running, server: Server):
    core.start("gateway")
    url = server.url("/room.png").replace("//", "//ann:pass@") + "?token=abc"
    told = [core.set_when_gateway_is_there({"effect": "image", "image": url})]
    with core.client() as client:
        told += [client.settings(), client.set({"fit": "contain"})]
        shown = told[1]["settings"]["background_replacement"]["background_image_url"]
        assert shown == client.status()["effect"]["image"] == server.url("/room.png")
        assert client.set({"image": shown})["revision"] == told[-1]["revision"]
        with pytest.raises(ConfigError) as caught:
            client.set({"strength": "ultra"})
        told += [caught.value.in_effect, client.status()]
    assert not any(secret in json.dumps(told) for secret in ("ann", "pass@", "token", "abc"))


def test_set_from_a_file_and_from_standard_input(core: Running, tmp_path: Path):
    patch = '{"backgroundBlur": {"isEnabled": true, "strength": "high"}}'
    (tmp_path / "patch.json").write_text(patch)
    assert core.ctl("set", "--file", tmp_path / "patch.json").returncode == 0
    assert core.ctl("set", "--file", "-", "fit=stretch", given='{"strength": "low"}').returncode == 0
    with core.client() as client:
        effect = client.status()["effect"]
    assert (effect["strength_name"], effect["fit"]) == ("low", "stretch")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["set", "strength=0", "color=transparent"], 78, "2 problems"),
        (["set", "effect=off"], 78, "privacy.allow_raw"),
        (["set", "camera.source=demo:"], 78, "can only be changed in the local settings file"),
        (["set", "effect"], 78, "ctl set = effect: is no assignment"),
        (["set"], 78, "nothing is to be changed"),
        (["set", "--file", "/none.json"], 78, "--file = /none.json"),
        (["set", "--file", "/dev/null"], 78, "is not JSON"),
        (["preview", "x.gif"], 1, "must end in one of .jpg, .jpeg, .png"),
        (["preview", "/none/x.png"], 1, "name a place that can be written"),
        (["--socket", "/none/core.sock", "status"], 1, "start it with 'scrim run'"),
        ([], 2, "ACTION"),
    ],
)
def test_what_cannot_be_done_is_said(core: Running, arguments: list[str], status: int, said: str):
    done = core.ctl(*arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["now.jpg", "now.png"])
def test_preview_saves_what_goes_out(core: Running, tmp_path: Path, name: str):
    core.ctl("set", "effect=color", "color=#00f")
    until(lambda: "160x120, effect" in core.ctl("preview", tmp_path / name).stdout)
    picture = cv2.imread(str(tmp_path / name))
    assert picture.shape == (120, 160, 3)
    assert np.abs(picture[2, 2].astype(int) - (255, 0, 0)).max() < 12


class Quiet:
    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("options", [["--json"], ["--json", "--follow"], ["--follow"]])
def test_events_are_printed_as_they_come(
    tmp_path: Path, scrim_environment: dict[str, str], options: list[str]
):
    path = tmp_path / "run" / "core.sock"
    command = [sys.executable, "-m", "scrim", "ctl", "--socket", str(path), "events", *options]
    with (
        LocalServer(path, Quiet()) as server,
        subprocess.Popen(
            command, env=scrim_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as following,
    ):
        assert following.stdout is not None
        until(lambda: server.subscribers)
        server.publish("camera_lost", reason="unplugged")
        line = following.stdout.readline()
        assert "camera_lost" in line
        assert "unplugged" in line
        if "--json" in options:
            assert json.loads(line) == {"event": "camera_lost", "reason": "unplugged"}
        if "--follow" in options:
            server.publish("camera_back")
            assert "camera_back" in following.stdout.readline()
            server.close()
            assert following.wait(PATIENCE_S) == 1
        else:
            assert following.wait(PATIENCE_S) == 0


def test_the_camera_stays_switched_off_across_a_restart(core: Running):
    def is_off() -> bool:
        with contextlib.suppress(LocalError), core.client() as client:
            return client.status()["camera"]["state"] == "off"
        return False

    assert core.ctl("set", "camera.is_enabled=false").returncode == 0
    until(is_off)
    core.stop("core")
    core.start("core")
    until(is_off)
    with core.client() as client:
        status = client.status()
    assert (status["state"], status["placeholder_reason"]) == ("off", "privacy")
    assert status["frames"]["captured"] == 0
    assert "test:, off, closed by settings" in core.ctl("status").stdout
    assert core.ctl("set", "camera.is_enabled=true").returncode == 0
    until(core.is_up)


def test_what_was_changed_survives_a_restart_and_a_reset_drops_it(core: Running):
    core.ctl("set", "effect=color", "color=teal")
    core.stop("core")
    core.start("core")
    until(core.is_up)
    with core.client() as client:
        assert client.status()["effect"]["color"] == "#008080"
    core.stop("core")
    core.start("core", "--set", "effect=blur")
    until(core.is_up)
    with core.client() as client:
        assert client.status()["effect"]["effect"] == "blur"
        client.reset()
    core.stop("core")
    assert not list((core.folder / "state" / "scrim").glob("state*"))


def test_an_image_from_outside_needs_the_gateway(core: Running, server: Server):
    done = core.ctl("set", "effect=image", f"image={server.url('/a.png')}")
    assert done.returncode == 78
    assert "start it with 'scrim gateway'" in done.stderr
    core.start("gateway")
    answer = core.set_when_gateway_is_there({"effect": "image", "image": server.url("/a.png")})
    assert answer["revision"] == 2
    asked = len(server.asked)
    with core.client() as client:
        until(lambda: shows_the_image(core))
        for patch in ({"fit": "contain"}, {"effect": "blur"}, {"effect": "image"}):
            client.set(patch)
        with pytest.raises(ConfigError, match="404 Not Found") as caught:
            client.set({"image": server.url("/none.png")})
        assert caught.value.in_effect is not None
        assert caught.value.in_effect["revision"] == 5
        core.set_when_gateway_is_there({"image": DATA_URL})
    assert server.asked[asked:] == ["/none.png"], "what is here already is not fetched again"


def test_status_answers_while_an_image_is_on_its_way_and_the_later_change_wins(core: Running, server: Server):
    core.start("gateway")
    core.set_when_gateway_is_there({"effect": "image", "image": DATA_URL})

    async def scenario() -> None:
        async with AsyncClient(core.path, PATIENCE_S) as client:
            slow = asyncio.create_task(client.set({"image": server.url("/slow.png")}))
            while "/slow.png" not in server.asked:
                assert (await client.status())["revision"] == 2
            assert (await client.set({"effect": "color", "color": "red"}))["revision"] == 3
            with pytest.raises(LocalError, match="superseded by a later request"):
                await slow
            server.let_go.set()
            assert (await client.set({"strength": "low"}))["revision"] == 4
            assert (await client.status())["effect"]["color"] == "#ff0000"

    asyncio.run(scenario())


def test_a_gateway_that_dies_while_it_fetches_changes_nothing(core: Running, server: Server):
    core.start("gateway")
    core.set_when_gateway_is_there({"effect": "image", "image": DATA_URL})

    async def scenario() -> None:
        async with AsyncClient(core.path, PATIENCE_S) as client:
            slow = asyncio.create_task(client.set({"image": server.url("/slow.png")}))
            while "/slow.png" not in server.asked:
                await asyncio.sleep(0.01)
            core.stop("gateway", signal.SIGKILL)
            with pytest.raises(ConfigError, match="has gone while it fetched"):
                await slow
            status = await client.status()
            assert status["revision"] == 2
            while (await client.status())["state"] != "running":
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_bad_server_costs_the_gateway_little_and_the_picture_stays(core: Running, server: Server):
    core.start("gateway")
    core.set_when_gateway_is_there({"effect": "image", "image": DATA_URL})
    memory = Path(f"/proc/{core.children['gateway'].pid}/status")
    before = peak_mb(memory)
    with core.client() as client:
        for path in ("/endless.png", "/bomb.png", "/none.png") * 3:
            with pytest.raises(ConfigError, match=r"8 MiB|20000 x 20000|404"):
                client.set({"image": server.url(path)})
        assert client.status()["revision"] == 2
    until(lambda: shows_the_image(core))
    assert peak_mb(memory) - before < 64


def peak_mb(status: Path) -> float:
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def test_an_image_that_was_set_is_fetched_again_after_a_restart(core: Running, server: Server):
    core.start("gateway")
    core.set_when_gateway_is_there({"effect": "image", "image": server.url("/a.png")})
    asked = len(server.asked)
    core.stop("core")
    core.start("core")
    until(core.is_up)

    def is_there() -> bool:
        with core.client() as client:
            return client.status()["effect"]["image_error"] is None

    until(is_there)
    until(lambda: shows_the_image(core))
    assert set(server.asked[asked:]) == {"/a.png"}


def test_two_runs_side_by_side_and_ctl_finds_the_first(tmp_path: Path, scrim_environment: dict[str, str]):
    settings = ["--set", "web.is_enabled=false", "--set", "camera.source=test:", "--set", "camera.width=64"]
    runs = []
    environment = scrim_environment | {"TMPDIR": str(tmp_path)}
    try:
        for number in (1, 2):
            log = tmp_path / f"run{number}.log"
            with log.open("wb") as file:
                command = [sys.executable, "-m", "scrim", "run", *settings]
                runs.append(subprocess.Popen(command, env=environment, stderr=file))
            until(lambda log=log: "core: running" in log.read_text())  # type: ignore[misc]
        if not Path("/run/scrim").is_dir():
            ctl = [sys.executable, "-m", "scrim", "ctl", "status", "--json"]
            found = subprocess.run(ctl, env=environment, capture_output=True, text=True, check=True)
            assert json.loads(found.stdout)["camera"]["source"] == "test:"
        assert "SCRIM_SOCKET=" in (tmp_path / "run2.log").read_text()
        assert "SCRIM_SOCKET=" not in (tmp_path / "run1.log").read_text()
    finally:
        for run in runs:
            run.terminate()
            run.wait(PATIENCE_S)
    assert list((tmp_path / "runtime" / "scrim").iterdir()) == []

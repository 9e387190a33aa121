"""Models given by URL, from end to end: a core without a network, a gateway, and a server on loopback."""

import contextlib
import hashlib
import json
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from scrim.core.segment.model import models_folder
from scrim.errors import ConfigError, LocalError
from scrim.local import Client

PATIENCE_S = 180.0
GIVEN = models_folder() / "person-192x112-f16.tflite"

CONFIG = """
sinks = []
[camera]
source = "test:"
width = 160
height = 120
[model]
name = "far"
[images]
allow_hosts = ["127.0.0.1"]
[web]
is_enabled = false
"""


class Server(ThreadingHTTPServer):
    """Serves one model under any name; ``/slow`` waits for ``let_go`` after half of it.

    Attributes:
        asked: the paths that were asked for.
    """

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.asked: list[str] = []
        self.let_go = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        if self.path == "/none":
            self.send_error(404)
            return
        data = GIVEN.read_bytes() if self.path != "/exchanged" else b"exchanged"
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        half = len(data) // 2
        self.wfile.write(data[:half])
        self.wfile.flush()
        if self.path == "/slow":
            server.let_go.wait(PATIENCE_S)
        self.wfile.write(data[half:])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file; signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, and the test makes its certificate with it")
    key, path = tmp_path / "key.pem", tmp_path / "server.pem"
    wanted = ["-subj", "/CN=scrim", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run([*command, *wanted, "-keyout", key, "-out", path], check=True, capture_output=True)
    path.write_text(key.read_text() + path.read_text())
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    with Server(certificate) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.let_go.set()
        serving.shutdown()
        thread.join()


class Running:
    """A core and a gateway, each a process, with a folder of models: one here, the others at the server."""

    def __init__(self, folder: Path, environment: dict[str, str], server: Server, certificate: Path) -> None:
        self.folder, self.path = folder, folder / "core.sock"
        self.models = folder / "models"
        self.models.mkdir()
        shutil.copy(GIVEN, self.models)
        shutil.copy(GIVEN.with_suffix(".toml"), self.models)
        default = "person-256x144-f16"
        for suffix in (".toml", ".tflite"):
            shutil.copy(models_folder() / (default + suffix), self.models)
        self._offer(server, "far", "slow", "none")
        self._offer(server, "exchanged", sha256=hashlib.sha256(b"something else").hexdigest())
        (folder / "scrim.toml").write_text(CONFIG)
        self.environment = environment | {
            "SCRIM_SOCKET": str(self.path),
            "SCRIM_CONFIG": str(folder / "scrim.toml"),
            "SCRIM_MODELS": str(self.models),
            "SSL_CERT_FILE": str(certificate),
        }
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def _offer(self, server: Server, *names: str, sha256: str | None = None) -> None:
        text = GIVEN.with_suffix(".toml").read_text()
        url = f"https://127.0.0.1:{server.server_address[1]}"
        for name in names:
            given = text.replace(f'file = "{GIVEN.name}"', f'url = "{url}/{name}"')
            given = given.replace('name = "person-192x112"', f'name = "{name}"')
            if sha256 is not None:
                given = given.replace(hashlib.sha256(GIVEN.read_bytes()).hexdigest(), sha256)
            (self.models / f"{name}.toml").write_text(given)

    @property
    def fetched(self) -> list[Path]:
        return list((self.folder / "state" / "scrim" / "models").glob("*"))

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, "-m", "scrim", name], env=self.environment, stdout=log, stderr=log
            )

    def stop(self, name: str) -> None:
        child = self.children.pop(name)
        child.send_signal(signal.SIGTERM)
        child.wait(PATIENCE_S)

    def client(self) -> Client:
        return Client(self.path, timeout_s=PATIENCE_S)

    def model(self) -> dict[str, Any]:
        with contextlib.suppress(LocalError), self.client() as client:
            return dict(client.status()["model"])
        return {}

    def has(self, name: str) -> bool:
        return self.model().get("name") == name

    def ctl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "scrim", "ctl", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )


@pytest.fixture
def running(
    tmp_path: Path, scrim_environment: dict[str, str], server: Server, certificate: Path
) -> Iterator[Running]:
    running = Running(tmp_path, scrim_environment, server, certificate)
    running.start("core")
    try:
        until(running.model)
        yield running
    finally:
        for name in tuple(running.children):
            running.stop(name)


def test_the_default_stands_in_until_the_model_is_fetched_once_and_for_ever(running: Running, server: Server):
    until(lambda: "gateway" in str(running.model()["error"]))
    assert running.has("person-256x144")
    with running.client() as client:
        until(lambda: client.status()["state"] == "running")
        assert client.settings()["settings"]["model"]["name"] == "far"
    running.start("gateway")
    until(lambda: running.has("far"))
    assert (running.model()["error"], running.model()["fetching"]) == (None, None)
    (file,) = running.fetched
    assert file.name == hashlib.sha256(GIVEN.read_bytes()).hexdigest() + ".tflite"
    assert file.read_bytes() == GIVEN.read_bytes()
    for name in ("core", "gateway"):
        running.stop(name)
    running.start("core")
    until(lambda: running.has("far"))
    assert server.asked == ["/far"]


def test_a_switch_waits_for_the_fetch_with_progress_and_lets_others_pass(running: Running, server: Server):
    running.start("gateway")
    until(lambda: running.has("far"))
    running.fetched[0].unlink()  # the three have the same bytes
    command = [sys.executable, "-m", "scrim", "ctl", "set", "model.name=slow", "strength=40"]
    with subprocess.Popen(
        command, env=running.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as setting:
        until(lambda: (running.model()["fetching"] or {}).get("bytes"))
        size = GIVEN.stat().st_size
        assert running.model()["fetching"] == {"name": "slow", "bytes": size // 2, "total_bytes": size}
        assert running.ctl("set", "effect=color", "color=teal").returncode == 0
        assert running.has("far")
        assert "slow is being fetched" in running.ctl("status").stdout
        server.let_go.set()
        out, err = setting.communicate(timeout=PATIENCE_S)
    assert setting.returncode == 0, err
    assert "fetching slow" in err
    assert "is in effect" in out
    assert running.has("slow")
    with running.client() as client:
        effect = client.status()["effect"]
    assert (effect["effect"], effect["strength"]) == ("color", 40)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", "404 Not Found"),
        ("exchanged", "it was exchanged, or the TOML is of another file"),
    ],
)
def test_a_switch_to_what_cannot_be_had_is_rolled_back(running: Running, name: str, said: str):
    running.start("gateway")
    until(lambda: running.has("far"))
    if name == "none":
        running.fetched[0].unlink()
    before = running.fetched
    with running.client() as client:
        settings = client.settings()
        with pytest.raises(ConfigError, match=said) as caught:
            client.set({"model": {"name": name}, "strength": "high"})
        assert caught.value.problems[0].key == "model.name"
        assert client.settings() == settings
        assert client.status()["state"] == "running"
    assert running.has("far")
    assert running.fetched == before


def test_without_a_gateway_a_switch_says_so_and_no_url_may_be_named(running: Running):
    with running.client() as client:
        with pytest.raises(ConfigError, match="start it with 'scrim gateway'"):
            client.set({"model": {"name": "slow"}})
        for patch in ({"model": {"url": "https://127.0.0.1/x"}}, {"model": {"name": "https://127.0.0.1/x"}}):
            with pytest.raises(ConfigError):
                client.set(patch)
    assert json.loads(running.ctl("status", "--json").stdout)["model"]["offered"] == [
        *("exchanged", "far", "none", "person-192x112", "person-256x144", "slow"),
    ]

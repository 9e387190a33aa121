"""What the faults happen to: a core, a gateway, a broker, a server of images, and everybody who watches."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos_run.core_program import KEY
from chaos_run.image_server import serving
from chaos_run.outputs import Feed, Output, Preview, Snapshots, Stream, can_play
from chaos_run.supervisor import Service
from scrim.local import Client

SIZE = (640, 360)
FRAME_RATE = 10
CORE_WATCHDOG_S, GATEWAY_WATCHDOG_S = 10.0, 20.0
RSS_LIMIT_MB = 350

_SETTINGS = """\
[camera]
source = "demo:"
width = {width}
height = {height}
frame_rate = {rate}
[model]
form = "float16"
[background_blur]
is_enabled = false
[background_replacement]
is_enabled = true
default_color = "#204060"
[memory]
core_limit_mb = {limit}
[privacy]
allow_raw = {raw}
[images]
allow_http = true
allow_hosts = ["127.0.0.1"]
[web]
port = {web}
[device]
id = "chaos-device"
[mqtt]
is_enabled = true
host = "127.0.0.1"
port = {mqtt}
telemetry_interval_s = 2
longest_pause_s = 2
[rtsp]
is_enabled = {rtsp}
port = {rtsp_port}
"""


class Broker:
    """A mosquitto on a free port.

    Args:
        folder: for its settings.

    Raises:
        FileNotFoundError: there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise FileNotFoundError("mosquitto is not here: apt install mosquitto")
        self._settings = folder / "mosquitto.conf"
        user = pwd.getpwuid(os.getuid()).pw_name
        lines = [
            f"user {user}",
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "persistence false",
        ]
        self._settings.write_text("\n".join([*lines, ""]))
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([self._program, "-c", str(self._settings)], **quiet)

    def send(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


@dataclass
class Stage:
    """All of it.

    Attributes:
        folder: of this run.
        socket: of the core.
        core: unit.
        gateway: unit.
        broker: mosquitto.
        web_port: of the page.
        rtsp_port: of the stream.
        image_port: of the server of images.
        outputs: everybody who watches.
        safe_modes: how often the core was seen in safe mode.
    """

    folder: Path
    socket: Path
    core: Service
    gateway: Service
    broker: Broker
    web_port: int
    rtsp_port: int
    image_port: int
    outputs: list[Output]
    safe_modes: int = 0

    @property
    def feed(self) -> Feed:
        """The output nearest to the core."""
        return next(output for output in self.outputs if isinstance(output, Feed))

    def order(self, who: str, what: str) -> None:
        """Tell camera or model what to do; nothing ends it."""
        path = self.folder / "orders" / who
        new = path.with_suffix(".new")
        new.write_text(what)
        new.replace(path)

    def client(self) -> Client:
        """The local socket."""
        return Client(self.socket, timeout_s=5)

    def write_settings(self, *, allow_raw: bool) -> None:
        """The local file, for the next start."""
        text = _SETTINGS.format(
            width=SIZE[0],
            height=SIZE[1],
            rate=FRAME_RATE,
            limit=RSS_LIMIT_MB,
            raw=str(allow_raw).lower(),
            web=self.web_port,
            mqtt=self.broker.port,
            rtsp=str(can_play()).lower(),
            rtsp_port=self.rtsp_port,
        )
        (self.folder / "scrim.toml").write_text(text)


@contextlib.contextmanager
def staged(evidence: Path) -> Iterator[Stage]:
    """Build everything; it is not started yet, but for broker and images. Ends all that was started.

    Args:
        evidence: folder for pictures in which the room was found.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scrim-chaos-")))
        for name in ("orders", "run", "core-state", "gateway-state"):
            (folder / name).mkdir(mode=0o700)
        broker, image_port = Broker(folder), stack.enter_context(serving())
        socket_path = folder / "run" / "core.sock"
        core, gateway = _services(folder, socket_path)
        web_port, rtsp_port = free_port(), free_port()
        outputs: list[Output] = [
            Feed(socket_path, SIZE, KEY, evidence),
            Preview(web_port, SIZE, KEY, evidence),
            Snapshots(web_port, SIZE, KEY, evidence),
        ]
        if can_play():
            outputs.append(Stream(rtsp_port, SIZE, KEY, evidence))
        stage = Stage(folder, socket_path, core, gateway, broker, web_port, rtsp_port, image_port, outputs)
        stage.write_settings(allow_raw=False)
        stack.callback(broker.stop)
        broker.start()
        yield stage


def _services(folder: Path, socket_path: Path) -> tuple[Service, Service]:
    ours = ("SCRIM_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    daemon = str(Path(__file__).resolve().parents[2] / "daemon")
    shared = {
        **kept,
        "PYTHONPATH": os.pathsep.join([daemon, str(Path(__file__).resolve().parents[1])]),
        "SCRIM_SOCKET": str(socket_path),
        "SCRIM_CONFIG": str(folder / "scrim.toml"),
        "OMP_WAIT_POLICY": "passive",
    }
    core_environment = shared | {
        "RUNTIME_DIRECTORY": str(folder / "run"),
        "STATE_DIRECTORY": str(folder / "core-state"),
    }
    program = [sys.executable, "-m", "chaos_run.core_program", str(folder / "orders"), "core"]
    core = Service("core", program, core_environment, folder, CORE_WATCHDOG_S)
    gateway = Service(
        "gateway",
        [sys.executable, "-m", "scrim", "gateway"],
        shared | {"STATE_DIRECTORY": str(folder / "gateway-state")},
        folder,
        GATEWAY_WATCHDOG_S,
    )
    return core, gateway


def free_port() -> int:
    """A TCP port of loopback that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until_live(stage: Stage, patience_s: float) -> bool:
    """Whether a picture of the camera came in time."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < patience_s:
        if stage.feed.live_s > began_s:
            return True
        time.sleep(0.05)
    return False

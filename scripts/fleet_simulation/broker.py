"""A mosquitto of our own, and what it costs."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PATIENCE_S = 20.0


class NoMosquittoError(Exception):
    """There is none to be measured."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process used up to one moment.

    Attributes:
        at_s: of the monotonic clock.
        cpu_s: user and system time.
        rss_bytes: resident memory.
    """

    at_s: float
    cpu_s: float
    rss_bytes: int

    def cpu_percent_since(self, before: "Cost") -> float:
        """Of one processor core."""
        return 100 * (self.cpu_s - before.cpu_s) / (self.at_s - before.at_s)


def cost_of(pid: int) -> Cost:
    """What a process used (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    tick_s, page_bytes = 1 / os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    return Cost(time.monotonic(), (int(fields[11]) + int(fields[12])) * tick_s, int(fields[21]) * page_bytes)


class Mosquitto:
    """A broker on a free port of loopback.

    Args:
        folder: for its settings, certificate and database.
        with_tls: speak TLS.
        is_persistent: keep retained messages in a file, as an installed one does.
    """

    def __init__(self, folder: Path, *, with_tls: bool = False, is_persistent: bool = False) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise NoMosquittoError("mosquitto is not here: apt install mosquitto")
        self.program = program
        self.ca_file = _certificate(folder) if with_tls else None
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text("\n".join(self._lines(folder, is_persistent=is_persistent)))
        self._process: subprocess.Popen[bytes] | None = None

    def _lines(self, folder: Path, *, is_persistent: bool) -> list[str]:
        tls = [f"certfile {self.ca_file}", f"keyfile {folder / 'key.pem'}"] if self.ca_file else []
        kept = (
            ["persistence true", f"persistence_location {folder}/"]
            if is_persistent
            else ["persistence false"]
        )
        return [
            f"user {pwd.getpwuid(os.getuid()).pw_name}",
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            "sys_interval 1",
            *kept,
            *tls,
            "",
        ]

    @property
    def version(self) -> str:
        """Of mosquitto."""
        told = subprocess.run([self.program, "-h"], capture_output=True, text=True, check=False).stdout
        return told.splitlines()[0].removeprefix("mosquitto version ") if told else "unknown"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, or start it again."""
        self._process = subprocess.Popen(
            [self.program, "-c", str(self._settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline_s = time.monotonic() + PATIENCE_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise NoMosquittoError(f"mosquitto did not start with {self._settings}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(PATIENCE_S)

    def cost(self) -> Cost:
        """What it used since it was started."""
        if self._process is None:
            raise NoMosquittoError("it does not run")
        return cost_of(self._process.pid)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def _certificate(folder: Path) -> Path:
    path = folder / "cert.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        *("-out", str(path), "-keyout", str(folder / "key.pem")),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return path

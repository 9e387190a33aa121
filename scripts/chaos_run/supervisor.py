"""What systemd does for scrim's units, in a thread: starts, listens, restarts, and kills what hangs."""

import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scrim.errors import EXIT_CONFIG, EXIT_RESTART
from scrim.rss_guard import MB, resident_bytes

RESTART_S = 0.5
ABORT_S = 3.0
START_S = 90.0
"""RestartSec, TimeoutAbortSec and TimeoutStartSec of the units."""

_LOOK_S = 0.05


@dataclass
class Past:
    """What became of a service until now.

    Attributes:
        starts: how often it was started.
        ends: how often it ended in each way.
        gave_up: it said that no restart will cure it; nothing starts it any more.
        peak_mb: most resident memory seen, in 10**6 bytes.
        first_mb: a minute after its first start.
        last_mb: seen last.
        most_descriptors: seen.
    """

    starts: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    gave_up: bool = False
    peak_mb: float = 0.0
    first_mb: float = 0.0
    last_mb: float = 0.0
    most_descriptors: int = 0


class Service:
    """One unit: Type=notify, Restart=always, StartLimitIntervalSec=0, RestartPreventExitStatus=78.

    Args:
        name: of the unit.
        command: what to run.
        environment: whole.
        folder: for the notify socket and the log.
        watchdog_s: WatchdogSec.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        watchdog_s: float,
    ) -> None:
        self.name = name
        self.past = Past()
        self._given = command, environment, folder, watchdog_s
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._watchdog_s = watchdog_s
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notify.bind(str(folder / f"{name}.notify"))
        self._environment = {
            **environment,
            "NOTIFY_SOCKET": str(folder / f"{name}.notify"),
            "WATCHDOG_USEC": str(int(watchdog_s * 1e6)),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def again(self, name: str) -> "Service":
        """Another unit that runs the same."""
        command, environment, folder, watchdog_s = self._given
        return Service(name, command, environment, folder, watchdog_s)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it for good, as ``systemctl stop`` does."""
        self._stopping.set()
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        self._thread.join()
        self._notify.close()

    def send(self, number: int) -> bool:
        """Send the process a signal; False while there is none."""
        process = self._process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(number)
        return True

    @property
    def is_up(self) -> bool:
        """Whether a process runs."""
        return self._process is not None and self._process.poll() is None

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
                )
            self.past.starts += 1
            status = self._watch(self._process)
            self._count(status)
            if status == EXIT_CONFIG:
                self.past.gave_up = True
                return
            self._stopping.wait(RESTART_S)

    def _watch(self, process: "subprocess.Popen[bytes]") -> int:
        """Until it ends; what hangs is aborted, then killed."""
        began_s = fed_s = time.monotonic()
        is_ready, looked_s = False, began_s
        while process.poll() is None and not self._stopping.is_set():
            time.sleep(_LOOK_S)
            now_s = time.monotonic()
            for word in self._heard():
                is_ready, fed_s = is_ready or word == "READY=1", now_s
            if now_s - fed_s > (self._watchdog_s if is_ready else START_S):
                self.past.ends["watchdog"] += 1
                process.send_signal(signal.SIGABRT)
                break
            if now_s - looked_s > 1:
                looked_s = now_s
                self._measure(process.pid, now_s - began_s)
        return _ended(process, ABORT_S if not self._stopping.is_set() else 3 * ABORT_S)

    def _heard(self) -> list[str]:
        words = []
        while True:
            try:
                words += self._notify.recv(4096).decode().splitlines()
            except BlockingIOError:
                return words

    def _measure(self, pid: int, age_s: float) -> None:
        past = self.past
        try:
            descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except OSError:
            return
        rss_bytes = resident_bytes(Path(f"/proc/{pid}/statm"))
        if rss_bytes is None:
            return
        past.last_mb = rss_bytes / MB
        past.peak_mb = max(past.peak_mb, past.last_mb)
        past.most_descriptors = max(past.most_descriptors, descriptors)
        if not past.first_mb and age_s > 20:
            past.first_mb = past.last_mb

    def _count(self, status: int) -> None:
        if status < 0:
            self.past.ends[signal.Signals(-status).name] += 1
        elif status == EXIT_RESTART:
            self.past.ends["asked for a restart"] += 1
        else:
            self.past.ends[f"exit {status}"] += 1


def _ended(process: "subprocess.Popen[bytes]", patience_s: float) -> int:
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()

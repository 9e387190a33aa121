"""Clients that listen to everything, as a recorder or a dashboard does, each in a process of its own."""

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

from fleet_simulation.broker import Mosquitto


class Watchers:
    """So many of them; the first one's messages are counted by the last level of their topics.

    Args:
        broker: runs.
        count: how many, 1 at least.
        folder: for the list of what came.
    """

    def __init__(self, broker: Mosquitto, count: int, folder: Path) -> None:
        self._broker = broker
        self._count = count
        self._list = folder / "watched"
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        """Start them."""
        tls = ["--cafile", str(self._broker.ca_file)] if self._broker.ca_file else []
        host = "localhost" if self._broker.ca_file else "127.0.0.1"
        where = ["-h", host, "-p", str(self._broker.port), *tls, "-V", "5"]
        command = ["mosquitto_sub", *where, "-t", "scrim/#", "-t", "homeassistant/#", "-F", "%t"]
        with self._list.open("wb") as first:
            for number in range(self._count):
                output = first if number == 0 else asyncio.subprocess.DEVNULL
                self._processes.append(await asyncio.create_subprocess_exec(*command, stdout=output))

    async def stop(self) -> None:
        """Stop them."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    def mark(self) -> int:
        """Where the list ends now, for ``since``."""
        return self._list.stat().st_size

    def since(self, mark: int) -> Counter[str]:
        """What came since, by the last level of its topic."""
        with self._list.open() as lines:
            lines.seek(mark)
            return Counter(line.rstrip("\n").rpartition("/")[2] for line in lines)

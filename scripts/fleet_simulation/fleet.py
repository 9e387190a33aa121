"""All devices: the gateway's MQTT part once for each, in one event loop."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from fleet_simulation.broker import Mosquitto
from fleet_simulation.core import SimulatedCore
from fleet_simulation.wire import LoopConnection
from scrim import __version__
from scrim.config import Settings
from scrim.gateway.identity import Identity
from scrim.gateway.library import Library
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.part import MqttPart
from scrim.statefile import StateFile

GROUP = "sim"
STEP_S = 5.0
"""A simulated core says how it is this often; nothing of that goes out unless it is news."""


class Fleet:
    """So many devices.

    Args:
        broker: where they connect.
        count: how many.
        folder: for what each remembers.
        interval_s: between two messages of telemetry.
        presence_s: somebody comes or goes about this often, at each device.
        discovery: whether they announce themselves to Home Assistant.
        seed: of all chance.
    """

    def __init__(
        self,
        broker: Mosquitto,
        count: int,
        folder: Path,
        interval_s: float,
        presence_s: float,
        *,
        discovery: bool,
        seed: int = 1,
    ) -> None:
        self.count = count
        self._chance = random.Random(seed)  # noqa: S311  no secret
        self._parts: list[MqttPart] = []
        self._cores: list[SimulatedCore] = []
        self._tasks: list[asyncio.Task[None]] = []
        for number in range(count):
            settings = _settings(broker, number, interval_s, discovery=discovery)
            core = SimulatedCore(settings, presence_s, random.Random(f"{seed}.{number}"))  # noqa: S311
            memory = Memory(StateFile(folder / f"{number}.json"))
            part = MqttPart(
                settings,
                cast("Any", core),
                cast("Any", None),
                Library(None, []),
                _identity(settings),
                memory,
                connect=LoopConnection,
            )
            self._cores.append(core)
            self._parts.append(part)

    async def start(self, spread_s: float) -> None:
        """Switch all on, within so many seconds."""
        self._tasks.append(asyncio.create_task(self._step()))
        for part, core in zip(self._parts, self._cores, strict=True):
            core.step(0)
            self._tasks.append(asyncio.create_task(part.run()))
            await asyncio.sleep(spread_s / self.count)

    async def stop(self) -> None:
        """Switch all off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connected(self) -> int:
        """How many are."""
        return sum(part.connection.is_up for part in self._parts)

    @property
    def dropped(self) -> int:
        """Messages that devices had no room for."""
        return sum(part.connection.dropped for part in self._parts)

    def failures(self) -> Sequence[BaseException]:
        """What ended a device that should not end."""
        ended = [task.exception() for task in self._tasks if task.done() and not task.cancelled()]
        return [error for error in ended if error is not None]

    async def until_connected(self, patience_s: float) -> float | None:
        """Wait until all are; seconds that it took, None where they are not."""
        began_s = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self.connected < self.count:
                    await asyncio.sleep(0.05)
                return time.monotonic() - began_s
        return None

    async def _step(self) -> None:
        """Let every core say how it is, one after the other, evenly over ``STEP_S``."""
        while True:
            began_s = time.monotonic()
            for number, core in enumerate(self._cores):
                core.step(STEP_S)
                late_s = began_s + (number + 1) * STEP_S / self.count - time.monotonic()
                if late_s > 0:
                    await asyncio.sleep(late_s)
            await asyncio.sleep(0)


def _settings(broker: Mosquitto, number: int, interval_s: float, *, discovery: bool) -> Settings:
    groups = [GROUP, f"floor-{number % 20}"]
    tls = {"tls": True, "ca_file": str(broker.ca_file), "host": "localhost"} if broker.ca_file else {}
    mqtt = {
        "is_enabled": True,
        "host": "127.0.0.1",
        "port": broker.port,
        "telemetry_interval_s": interval_s,
        "discovery": "device" if discovery else "off",
        **tls,
    }
    device = {"id": f"sim-{number:06}", "name": f"Simulated camera {number}", "groups": groups}
    return Settings().patched({"device": device, "mqtt": mqtt})


def _identity(settings: Settings) -> Identity:
    return Identity(
        id=settings.device.id,
        name=settings.device.name,
        area="Nowhere",
        model="Raspberry Pi 4 Model B Rev 1.5",
        serial="10000000" + settings.device.id[-6:],
        hardware="aarch64",
        system=f"simulated, scrim {__version__}",
        mac="02:00:00:" + ":".join(settings.device.id[-6 + 2 * part :][:2] for part in range(3)),
    )

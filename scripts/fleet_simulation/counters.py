"""What the broker counts itself: bytes, under ``$SYS`` (mosquitto(8)).

Its counts of messages leave out what is retained (2.0.11), and so nearly all of ours: those are counted by
clients that listen to everything.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from fleet_simulation.broker import Mosquitto

_TOPICS = {
    "$SYS/broker/bytes/received": "bytes_received",
    "$SYS/broker/bytes/sent": "bytes_sent",
    "$SYS/broker/clients/connected": "clients",
    "$SYS/broker/retained messages/count": "retained",
    "$SYS/broker/publish/messages/dropped": "dropped",
}


@dataclass(frozen=True, slots=True)
class Count:
    """The broker's counters at one moment; totals since its start.

    Attributes:
        at_s: of the monotonic clock.
        bytes_received: of all packets.
        bytes_sent: the same.
        clients: that are connected.
        retained: messages that it keeps.
        dropped: messages that it had no room for.
    """

    at_s: float
    bytes_received: int = 0
    bytes_sent: int = 0
    clients: int = 0
    retained: int = 0
    dropped: int = 0


class Counters:
    """Reads them, in paho's own thread.

    Args:
        broker: runs.
    """

    def __init__(self, broker: Mosquitto) -> None:
        self._values: dict[str, int] = {}
        self._at_s = 0.0
        client = self._client = Client(
            CallbackAPIVersion.VERSION2, "simulation-counters", protocol=MQTTProtocolVersion.MQTTv5
        )
        if broker.ca_file is not None:
            client.tls_set(str(broker.ca_file))
        client.on_connect = lambda *_: client.subscribe([(topic, 0) for topic in _TOPICS])
        client.on_message = self._take
        client.connect("localhost" if broker.ca_file else "127.0.0.1", broker.port)
        client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    async def now(self) -> Count:
        """The counters, at most a second old: waits for the next that come."""
        asked_s = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while self._at_s < asked_s:
                    await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)  # they come in a row
        return Count(self._at_s, **self._values)

    def _take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with contextlib.suppress(ValueError):
            self._values[_TOPICS[message.topic]] = int(message.payload)
            self._at_s = time.monotonic()

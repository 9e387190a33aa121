"""Somebody else at the broker, and a gateway in a thread."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from scrim.config import Settings
from scrim.gateway.handover import plain
from scrim.gateway.service import serve
from scrim.patch import combine

PATIENCE_S = 180.0


@dataclass(frozen=True)
class Heard:
    """A message as somebody else at the broker hears it."""

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    expiry_s: int | None
    correlation: bytes | None
    user: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Controller:
    """Somebody else at the broker: hears everything, says what it is told to say."""

    def __init__(self, port: int, filters: Sequence[str] = ("#",), **options: Any) -> None:
        self.heard: list[Heard] = []
        self._lock = threading.Lock()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, options.get("client_id", ""), protocol=MQTTProtocolVersion.MQTTv5
        )
        if "username" in options:
            self._client.username_pw_set(options["username"], options["password"])
        if "tls" in options:
            self._client.tls_set_context(options["tls"])
        is_listening = threading.Event()
        self._client.on_message = self._hear
        self._client.on_connect = lambda client, *_: client.subscribe([(one, 1) for one in filters])
        self._client.on_subscribe = lambda *_: is_listening.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert is_listening.wait(PATIENCE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(
        self, topic: str, payload: object = b"", *, retain: bool = False, wait: bool = True, **more: Any
    ) -> None:
        """Publish; what is no text and no bytes goes as JSON."""
        data = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        properties = Properties(PacketTypes.PUBLISH)
        for name, value in more.items():
            setattr(properties, name, value)
        info = self._client.publish(topic, data, 1, retain, properties)
        if wait:
            info.wait_for_publish(PATIENCE_S)

    def all(self, topic: str) -> list[Heard]:
        with self._lock:
            return [message for message in self.heard if message.topic == topic]

    def wait(
        self, topic: str, condition: Callable[[Heard], object] = lambda _: True, after: int = 0
    ) -> Heard:
        """The first message of a topic that fulfils a condition, those up to number ``after`` left out."""
        found: list[Heard] = []

        def is_there() -> bool:
            with self._lock:
                found[:] = [one for one in self.heard[after:] if one.topic == topic and condition(one)]
            return bool(found)

        until(is_there, lambda: f"{topic}: {[one.payload[:300] for one in self.all(topic)][-3:]}")
        return found[0]

    def count(self) -> int:
        with self._lock:
            return len(self.heard)

    def _hear(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        more = message.properties
        heard = Heard(
            message.topic,
            message.payload,
            message.qos,
            bool(message.retain),
            getattr(more, "MessageExpiryInterval", None),
            getattr(more, "CorrelationData", None),
            dict(getattr(more, "UserProperty", [])),
        )
        with self._lock:
            self.heard.append(heard)


class GatewayThread:
    """A real gateway in a thread of its own, with settings as ``scrim gateway`` hands them over."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = plain(settings.patched({"web": {"is_enabled": False}}).model_dump(mode="json"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="gateway")
        self._is_ready = threading.Event()
        self._error: BaseException | None = None

    def start(self) -> None:
        self._thread.start()
        assert self._is_ready.wait(PATIENCE_S)
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            if self._error is not None:
                raise self._error

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            await serve(self._path, self._settings, lambda _: self._is_ready.set(), self._stop)
        except BaseException as error:  # noqa: BLE001  it belongs to whoever started this
            self._error = error
            self._is_ready.set()


def until(condition: Callable[[], object], why: Callable[[], str] = lambda: "") -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, why()
        time.sleep(0.01)


@pytest.fixture(name="until")
def _until() -> Callable[..., None]:
    """Waits for a condition."""
    return until


@pytest.fixture(autouse=True)
def state_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's gateway remembers is not another's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway in this process waits as long as a machine takes that may stop for seconds."""
    for limit in (
        "live_picture._STILL_S",
        "live_picture._ANSWER_S",
        "core_link._ANSWER_S",
        "mqtt.session._CONNECT_S",
    ):
        monkeypatch.setattr(f"scrim.gateway.{limit}", 60.0)


@pytest.fixture
def controller(mosquitto: Any) -> Iterator[Controller]:
    connected = Controller(mosquitto.port)
    try:
        yield connected
    finally:
        connected.close()


MqttGateway = Callable[..., GatewayThread]


@pytest.fixture(name="controller_at")
def _controller_at() -> type[Controller]:
    """Makes a controller at a port."""
    return Controller


@pytest.fixture
def gateway_at() -> MqttGateway:
    """Makes a gateway, not started: socket of the core, port of the broker, settings of MQTT, others."""

    def make(
        path: Path, port: int, mqtt: Mapping[str, Any], others: Mapping[str, Any] | None = None
    ) -> GatewayThread:
        own = {
            "device": {"id": "testdevice", "name": "Test camera"},
            "mqtt": {"is_enabled": True, "host": "127.0.0.1", "port": port, "longest_pause_s": 1, **mqtt},
        }
        return GatewayThread(path, Settings().patched(combine([own, others or {}])))

    return make


@pytest.fixture
def mqtt_gateway(mosquitto: Any, stand_in_core: Any, gateway_at: MqttGateway) -> Iterator[MqttGateway]:
    """Starts a gateway that speaks to the broker about the stand-in core; further settings as a patch."""
    started: list[GatewayThread] = []

    def start(patch: Mapping[str, Any] | None = None) -> GatewayThread:
        gateway = gateway_at(stand_in_core.path, mosquitto.port, {}, patch)
        started.append(gateway)
        gateway.start()
        return gateway

    try:
        yield start
    finally:
        for gateway in started:
            gateway.stop()

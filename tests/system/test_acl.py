"""The example access list at a real mosquitto: who hears what, and who may say what."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

ACL = Path(__file__).parents[2] / "config" / "mosquitto.acl"
PATIENCE_S = 180.0
NOT_AUTHORIZED = 135
OWN = ("status", "info", "config", "state", "telemetry", "event", "response", "snapshot", "update", "log")
HEARD_BY_CAM_A = {
    *("scrim/cam-a/set", "scrim/cam-a/set/effect", "scrim/cam-a/cmd/restart", "scrim/cam-a/desired"),
    *("scrim/all/set", "scrim/all/desired", "scrim/group/office/set", "homeassistant/status"),
}
NOT_HEARD_BY_CAM_A = {
    *(
        "scrim/cam-b/set",
        "scrim/cam-b/state",
        "scrim/cam-b/desired",
        "scrim/cam-b/response",
        "scrim/cam-b/snapshot",
    ),
    *("scrim/reply/fleet", "homeassistant/device/scrim_cam-b/config", "elsewhere"),
}
FORBIDDEN_TO_CAM_A = [
    *(f"scrim/cam-b/{level}" for level in (*OWN, "set", "set/effect", "cmd/restart", "desired")),
    *("scrim/cam-a/set", "scrim/cam-a/desired", "scrim/all/set", "scrim/all/desired"),
    *("scrim/group/office/set", "scrim/group/office/desired", "scrim/cam-a2/state", "scrim/cam-a/other"),
    *(
        "homeassistant/device/scrim_cam-b/config",
        "homeassistant/status",
        "homeassistant/switch/x/config",
        "elsewhere",
    ),
]


class User:
    """Somebody at the broker."""

    def __init__(self, port: int, name: str) -> None:
        self.heard: set[str] = set()
        self._codes: dict[int, int] = {}
        self._changed = threading.Condition()
        self._is_subscribed = threading.Event()
        client = self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        client.username_pw_set(name, name)
        client.on_message = self._take
        client.on_publish = lambda _client, _data, mid, code, _more: self._tell(mid, code.value)
        client.on_subscribe = lambda *_: self._is_subscribed.set()
        client.connect("127.0.0.1", port)
        client.loop_start()

    def listen(self) -> None:
        self._client.subscribe("#", 1)
        assert self._is_subscribed.wait(PATIENCE_S)

    def say(self, topic: str) -> int:
        """The broker's reason: 0 or 16 where it takes the message, 135 where this user may not."""
        mid = self._client.publish(topic, b"{}", 1).mid
        with self._changed:
            assert self._changed.wait_for(lambda: mid in self._codes, PATIENCE_S)
        return self._codes[mid]

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = self._client.on_publish = self._client.on_subscribe = None

    def _take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.add(message.topic)

    def _tell(self, mid: int, code: int) -> None:
        with self._changed:
            self._codes[mid] = code
            self._changed.notify_all()


@pytest.fixture
def users(make_mosquitto: Any, tmp_path: Path) -> Iterator[Callable[[str], User]]:
    passwords = tmp_path / "passwords"
    passwords.write_text("".join(f"{name}:{name}\n" for name in ("cam-a", "cam-b", "ops", "homeassistant")))
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    broker = make_mosquitto("allow_anonymous false", f"password_file {passwords}", f"acl_file {ACL}")
    made: list[User] = []

    def come(name: str) -> User:
        made.append(User(broker.port, name))
        return made[-1]

    try:
        yield come
    finally:
        for user in made:
            user.leave()


def test_a_device_hears_only_what_is_meant_for_it(users: Any) -> None:
    device, ops = users("cam-a"), users("ops")
    device.listen()
    for topic in (*NOT_HEARD_BY_CAM_A, *HEARD_BY_CAM_A):
        assert ops.say(topic) in (0, 16)
    deadline_s = time.monotonic() + PATIENCE_S
    while not device.heard >= HEARD_BY_CAM_A:  # what came before these would be there by then
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert device.heard == HEARD_BY_CAM_A


def test_a_device_speaks_only_in_its_own_name(users: Any) -> None:
    device = users("cam-a")
    for level in OWN:
        assert device.say(f"scrim/cam-a/{level}") in (0, 16), level
    assert device.say("homeassistant/device/scrim_cam-a/config") in (0, 16)
    assert device.say("homeassistant/select/scrim_cam-a/effect/config") in (0, 16)
    assert {topic for topic in FORBIDDEN_TO_CAM_A if device.say(topic) != NOT_AUTHORIZED} == set()


def test_home_assistant_commands_devices_and_does_not_speak_for_them(users: Any) -> None:
    home = users("homeassistant")
    assert home.say("scrim/cam-a/set/effect") in (0, 16)
    assert home.say("scrim/cam-a/cmd/restart") in (0, 16)
    assert home.say("homeassistant/status") in (0, 16)
    for topic in ("scrim/cam-a/state", "scrim/cam-a/desired", "scrim/all/desired", "scrim/group/office/set"):
        assert home.say(topic) == NOT_AUTHORIZED, topic

"""``scrim fleet`` against a real broker, with devices that speak as docs/mqtt.md says."""

import json
import os
import pty
import select
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from scrim.fleet.broker import Broker, Options, Received, address_of, settle

PATIENCE_S = 180.0


class Device:
    """A device: says what it is, and answers as it is told to."""

    def __init__(
        self, port: int, device_id: str, *groups: str, answer: Mapping[str, Any] | None = None
    ) -> None:
        self.id = device_id
        self.groups = groups
        self.answer: Mapping[str, Any] | None = (
            {"ok": True, "rev": 18, "changed": []} if answer is None else answer
        )
        self.answers_at = f"scrim/{device_id}/response"
        self.got: list[tuple[str, dict[str, Any]]] = []
        self._ready = threading.Event()
        self.client = Client(
            CallbackAPIVersion.VERSION2, f"scrim-{device_id}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.will_set(f"scrim/{device_id}/status", b"offline", 1, retain=True)
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        heads = [device_id, "all", *(f"group/{group}" for group in groups)]
        topics = [f"scrim/{head}/{level}" for head in heads for level in ("set", "desired")]
        self.client.subscribe([(topic, 1) for topic in topics])
        assert self._ready.wait(PATIENCE_S)

    def say(self, level: str, payload: Mapping[str, Any] | str, *, retain: bool = True) -> None:
        data = payload if isinstance(payload, str) else json.dumps(payload)
        self.client.publish(f"scrim/{self.id}/{level}", data.encode(), 1, retain).wait_for_publish(PATIENCE_S)

    def introduce(self, name: str, **state: Any) -> None:
        self.say("info", {"v": 1, "id": self.id, "name": name, "sw": "0.1.0", "groups": list(self.groups)})
        self.say("state", {"effect": "blur", "pipeline": "running", "last_error": "ok"} | state)
        self.say("telemetry", {"v": 1, "ts": time.time() - 3, "fps": 29.7, "soc_temp": 52.4})
        self.say("status", "online")

    def _on_message(self, client: Client, _: object, message: MQTTMessage) -> None:
        patch = json.loads(message.payload)
        self.got.append((message.topic, patch))
        if self.answer:
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = message.properties.CorrelationData
            body = json.dumps({"v": 1, "transaction": patch.get("transaction"), **self.answer})
            client.publish(self.answers_at, body.encode(), 1, properties=properties)

    def leave(self, *, is_rude: bool = False) -> None:
        if is_rude:
            self.client.socket().close()  # the broker says the last will
        else:
            self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = self.client.on_subscribe = (
            None  # a client that nobody holds closes its sockets
        )


@pytest.fixture
def devices(mosquitto: Any) -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(device_id: str, *groups: str, **options: Any) -> Device:
        made.append(Device(mosquitto.port, device_id, *groups, **options))
        return made[-1]

    try:
        yield make
    finally:
        for device in made:
            device.leave()


@pytest.fixture
def fleet(scrim: Any, mosquitto: Any) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs ``scrim fleet`` at the broker."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return scrim("fleet", *arguments, **{"SCRIM_BROKER": f"127.0.0.1:{mosquitto.port}"} | environment)

    return run


def lines_of(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}


# Looking


def test_every_device_is_listed_those_in_trouble_first(devices: Any, fleet: Any) -> None:
    devices("cam-1", "office").introduce("Office camera")
    devices("cam-2").introduce("Lobby", pipeline="no_camera", effect="color")
    done = fleet()
    assert done.returncode == 0, done.stderr
    head, first, second, _, total = done.stdout.splitlines()
    assert head.split() == ["DEVICE", "NAME", "PICTURE", "EFFECT", "FPS", "°C", "VERSION", "SEEN"]
    assert first.split()[:4] == ["cam-2", "Lobby", "no_camera", "color"]
    assert second.split()[:9] == [
        "cam-1",
        "Office",
        "camera",
        "running",
        "blur",
        "29.7",
        "52",
        "0.1.0",
        second.split()[8],
    ]
    assert second.endswith(" s")
    assert total == "2 devices, 2 online, 0 away, 1 in trouble"


def test_json_has_a_line_for_each_device(devices: Any, fleet: Any) -> None:
    devices("cam-1", "office").introduce("Office camera")
    devices("cam-2").introduce("Lobby")
    found = lines_of(fleet("--json"))
    assert found.keys() == {"cam-1", "cam-2"}
    one = found["cam-1"]
    assert (one["name"], one["groups"], one["status"]) == ("Office camera", ["office"], "online")
    assert (one["frame_rate_hz"], one["temperature_c"], one["effect"]) == (29.7, 52.4, "blur")
    assert 2 <= time.time() - one["last_seen"] < PATIENCE_S
    assert lines_of(fleet("--json", "--group", "office")).keys() == {"cam-1"}


def test_a_device_that_vanished_is_away_and_its_figures_are_not_told(devices: Any, fleet: Any) -> None:
    device = devices("cam-1")
    device.introduce("Office camera")
    device.leave(is_rude=True)
    deadline_s = time.monotonic() + PATIENCE_S
    while (one := lines_of(fleet("--json"))["cam-1"])["status"] != "offline":
        assert time.monotonic() < deadline_s
    assert (one["picture"], one["frame_rate_hz"], one["temperature_c"]) == ("offline", None, None)
    assert "0 online, 1 away" in fleet().stdout


def test_a_thousand_devices_are_all_found(mosquitto: Any, fleet: Any) -> None:
    """A broker holds back a thousand messages of quality 1 for a slow reader, and drops the rest."""
    client = Client(CallbackAPIVersion.VERSION2, "many", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    padding = "x" * 400
    for number in range(1000):
        for level, payload in (
            ("status", "online"),
            ("info", json.dumps({"name": f"Camera {number}", "sw": "0.1.0", "padding": padding})),
            ("state", json.dumps({"pipeline": "running", "effect": "blur", "padding": padding})),
            ("telemetry", json.dumps({"ts": time.time(), "fps": 30, "soc_temp": 50, "padding": padding})),
        ):
            last = client.publish(f"scrim/cam-{number:04}/{level}", payload, 1, retain=True)
    last.wait_for_publish(PATIENCE_S)
    found = lines_of(fleet("--json"))
    client.disconnect()
    client.loop_stop()
    assert len(found) == 1000
    assert all(one["name"].startswith("Camera ") and one["frame_rate_hz"] == 30 for one in found.values())
    assert all(one["picture"] == "running" and one["status"] == "online" for one in found.values())


def test_what_is_kept_comes_whole_however_slow_the_broker_is(mosquitto: Any) -> None:
    """Nothing is waited for here, so it is the broker's word alone that all has come."""
    client = Client(CallbackAPIVersion.VERSION2, "many", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    for number in range(300):
        last = client.publish(f"scrim/cam-{number}/info", "x" * 1000, 1, retain=True)
    last.wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()
    found: list[Received] = []
    with Broker(address_of(Options(f"127.0.0.1:{mosquitto.port}")), ["scrim/+/info"]) as broker:
        settle(broker, found.append, 0.0, PATIENCE_S)
    assert len({received.topic for received in found}) == 300


def test_nonsense_of_devices_does_no_harm(devices: Any, mosquitto: Any, fleet: Any) -> None:
    device = devices("cam-1")
    device.introduce("\x1b[2Jevil\nname" + "界" * 60)
    for level, payload in (
        ("info", "{"),
        ("state", "[]"),
        ("telemetry", '{"fps": NaN}'),
        ("status", "perhaps"),
    ):
        Rogue(mosquitto.port).say(f"scrim/rogue-{level}/{level}", payload)
    Rogue(mosquitto.port).say("scrim/UPPER/info", '{"name": "x"}')
    Rogue(mosquitto.port).say("scrim/all/info", '{"name": "x"}')
    done = fleet()
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 4
    assert "?[2Jevil?name界" in done.stdout
    assert lines_of(fleet("--json")).keys() == {"cam-1"}


class Rogue:
    """Publishes whatever it likes."""

    def __init__(self, port: int) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def say(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload, 1, retain=True).wait_for_publish(PATIENCE_S)
        self._client.disconnect()
        self._client.loop_stop()


def test_watching_follows_changes_until_ctrl_c(
    devices: Any, mosquitto: Any, scrim_environment: dict[str, str]
) -> None:
    device = devices("cam-1")
    device.introduce("Office camera")
    command = [
        sys.executable,
        "-m",
        "scrim",
        "fleet",
        "--broker",
        f"127.0.0.1:{mosquitto.port}",
        "--watch",
        "--json",
    ]
    with subprocess.Popen(
        command, env=scrim_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert json.loads(run.stdout.readline())["effect"] == "blur"
        device.say("state", {"effect": "off", "pipeline": "privacy"})
        assert json.loads(run.stdout.readline())["effect"] == "off"
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=PATIENCE_S)
        assert (run.returncode, errors) == (0, "")


def test_a_terminal_is_redrawn_and_stays_within_its_width(
    devices: Any, mosquitto: Any, scrim_environment: dict[str, str]
) -> None:
    devices("cam-1").introduce("A camera with a very long name that fits into no table of eighty columns")
    ours, theirs = pty.openpty()
    environment = scrim_environment | {"COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-m", "scrim", "fleet", "--broker", f"127.0.0.1:{mosquitto.port}", "--watch"]
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=theirs, stdin=theirs) as run:
        os.close(theirs)
        text = read_until(ours, "1 online", 2)
        run.send_signal(signal.SIGINT)
        read_until(ours, "", 0)
        assert run.wait(PATIENCE_S) == 0
    os.close(ours)
    screen = text.split("\x1b[H\x1b[2J")[-2].splitlines()
    assert max(map(len, screen)) <= 80
    assert "…" in screen[1]


def read_until(descriptor: int, wanted: str, times: int) -> str:
    """What a terminal shows until a text came so often; until the end where it is never wanted."""
    text, deadline_s = "", time.monotonic() + PATIENCE_S
    while times == 0 or text.count(wanted) < times + 1:
        assert time.monotonic() < deadline_s
        if select.select([descriptor], [], [], 0.5)[0]:
            try:
                text += os.read(descriptor, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                return text
    return text


# Changing


def test_a_group_is_changed_and_each_device_answers(devices: Any, fleet: Any) -> None:
    office = [devices(f"cam-{number}", "office") for number in range(3)]
    other = devices("cam-9", "lobby")
    for device in (*office, other):
        device.introduce(f"Camera {device.id}")
    done = fleet("set", "--group", "office", "effect=blur", "strength=high")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": ok after ") == 3
    assert done.stdout.splitlines()[-1] == "3 done"
    for device in office:
        ((topic, patch),) = device.got
        assert topic == "scrim/group/office/set"
        assert {key: patch[key] for key in ("effect", "strength")} == {"effect": "blur", "strength": "high"}
    assert other.got == []


def test_a_refusal_is_told_with_its_reason(devices: Any, fleet: Any) -> None:
    error = {"code": "invalid_color", "field": "color", "message": "'mauve-ish' is no colour"}
    devices("cam-1", answer={"ok": False, "rev": 3, "error": error}).introduce("Office")
    done = fleet("set", "--device", "cam-1", "color=mauve-ish")
    assert done.returncode == 1
    assert "REFUSED" in done.stdout
    assert "is no colour" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 done, 1 refused"


def test_who_does_not_answer_and_who_is_away_is_told(devices: Any, fleet: Any) -> None:
    devices("cam-1", "office").introduce("Office")
    devices("cam-2", "office", answer={}).introduce("Deaf")
    gone = devices("cam-3", "office")
    gone.introduce("Gone")
    gone.leave(is_rude=True)
    done = fleet("set", "--group", "office", "--wait", "2", "--json", "effect=off")
    assert done.returncode == 1
    assert {key: one["outcome"] for key, one in lines_of(done).items()} == {
        "cam-1": "done",
        "cam-2": "silent",
        "cam-3": "away",
    }


def test_what_is_kept_reaches_who_was_away(devices: Any, fleet: Any) -> None:
    here, gone = devices("cam-1", "office"), devices("cam-2", "office")
    for device in (here, gone):
        device.introduce("Camera")
    gone.leave(is_rude=True)
    done = fleet("set", "--group", "office", "--keep", "effect=blur", "strength=high")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 done, 1 away"
    assert fleet("set", "--group", "office", "--keep", "strength=low").returncode == 0
    first, second = (patch for _, patch in here.got)
    assert (first["config"], second["config"]) == (
        {"effect": "blur", "strength": "high"},
        {"effect": "blur", "strength": "low"},
    )
    assert second["rev"] > first["rev"] > 1_700_000_000
    back = devices("cam-2", "office")
    deadline_s = time.monotonic() + PATIENCE_S
    while not back.got:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert back.got[0][1]["config"] == second["config"]


def test_all_devices_are_changed(devices: Any, fleet: Any) -> None:
    made = [devices(f"cam-{number}") for number in range(3)]
    for device in made:
        device.introduce("Camera")
    assert fleet("set", "--all", "camera.is_enabled=false").returncode == 0
    assert all(device.got[0][1]["camera"] == {"is_enabled": False} for device in made)


def test_an_answer_that_is_forged_or_strange_is_none(devices: Any, fleet: Any) -> None:
    """Where the broker lets each device write at its own topics only, none can answer for another."""
    devices("cam-1", "office", answer={"transaction": "another", "ok": True}).introduce("Strange")
    devices("cam-2", "office", answer={}).introduce("Deaf")
    forger = devices("cam-3", "office", answer={"ok": True, "rev": 1, "device": "cam-2", "id": "cam-2"})
    forger.introduce("Forger")
    forger.answers_at = "scrim/reply/cam-2"
    done = fleet("set", "--group", "office", "--wait", "2", "--json", "effect=off")
    assert {one["outcome"] for one in lines_of(done).values()} == {"silent"}
    forger.answers_at = "scrim/cam-3/response"
    done = fleet("set", "--group", "office", "--wait", "2", "--json", "effect=off")
    assert {key: one["outcome"] for key, one in lines_of(done).items()} == {
        "cam-1": "silent",
        "cam-2": "silent",
        "cam-3": "done",
    }
    assert done.returncode == 1


def test_a_group_without_devices_is_an_error(fleet: Any) -> None:
    done = fleet("set", "--group", "nowhere", "effect=off")
    assert (done.returncode, done.stdout) == (1, "")
    assert "group nowhere: there is no such device" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("set", "effect=off"), 2, "--group"),
        (("set", "--group", "a", "--all", "effect=off"), 2, "not allowed"),
        (("set", "--all", "effect"), 78, "no assignment"),
        (("set", "--group", "a/b", "effect=off"), 78, "--group"),
        (("--broker", "[::1"), 78, "--broker"),
        (("--broker", "host:port"), 78, "--broker"),
        (("--broker", "127.0.0.1:1"), 1, "127.0.0.1:1: Connection refused"),
        (("--ca-file", "/none.pem"), 78, "/none.pem"),
        (("--password-file", "/none"), 78, "--password-file"),
    ],
)
def test_mistakes_are_told(fleet: Any, arguments: tuple[str, ...], status: int, text: str) -> None:
    done = fleet(*arguments)
    assert done.returncode == status
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_broker_named_nothing_is_tried(scrim: Any) -> None:
    done = scrim("fleet")
    assert done.returncode == 78
    assert "SCRIM_BROKER" in done.stderr


# Who may


def test_user_and_password_open_the_broker_and_are_not_shown(
    make_mosquitto: Any, scrim: Any, tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "ops", "swordfish"], check=True)
    broker = make_mosquitto("allow_anonymous false", f"password_file {passwords}")
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")
    secret.chmod(0o600)
    where = ("fleet", "--broker", f"127.0.0.1:{broker.port}")
    assert scrim(*where, "--username", "ops", "--password-file", str(secret)).returncode == 0
    assert scrim(*where, "--username", "ops", SCRIM_MQTT_PASSWORD="swordfish").returncode == 0
    refused = scrim(*where, "--username", "ops", SCRIM_MQTT_PASSWORD="trout")
    assert refused.returncode == 1
    assert "Not authorized" in refused.stderr
    assert "trout" not in refused.stderr


def test_tls_is_verified(make_mosquitto: Any, scrim: Any, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    broker = make_mosquitto("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    where = ("fleet", "--broker", f"localhost:{broker.port}")
    trusted = scrim(*where, "--ca-file", str(certificate))
    assert trusted.returncode == 0, trusted.stderr
    strange = scrim(*where, "--tls")
    assert strange.returncode == 1
    assert "certificate is not good" in strange.stderr
    assert scrim("fleet", "--broker", f"localhost:{broker.port}").returncode == 1


def make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    more = ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run([*command, *more], check=True, capture_output=True)
    assert ssl.create_default_context(cafile=str(certificate))
    return certificate, key


# A real device


def test_a_real_device_is_listed_and_changed(
    mosquitto: Any, fleet: Any, scrim_environment: dict[str, str]
) -> None:
    settings = {
        "camera.source": "test:",
        "camera.width": 320,
        "camera.height": 240,
        "camera.frame_rate": 10,
        "web.is_enabled": "false",
        "mqtt.is_enabled": "true",
        "mqtt.port": mosquitto.port,
        "mqtt.telemetry_interval_s": 2,
        "device.id": "real-camera",
        "device.name": "Real",
        "device.groups": "['office']",
    }
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    run = subprocess.Popen([sys.executable, "-m", "scrim", "run", *options], env=scrim_environment)
    try:
        one = until_listed(
            fleet, "real-camera", lambda line: line["picture"] == "running" and line["frame_rate_hz"]
        )
        assert (one["name"], one["groups"], one["effect"]) == ("Real", ["office"], "blur")
        assert one["version"]
        done = fleet("set", "--group", "office", "effect=color", "color=teal")
        assert done.returncode == 0, done.stdout
        until_listed(fleet, "real-camera", lambda line: line["effect"] == "color")
        wrong = fleet("set", "--device", "real-camera", "privacy.allow_raw=true")
        assert wrong.returncode == 1
        assert "privacy" in wrong.stdout
    finally:
        run.terminate()
        run.wait(PATIENCE_S)
    assert lines_of(fleet("--json"))["real-camera"]["picture"] == "offline"


def until_listed(fleet: Any, device_id: str, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        found = lines_of(fleet("--json")).get(device_id)
        if found is not None and condition(found):
            return found
        assert time.monotonic() < deadline_s, found


# Several sites


def test_a_site_behind_a_bridge_is_listed_and_changed(make_mosquitto: Any, scrim: Any) -> None:
    """With the example settings; only address, TLS and password are the test's."""
    head = make_mosquitto("allow_anonymous true", "sys_interval 1")
    example = (Path(__file__).parents[2] / "config" / "mosquitto-bridge.conf").read_text().splitlines()
    ours = ("bridge_cafile", "remote_username", "remote_password", "address", "#")
    bridge = [line for line in example if line and not line.startswith(ours)]
    site = make_mosquitto("allow_anonymous true", *bridge, f"address 127.0.0.1:{head.port}")
    device = Device(site.port, "cam-1", "office")
    try:
        device.introduce("Office camera")
        where = ("fleet", "--broker", f"127.0.0.1:{head.port}")
        deadline_s = time.monotonic() + PATIENCE_S
        while not (found := lines_of(scrim(*where, "--json"))) or found["cam-1"]["status"] != "online":
            assert time.monotonic() < deadline_s
        assert (found["cam-1"]["name"], found["cam-1"]["frame_rate_hz"]) == ("Office camera", 29.7)
        done = scrim("fleet", "set", *where[1:], "--group", "office", "strength=high")
        assert done.stdout.splitlines()[-1] == "1 done", done.stdout
        assert [patch["strength"] for _, patch in device.got] == ["high"]
    finally:
        device.leave()

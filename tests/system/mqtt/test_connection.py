"""The way to the broker: TLS, passwords, versions, access lists, and what happens when it goes away."""

import contextlib
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scrim.config import Settings
from scrim.errors import BrokerError, ConfigError
from scrim.gateway.mqtt.doctor import look
from scrim.gateway.mqtt.forget import forget

TOPIC = "scrim/testdevice/"
CONFIG = Path(__file__).parents[3] / "config"


class Authority:
    """A certificate authority of this test's, and what it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
            "-subj",
            "/CN=test authority",
        )
        self.file = folder / "ca.crt"

    def sign(self, name: str, alternative: str = "") -> tuple[Path, Path]:
        """A certificate and its key."""
        self._openssl(
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        extra = self.folder / f"{name}.ext"
        extra.write_text(f"subjectAltName={alternative}\n" if alternative else "basicConstraints=CA:FALSE\n")
        self._openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-out",
            f"{name}.crt",
            "-extfile",
            extra.name,
        )
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here: apt install openssl")
    return Authority(tmp_path / "ca")


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """Of testdevice, otherdevice, homeassistant and ops: each its own name, backwards."""
    path = tmp_path / "passwd"
    path.write_text(
        "".join(f"{name}:{name[::-1]}\n" for name in ("testdevice", "otherdevice", "homeassistant", "ops"))
    )
    path.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", path], check=True)
    return path


def password_file(folder: Path, text: str) -> str:
    path = folder / "password"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def lines_of_the_shipped_settings(tmp_path: Path, authority: Authority, passwords: Path) -> list[str]:
    """config/mosquitto.conf with this test's files and port."""
    certificate, key = authority.sign("server", "IP:127.0.0.1,DNS:localhost")
    files = {
        "/etc/mosquitto/scrim.passwd": passwords,
        "/etc/mosquitto/scrim.acl": CONFIG / "mosquitto.acl",
        "/etc/mosquitto/certs/ca.crt": authority.file,
        "/etc/mosquitto/certs/server.crt": certificate,
        "/etc/mosquitto/certs/server.key": key,
        "/var/lib/mosquitto/": f"{tmp_path}/",
    }
    lines = [
        line
        for line in (CONFIG / "mosquitto.conf").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for old, new in files.items():
        assert any(old in line for line in lines)
        lines = [line.replace(old, str(new)) for line in lines]
    return [
        line
        for line in lines
        if not line.startswith(("listener", "per_listener", "persistence ", "set_tcp_nodelay"))
    ]


@pytest.fixture
def shipped(tmp_path: Path, authority: Authority, passwords: Path, make_mosquitto: Callable[..., Any]) -> Any:
    """A broker with the shipped settings and access list."""
    return make_mosquitto(*lines_of_the_shipped_settings(tmp_path, authority, passwords))


@pytest.fixture
def gateway(stand_in_core: Any, gateway_at: Any) -> Iterator[Callable[..., Any]]:
    """Starts a gateway with these settings of MQTT."""
    started: list[Any] = []

    def start(port: int, **mqtt: Any) -> Any:
        gateway = gateway_at(stand_in_core.path, port, mqtt)
        started.append(gateway)
        gateway.start()
        return gateway

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def listen(controller_at: Any) -> Iterator[Callable[..., Any]]:
    """Somebody else at a broker."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(
            contextlib.closing(controller_at(*arguments, **options))
        )


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.file)


def test_with_the_shipped_settings_a_device_works_and_can_do_no_more(
    tmp_path: Path, authority: Authority, shipped: Any, gateway: Any, listen: Any, until: Any
) -> None:
    ops = listen(shipped.port, tls=trusting(authority), username="ops", password="spo")
    mine = {"tls": True, "ca_file": str(authority.file), "username": "testdevice"}
    secret = password_file(tmp_path, "ecivedtset\n")
    running = gateway(shipped.port, **mine, password_file=secret, snapshots="on_request", log=True)
    ops.wait(f"{TOPIC}status")
    ops.wait("homeassistant/device/scrim_testdevice/config")
    ops.wait(f"{TOPIC}telemetry")
    ops.say("scrim/all/set", {"effect": "color"})
    ops.wait(f"{TOPIC}state", lambda heard: heard.json["effect"] == "color")
    ops.say(f"{TOPIC}cmd/get", {}, ResponseTopic="scrim/reply/ops")
    ops.wait("scrim/reply/ops")
    ops.say(f"{TOPIC}desired", {"rev": 1, "config": {"strength": "low"}}, retain=True)
    ops.wait(f"{TOPIC}state", lambda heard: heard.json["blur_strength"] == "low")
    assert ops.all(f"{TOPIC}state")[-1].json["problem"] == "OFF", "the access list has every topic"
    running.stop()
    # What a stolen device could do at the broker.
    thief = listen(shipped.port, tls=trusting(authority), username="testdevice", password="ecivedtset")
    before = ops.count()
    for topic in (
        "scrim/otherdevice/set",
        "scrim/otherdevice/state",
        "homeassistant/status",
        "scrim/all/set",
    ):
        thief.say(topic, {"effect": "off"})
    thief.say(f"{TOPIC}event", "still may")
    ops.wait(f"{TOPIC}event", after=before)
    assert {heard.topic for heard in ops.heard[before:]} == {f"{TOPIC}event"}
    assert not [heard for heard in thief.heard if heard.topic.startswith("scrim/testdevice/state")]


def test_single_entities_may_be_announced_too(
    tmp_path: Path, authority: Authority, shipped: Any, gateway: Any, listen: Any
) -> None:
    ops = listen(shipped.port, tls=trusting(authority), username="ops", password="spo")
    gateway(
        shipped.port,
        tls=True,
        ca_file=str(authority.file),
        username="testdevice",
        password_file=password_file(tmp_path, "ecivedtset"),
        discovery="single",
    )
    ops.wait("homeassistant/select/scrim_testdevice/effect/config")
    ops.wait(f"{TOPIC}state", lambda heard: heard.json["problem"] == "OFF")


def test_a_certificate_may_stand_for_a_password(
    authority: Authority, make_mosquitto: Any, gateway: Any, listen: Any
) -> None:
    certificate, key = authority.sign("server", "IP:127.0.0.1")
    broker = make_mosquitto(
        *("allow_anonymous false", f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}"),
        *(
            "require_certificate true",
            "use_identity_as_username true",
            f"acl_file {CONFIG / 'mosquitto.acl'}",
        ),
    )
    context = trusting(authority)
    context.load_cert_chain(*authority.sign("ops"))
    ops = listen(broker.port, tls=context)
    own, own_key = authority.sign("testdevice")
    gateway(broker.port, tls=True, ca_file=str(authority.file), cert_file=str(own), key_file=str(own_key))
    ops.wait(f"{TOPIC}status")


@pytest.mark.parametrize(
    ("mqtt", "reason"),
    [
        ({"tls": True}, "certificate is not good"),
        ({"tls": True, "ca_file": "own", "host": "localhost"}, "certificate is not good"),
        ({}, "hung up|closed|reset|no connection"),
    ],
)
def test_a_broker_that_cannot_prove_who_it_is_is_not_spoken_to(
    authority: Authority, make_mosquitto: Any, gateway: Any, until: Any, caplog: Any, mqtt: Any, reason: str
) -> None:
    certificate, key = authority.sign("server", "IP:127.0.0.1")
    broker = make_mosquitto("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    if mqtt.get("ca_file"):
        mqtt = mqtt | {"ca_file": str(authority.file)}
    gateway(broker.port, **mqtt)
    import re

    until(lambda: re.search(f"no connection to .*({reason})", caplog.text))


def test_insecure_tls_works_and_stays_a_problem(
    authority: Authority, make_mosquitto: Any, gateway: Any, listen: Any, caplog: Any
) -> None:
    certificate, key = authority.sign("server", "IP:127.0.0.1")
    broker = make_mosquitto("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    gateway(broker.port, tls=True, tls_insecure=True)
    ops = listen(broker.port, tls=trusting(authority))
    state = ops.wait(f"{TOPIC}state").json
    assert state["problem"] == "ON"
    assert "tls_insecure" in state["last_error"]
    assert "tls_insecure" in caplog.text


def test_a_wrong_password_is_said_once_and_never_shown(
    passwords: Path, tmp_path: Path, make_mosquitto: Any, gateway: Any, until: Any, caplog: Any
) -> None:
    broker = make_mosquitto("allow_anonymous false", f"password_file {passwords}")
    running = gateway(
        broker.port, username="testdevice", password_file=password_file(tmp_path, "wr0ng-secret")
    )
    until(lambda: "authori" in caplog.text.lower())
    running.stop()
    assert caplog.text.count("no connection to") == 1
    assert "wr0ng-secret" not in caplog.text


def test_a_password_that_others_may_read_stops_the_gateway(
    mosquitto: Any, tmp_path: Path, gateway: Any
) -> None:
    path = Path(password_file(tmp_path, "secret"))
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="password_file"):
        gateway(mosquitto.port, password_file=str(path))


# Versions.


class OldBroker:
    """In front of a broker: hangs up on, or refuses, whoever speaks MQTT 5; passes everybody else on."""

    def __init__(self, port: int, answer: bytes) -> None:
        self._behind = port
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.versions: list[int] = []
        self._passing: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._thread, *self._passing):
            thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                head = client.recv(4096)
                version = head[head.index(b"MQTT") + 4]
                self.versions.append(version)
                if version == 5:
                    client.sendall(self._answer)
                    client.close()
                    continue
                behind = socket.create_connection(("127.0.0.1", self._behind))
                behind.sendall(head)
                passing = threading.Thread(target=_pass_on, args=(client, behind))
                self._passing.append(passing)
                passing.start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Until either hangs up."""
    with one, other:
        while True:
            readable, _, _ = select.select([one, other], [], [])
            for source, sink in ((one, other), (other, one)):
                if source in readable:
                    data = source.recv(65536)
                    if not data:
                        return
                    sink.sendall(data)


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b""], ids=["refused", "hung up"])
def test_a_broker_that_does_not_know_mqtt_5_is_spoken_to_in_3(
    mosquitto: Any, gateway: Any, listen: Any, answer: bytes
) -> None:
    old = OldBroker(mosquitto.port, answer)
    try:
        ops = listen(mosquitto.port)
        running = gateway(old.port)
        ops.wait(f"{TOPIC}status")
        assert ops.wait(f"{TOPIC}info").json["mqtt"]["version"] == "3.1.1"
        ops.say(f"{TOPIC}set/effect", "color")
        ops.wait(f"{TOPIC}state", lambda heard: heard.json["effect"] == "color")
        assert old.versions == [5, 4]
        running.stop()
    finally:
        old.close()


def test_under_3_1_1_nothing_that_expires_is_kept_and_old_commands_are_dropped(
    mosquitto: Any, gateway: Any, listen: Any, stand_in_core: Any, caplog: Any, until: Any
) -> None:
    ops = listen(mosquitto.port)
    ops.say(f"{TOPIC}set/effect", "color", retain=True)
    gateway(mosquitto.port, version="3.1.1", telemetry_interval_s=2)
    ops.wait(f"{TOPIC}telemetry")
    late = listen(mosquitto.port)
    late.wait(f"{TOPIC}state")
    assert not any(heard.is_retained for heard in late.all(f"{TOPIC}telemetry"))
    until(lambda: "must not be retained" in caplog.text)
    assert stand_in_core.patches == []


def test_under_3_1_1_too_a_message_that_is_too_large_is_not_read(
    mosquitto: Any, gateway: Any, listen: Any, until: Any, caplog: Any
) -> None:
    ops = listen(mosquitto.port)
    gateway(mosquitto.port, version="3.1.1")
    ops.wait(f"{TOPIC}status")
    before = ops.count()
    ops.say(f"{TOPIC}set", b"x" * 3_000_000)
    ops.wait(f"{TOPIC}status", lambda heard: heard.payload == b"online", before)


def test_under_5_the_broker_keeps_what_is_too_large(mosquitto: Any, gateway: Any, listen: Any) -> None:
    ops = listen(mosquitto.port)
    gateway(mosquitto.port)
    ops.wait(f"{TOPIC}status")
    before = ops.count()
    ops.say(f"{TOPIC}set", b"x" * 3_000_000)
    ops.say(f"{TOPIC}cmd/get", {})
    ops.wait(f"{TOPIC}response", after=before)
    assert len(ops.all(f"{TOPIC}status")) == 1, "the connection holds"


# Access lists, doctor, forget.


def test_a_topic_that_the_broker_refuses_is_a_problem(
    tmp_path: Path, passwords: Path, make_mosquitto: Any, gateway: Any, listen: Any, until: Any
) -> None:
    acl = tmp_path / "acl"
    own = "".join(f"topic write scrim/testdevice/{level}\n" for level in ("state", "status"))
    acl.write_text(f"user ops\ntopic readwrite #\nuser testdevice\n{own}")
    broker = make_mosquitto("allow_anonymous false", f"password_file {passwords}", f"acl_file {acl}")
    ops = listen(broker.port, username="ops", password="spo")
    secret = password_file(tmp_path, "ecivedtset")
    gateway(broker.port, username="testdevice", password_file=secret)
    ops.wait(
        f"{TOPIC}state",
        lambda heard: heard.json["problem"] == "ON" and "uthorized" in heard.json["last_error"],
    )
    mqtt = {"host": "127.0.0.1", "port": broker.port, "username": "testdevice", "password_file": secret}
    settings = Settings().patched({"device": {"id": "testdevice"}, "mqtt": mqtt})
    (finding,) = look(settings)
    assert not finding.is_good
    assert "mosquitto.acl" in finding.mend
    with pytest.raises(BrokerError, match="refused"):
        forget(settings)


def test_the_doctor_sees_the_broker(mosquitto: Any, scrim: Any) -> None:
    settings = Settings().patched({"mqtt": {"host": "127.0.0.1", "port": mosquitto.port}})
    (finding,) = look(settings)
    assert finding.is_good
    mosquitto.stop()
    with pytest.raises(BrokerError, match="refused"):
        look(settings).__next__()


def test_forgetting_leaves_nothing_at_the_broker(
    mosquitto: Any, gateway: Any, listen: Any, scrim: Any
) -> None:
    ops = listen(mosquitto.port)
    running = gateway(mosquitto.port, discovery="single", snapshots="retained")
    ops.wait(f"{TOPIC}status")
    ops.wait(f"{TOPIC}telemetry")
    running.stop()
    options = (
        "--set",
        f"mqtt.port={mosquitto.port}",
        "--set",
        "mqtt.host=127.0.0.1",
        "--set",
        "device.id=testdevice",
    )
    for command in (("ctl", "forget"), ("mqtt", "forget")):
        done = scrim(*command, *options)
        assert done.returncode == 0, done.stderr
        assert "announces itself again" in done.stdout
        late = listen(mosquitto.port)
        late.say("scrim/last", "end")
        late.wait("scrim/last")
        assert [heard.topic for heard in late.heard] == ["scrim/last"]


def test_without_a_broker_forgetting_says_so(scrim: Any, free_ports: Any) -> None:
    (port,) = free_ports(1)
    done = scrim("ctl", "forget", "--set", f"mqtt.port={port}", "--set", "mqtt.host=127.0.0.1")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}: Connection refused" in done.stderr
    assert "Traceback" not in done.stderr

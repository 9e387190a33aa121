"""One connection to the broker, for a command: paho's thread puts what comes into a bounded queue."""

import ipaddress
import os
import queue
import secrets
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from scrim.errors import BrokerError, ConfigError, Problem
from scrim.password import find_password

MAX_PACKET_BYTES = 256 * 1024
MOST_WAITING = 200_000
"""Messages that may wait for their turn: two or three of each of the most devices a broker should have."""

CONNECT_S = 10.0
_KEEPALIVE_S = 20
_PLAIN_PORT, _TLS_PORT = 1883, 8883
_NOBODY_LISTENS = 16
_NOWHERE = "scrim-fleet/nowhere"
"""A topic that nobody listens to, so that nothing happens when it is given up."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is, and as whom to come.

    Attributes:
        host: a name or an address.
        port: TCP.
        username: None for none.
        password: None for none.
        tls: None for plain TCP.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        """For people, without the secret."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says of the broker.

    Attributes:
        broker: HOST or HOST:PORT; an IPv6 address with a port in brackets.
        username: at the broker.
        password_file: with its password.
        tls: speak TLS.
        ca_file: whom to trust instead of the system's authorities.
        cert_file: our certificate.
        key_file: its key.
    """

    broker: str | None
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


def address_of(options: Options, environment: Mapping[str, str] = os.environ) -> Address:
    """Where to connect.

    Args:
        options: the command line's.
        environment: ``SCRIM_BROKER`` stands in for ``--broker``, ``SCRIM_MQTT_PASSWORD`` for the file.

    Raises:
        ConfigError: lists every problem.
    """
    named = options.broker or environment.get("SCRIM_BROKER")
    uses_tls = options.tls or options.ca_file is not None or options.cert_file is not None
    if not named:
        problem = Problem("--broker", "(nothing)", "no broker is named", "HOST or HOST:PORT, or SCRIM_BROKER")
        raise ConfigError([problem], "command line")
    host, port = _host_and_port(named, _TLS_PORT if uses_tls else _PLAIN_PORT)
    password = find_password(options.password_file, "mqtt-password", "--password-file", environment)
    password = password or environment.get("SCRIM_MQTT_PASSWORD")
    if password and not options.username:
        problem = Problem("--username", "(nothing)", "a password is given for nobody", "a user name")
        raise ConfigError([problem], "command line")
    return Address(host, port, options.username, password, _tls(options) if uses_tls else None)


def _host_and_port(text: str, default_port: int) -> tuple[str, int]:
    host, port = text, str(default_port)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = (rest.removeprefix(":") or port) if bracket else ""
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        problem = Problem("--broker", text, "is no address", "HOST, HOST:PORT or [IPV6]:PORT")
        raise ConfigError([problem], "command line")
    return host, int(port)


def _tls(options: Options) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.cert_file is not None:
            # The callback keeps OpenSSL from asking the terminal for the password of an encrypted key.
            context.load_cert_chain(options.cert_file, options.key_file, lambda: "")
    except (OSError, ValueError) as error:
        named = [
            str(path) for path in (options.ca_file, options.cert_file, options.key_file) if path is not None
        ]
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        problem = Problem("--ca-file, --cert-file, --key-file", ", ".join(named), why, "PEM files")
        raise ConfigError([problem], "command line") from None
    return context


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came.

    Attributes:
        topic: where.
        payload: what.
        is_retained: the broker kept it; it is not new.
        correlation: the sender's mark.
    """

    topic: str
    payload: bytes
    is_retained: bool = False
    correlation: bytes | None = None


class Broker:
    """A connection from ``with`` to its end; afterwards paho reconnects by itself, and subscribes again.

    Args:
        address: where.
        filters: topics to listen to.
    """

    def __init__(self, address: Address, filters: Iterable[str]) -> None:
        self.address = address
        self._filters = list(filters)
        self._queue: queue.Queue[Received] = queue.Queue(MOST_WAITING)
        self._changed = threading.Condition()
        self._refusal: str | None = None
        self._subscribed = self._connected = False
        self._acknowledged: dict[int, str] = {}
        self._answered: set[int] = set()
        self.dropped = 0
        client = self._client = Client(
            CallbackAPIVersion.VERSION2,
            f"scrim-fleet-{secrets.token_hex(8)}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.connect_timeout = CONNECT_S
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls is not None:
            client.tls_set_context(address.tls)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_message, client.on_unsubscribe = self._on_message, self._on_unsubscribe

    def __enter__(self) -> Self:
        self._warn()
        limits = _properties(PacketTypes.CONNECT)
        limits.MaximumPacketSize = MAX_PACKET_BYTES
        try:
            self._client.connect(self.address.host, self.address.port, _KEEPALIVE_S, properties=limits)
        except (OSError, ValueError) as error:
            raise BrokerError(f"{self.address}: {_why(error)}") from None
        self._client.loop_start()
        try:
            self._wait_until_subscribed()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        client = self._client
        client.disconnect()
        client.loop_stop()
        client.on_connect = client.on_disconnect = None  # a client that nobody holds closes its sockets
        client.on_subscribe = client.on_publish = client.on_message = client.on_unsubscribe = None

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        return self._connected

    def next(self, timeout_s: float) -> Received | None:
        """The oldest message that waits, or None after ``timeout_s`` without one."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return None

    def has_sent_all(self, timeout_s: float) -> bool:
        """Whether the broker answers a question, and so all that it sent before has come."""
        _, mid = self._client.unsubscribe(_NOWHERE)
        if mid is None:
            return False
        self._wait(lambda: mid in self._answered, timeout_s)
        return mid in self._answered

    def publish(self, topic: str, payload: bytes, *, mark: bytes, retain: bool = False) -> bool:
        """Send a message and wait until the broker has it.

        Returns:
            Whether anybody listens to it; True where the broker does not say.

        Raises:
            BrokerError: the broker does not take it.
        """
        properties = _properties(PacketTypes.PUBLISH)
        properties.CorrelationData = mark
        mid = self._client.publish(topic, payload, 1, retain, properties).mid
        self._wait(lambda: mid in self._acknowledged, CONNECT_S)
        reason = self._acknowledged.pop(mid, "no answer")
        if reason not in ("", "nobody"):
            raise BrokerError(f"{topic}: {reason}: may this user write there?")
        return reason != "nobody"

    def _wait_until_subscribed(self) -> None:
        self._wait(lambda: self._subscribed or self._refusal is not None, CONNECT_S)
        if self._refusal is not None or not self._subscribed:
            raise BrokerError(f"{self.address}: {self._refusal or 'no answer'}")

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(condition, timeout_s)

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            self._connected = not reason.is_failure
            self._refusal = f"the broker refuses: {reason}" if reason.is_failure else None
            self._changed.notify_all()
        if not reason.is_failure:
            # Quality 0: a broker holds back any number of these for us, but of better ones only a thousand.
            client.subscribe([(topic, SubscribeOptions(qos=0)) for topic in self._filters])

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            self._connected = False
            if not self._subscribed and self._refusal is None:
                self._refusal = f"the broker hung up: {reason}; does it speak MQTT 5?"
            self._changed.notify_all()

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        with self._changed:
            self._subscribed = not refused
            self._refusal = f"this user may not listen: {refused[0]}" if refused else None
            self._changed.notify_all()

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        code = "nobody" if reason.value == _NOBODY_LISTENS else str(reason) if reason.is_failure else ""
        with self._changed:
            self._acknowledged[mid] = code
            self._changed.notify_all()

    def _on_unsubscribe(
        self, _client: Client, _data: object, mid: int, _reasons: list[ReasonCode], _properties: object
    ) -> None:
        with self._changed:
            self._answered.add(mid)
            self._changed.notify_all()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        properties = message.properties
        try:
            topic = message.topic
        except UnicodeDecodeError:  # what is raised here would end paho's thread
            return
        received = Received(
            topic,
            bytes(message.payload),
            bool(message.retain),
            getattr(properties, "CorrelationData", None),
        )
        try:
            self._queue.put_nowait(received)
        except queue.Full:
            self.dropped += 1

    def _warn(self) -> None:
        if self.address.tls is None and self.address.password and not _is_near(self.address.host):
            print(f"scrim: the password goes to {self.address} unencrypted: use --tls", file=sys.stderr)


def settle(broker: Broker, take: Callable[[Received], object], quiet_s: float, most_s: float) -> None:
    """Take what the broker keeps, until nothing of that came for a while and nothing is under way.

    A broker or a machine that is busy may be silent for longer: at last the broker is asked.

    Args:
        broker: connected.
        take: is given each message.
        quiet_s: so long nothing kept must come.
        most_s: not longer than this in all.
    """
    end_s = time.monotonic() + most_s
    quiet_from_s = time.monotonic()
    while (now_s := time.monotonic()) < end_s and now_s - quiet_from_s < quiet_s:
        received = broker.next(quiet_s)
        if received is None:
            break
        take(received)
        if received.is_retained:
            quiet_from_s = time.monotonic()
    if broker.has_sent_all(end_s - time.monotonic()):
        while time.monotonic() < end_s and (received := broker.next(0)) is not None:
            take(received)


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}; --ca-file names whom to trust"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}; is this the port for TLS?"
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

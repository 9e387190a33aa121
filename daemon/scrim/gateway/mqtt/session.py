"""One connection to the broker: a paho client, its thread, and the bounds around both."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from scrim.gateway.mqtt.mailbox import Mailbox, Message, Received
from scrim.gateway.mqtt.topics import Subscription

MAX_PACKET_BYTES = 256 * 1024
"""Nothing larger is taken from the broker."""

KEEPALIVE_S = 20
"""A frozen device is known to be away after one and a half times this."""

MAX_UNSENT = 100
MAX_UNSENT_MINOR = 50
"""So many messages may be on their way to the broker; of those that matter less, so many."""

FAREWELL_S = 2.0

_CONNECT_S = 5.0
_MAX_EVENTS = 1024
_UNSUPPORTED_VERSION = 132
_IN_FLIGHT = 20

Version = Literal[5, 4]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are to it.

    Attributes:
        host: name or address.
        port: TCP port.
        client_id: no two clients of one broker have the same.
        username: None for none.
        password: None for none.
        tls: None speaks plain TCP.
        will: what the broker says for us when we vanish; nothing where it has no topic.
    """

    host: str
    port: int
    client_id: str
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None
    will: Message


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to the connection.

    Attributes:
        kind: ``up``, ``refused``, ``down``, or ``sent`` when a message arrived at the broker.
        reason: in the broker's words or paho's; empty when all is well.
        mid: of the message that was sent.
        topic: of the message that was sent.
        is_version_unknown: the broker does not know this version of the protocol.
    """

    kind: Literal["up", "refused", "down", "sent"]
    reason: str = ""
    mid: int = 0
    topic: str = ""
    is_version_unknown: bool = False


class _BoundedClient(Client):
    """paho has no limit for what comes in under MQTT 3.1.1, and trusts the broker to keep MQTT 5's.

    It also leaves a socket open whose TLS handshake fails.

    Args:
        broker: for TLS.
        options: of paho's.
    """

    def __init__(self, broker: Broker, **options: Any) -> None:  # noqa: ANN401
        super().__init__(CallbackAPIVersion.VERSION2, broker.client_id, **options)
        self._broker = broker

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        if self._broker.tls is None:
            raise ValueError("TLS is not to be spoken")
        wrapped = self._broker.tls.wrap_socket(
            tcp_sock, server_hostname=self._broker.host, do_handshake_on_connect=False
        )
        try:
            wrapped.settimeout(_CONNECT_S)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > MAX_PACKET_BYTES:
            raise ConnectionResetError(f"a message of {bufsize} bytes: at most {MAX_PACKET_BYTES} are taken")
        return super()._sock_recv(bufsize)


class Session:
    """One connection, from ``open`` to ``close``; used from the gateway's loop.

    Args:
        broker: where, and as whom.
        version: of the protocol: 5, or 4 for 3.1.1.
        inbox: takes what comes in.

    Attributes:
        version: of the protocol.
        unsent: messages on their way to the broker.
        dropped: messages that there was no room for.
    """

    def __init__(self, broker: Broker, version: Version, inbox: Mailbox[Received]) -> None:
        self.version = version
        self.dropped = 0
        self._broker = broker
        self._inbox = inbox
        self._events: Mailbox[Event] = Mailbox(_MAX_EVENTS)
        self._topics: dict[int, str] = {}
        self._client = self._make_client()

    @property
    def unsent(self) -> int:
        """Messages on their way to the broker."""
        return len(self._topics)

    @property
    def peer(self) -> str:
        """The broker's address; empty while there is no connection."""
        opened = self._client.socket()
        try:
            return str(cast("Any", opened).getpeername()[0]) if opened is not None else ""
        except (OSError, AttributeError):
            return ""

    async def open(self) -> None:
        """Connect; whether the broker takes us is the first event.

        Raises:
            OSError: there is no way to the broker, or it cannot prove who it is.
        """
        await asyncio.to_thread(self._connect)
        self._client.loop_start()

    async def close(self) -> None:
        """Disconnect if connected, and let the thread end."""
        client = self._client
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
        # Without these the client and its sockets go at once, not when garbage is collected.
        client.on_connect = client.on_disconnect = client.on_publish = None
        client.on_message = client.on_socket_open = None

    async def next_event(self) -> Event:
        """Wait for the next thing that happens; the room of a message that was sent is free again."""
        event = await self._events.take()
        if event.kind == "sent":
            return replace(event, topic=self._topics.pop(event.mid, ""))
        return event

    async def say_last(self, message: Message) -> None:
        """Send one message more and wait until the broker has it, 2 s at most."""
        mid = self._send(message)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                while True:
                    event = await self.next_event()
                    if event.kind == "down" or (event.kind == "sent" and event.mid == mid):
                        return

    def publish(self, message: Message) -> bool:
        """Send a message; whether there was room for it."""
        if self.unsent >= (MAX_UNSENT if message.is_urgent else MAX_UNSENT_MINOR):
            self.dropped += 1
            return False
        self._send(message)
        return True

    def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        """Listen to more."""
        if self.version == 5:
            wanted: list[Any] = [(one.filter, _options(one)) for one in subscriptions]
        else:
            wanted = [(one.filter, 1) for one in subscriptions]
        if wanted:
            self._client.subscribe(wanted)

    def unsubscribe(self, filters: Iterable[str]) -> None:
        """Listen to less."""
        gone = list(filters)
        if gone:
            self._client.unsubscribe(gone)

    def _send(self, message: Message) -> int:
        is_kept = message.retain and (self.version == 5 or message.expiry_s is None)
        properties = _properties(message) if self.version == 5 else None
        info = self._client.publish(message.topic, message.payload, message.qos, is_kept, properties)
        self._topics[info.mid] = message.topic
        return int(info.mid)

    def _make_client(self) -> Client:
        broker = self._broker
        is_v5 = self.version == 5
        client = _BoundedClient(
            broker,
            clean_session=None if is_v5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.max_queued_messages_set(MAX_UNSENT + 1)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        will = broker.will
        if will.topic:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_socket_open = _without_delay
        return client

    def _connect(self) -> None:
        if self.version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = MAX_PACKET_BYTES
            properties.ReceiveMaximum = _IN_FLIGHT
            self._client.connect(
                self._broker.host, self._broker.port, KEEPALIVE_S, clean_start=True, properties=properties
            )
        else:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)

    # From here on in paho's thread. An exception would end it and tell nobody: nothing here raises one.

    def _on_connect(
        self, _client: Client, _data: object, _flags: object, code: ReasonCode, _more: object
    ) -> None:
        if code.is_failure:
            is_unknown = code.value == _UNSUPPORTED_VERSION
            self._events.put(Event("refused", _reason(code), is_version_unknown=is_unknown))
        else:
            self._events.put(Event("up"))

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: object, code: ReasonCode, _more: object
    ) -> None:
        self._events.put(Event("down", _reason(code)))

    def _on_publish(self, _client: Client, _data: object, mid: int, code: ReasonCode, _more: object) -> None:
        self._events.put(Event("sent", _reason(code) if code.is_failure else "", mid))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        properties = message.properties
        self._inbox.put(
            Received(
                topic,
                bytes(message.payload),
                bool(message.retain),
                _property(properties, "ResponseTopic", str),
                _property(properties, "CorrelationData", bytes),
            )
        )


def _property(properties: Properties | None, name: str, kind: Callable[..., Any]) -> Any:  # noqa: ANN401
    value = getattr(properties, name, None)
    return value if isinstance(value, cast("type", kind)) else None


def _properties(message: Message) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    if message.correlation is not None:
        properties.CorrelationData = message.correlation
    if message.user:
        properties.UserProperty = list(message.user)
    return properties


def _options(subscription: Subscription) -> SubscribeOptions:
    when_new, never = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE, SubscribeOptions.RETAIN_DO_NOT_SEND
    return SubscribeOptions(qos=1, retainHandling=when_new if subscription.wants_retained else never)


def _reason(code: ReasonCode) -> str:
    name = str(code.getName())
    return "" if name == "Unspecified error" else name  # paho's word for a connection that was closed


def _without_delay(_client: Client, _data: object, opened: Any) -> None:  # noqa: ANN401  (paho's own protocol)
    """A state that follows a command in 0.2 ms must not wait 40 ms for an acknowledgement."""
    with contextlib.suppress(OSError, AttributeError):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

"""The broker, for as long as the gateway runs: connected, or waiting to try again."""

import asyncio
import contextlib
import ipaddress
import logging
import random
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from scrim.errors import ConfigError
from scrim.gateway.mqtt import credentials
from scrim.gateway.mqtt.mailbox import Mailbox, Message, Received
from scrim.gateway.mqtt.session import Broker, Event, Session, Version
from scrim.gateway.mqtt.topics import Subscription

if TYPE_CHECKING:
    from scrim.config import MqttSettings

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
JITTER = 0.3
"""The pause between two tries doubles from the first to the longest, give or take this share."""

MAX_INBOX = 100
MAX_INBOX_BYTES = 1 << 20
"""So many messages and bytes may wait for their turn; more are dropped."""

_LASTING_S = 10.0
"""A connection that lasted this long was no mistake: the next pause is the first again."""

_PLAIN_PORT = 1883
_TLS_PORT = 8883
_VERSIONS: dict[str, tuple[Version, ...]] = {"auto": (5, 4), "5": (5,), "3.1.1": (4,)}


class Listener(Protocol):
    """Hears of the connection, in the gateway's loop; may not wait."""

    def connected(self) -> None:
        """The broker took us; what was published before is lost."""

    def disconnected(self) -> None:
        """The connection is gone."""

    def sent(self, topic: str, reason: str) -> None:
        """The broker has a message, or does not want it: then ``reason`` says why."""


class Connection:
    """Keeps one connection to the broker for as long as ``run`` runs.

    Args:
        mqtt: where, and as whom.
        client_id: no two clients of one broker have the same.
        will: what the broker says for us when we vanish, and what we say ourselves before we leave.
        listener: hears of the connection.
        chance: a number in [0, 1) each time, for the jitter.

    Attributes:
        inbox: what came in.
        reconnects: connections after the first.
        trouble: why there is no connection; None while there is one.
        session: makes one connection.
    """

    session: Callable[[Broker, Version, Mailbox[Received]], Session] = Session

    def __init__(
        self,
        mqtt: "MqttSettings",
        client_id: str,
        will: Message,
        listener: Listener,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.inbox: Mailbox[Received] = Mailbox(MAX_INBOX, MAX_INBOX_BYTES, lambda one: len(one.payload))
        self.reconnects = -1
        self.trouble: str | None = "connecting"
        self._mqtt = mqtt
        self._client_id = client_id
        self._will = will
        self._listener = listener
        self._chance = chance
        self._versions: Sequence[Version] = versions_of(mqtt)
        self._session: Session | None = None
        self._dropped = 0
        self._was_told: str | None = None
        self._has_warned = False

    @property
    def where(self) -> str:
        """The broker, for people."""
        return f"{self._mqtt.host}:{port_of(self._mqtt)}"

    @property
    def is_up(self) -> bool:
        """Whether messages go out now."""
        return self._session is not None

    @property
    def version(self) -> str | None:
        """Of the protocol that is spoken now."""
        if self._session is None:
            return None
        return "5" if self._session.version == 5 else "3.1.1"

    @property
    def dropped(self) -> int:
        """Messages, in either direction, that there was no room for, since the start."""
        return self._dropped + self.inbox.dropped + (self._session.dropped if self._session else 0)

    async def run(self) -> None:
        """Connect, and connect again. Ends only when cancelled; then it says the will itself first."""
        if self._mqtt.tls_insecure:
            log.warning("mqtt: tls_insecure: nobody looks whether %s is really the broker", self.where)
        pause_s = FIRST_PAUSE_S
        while True:
            began_s = asyncio.get_running_loop().time()
            was_up = await self._try()
            lasted_s = asyncio.get_running_loop().time() - began_s
            if was_up and lasted_s >= _LASTING_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s * (1 + JITTER * (2 * self._chance() - 1)))
            pause_s = min(2 * pause_s, self._mqtt.longest_pause_s)

    def publish(self, message: Message) -> bool:
        """Send a message; whether it is on its way."""
        return self._session is not None and self._session.publish(message)

    def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        """Listen to more."""
        if self._session is not None:
            self._session.subscribe(subscriptions)

    def unsubscribe(self, filters: Iterable[str]) -> None:
        """Listen to less."""
        if self._session is not None:
            self._session.unsubscribe(filters)

    async def _try(self) -> bool:
        """One connection from its first to its last moment; whether there was one."""
        try:
            session = self._make_session()
        except ConfigError as error:
            self._tell(str(error))
            return False
        was_up = False
        try:
            await session.open()
            while (event := await session.next_event()).kind not in ("refused", "down"):
                if event.kind == "up":
                    was_up = True
                    self._up(session)
                elif event.kind == "sent":
                    self._listener.sent(event.topic, event.reason)
            self._lost(event, was_up=was_up)
        except (OSError, ValueError) as error:
            self._tell(why(error))
        finally:
            await self._leave(session)
        return was_up

    def _make_session(self) -> Session:
        broker = broker_of(self._mqtt, self._client_id, self._will)
        return self.session(broker, self._versions[0], self.inbox)

    def _up(self, session: Session) -> None:
        self._session, self.trouble, self._was_told = session, None, None
        self.reconnects += 1
        log.info("mqtt: connected to %s, MQTT %s", self.where, self.version)
        if not self._mqtt.tls and not self._has_warned and _is_foreign(session.peer):
            self._has_warned = True
            log.warning("mqtt: %s is on the internet and TLS is off: anybody can read along", self.where)
        self._listener.connected()

    def _lost(self, event: Event, *, was_up: bool) -> None:
        if not was_up and (event.is_version_unknown or event.kind == "down"):
            # Some brokers refuse a version they do not know, others just hang up.
            self._versions = (*self._versions[1:], self._versions[0])
        self._tell(event.reason or "the broker hung up")

    async def _leave(self, session: Session) -> None:
        was_up, self._session = self._session is session, None
        with contextlib.suppress(OSError, ValueError):
            if was_up:
                await session.say_last(self._will)
        await session.close()
        self._dropped += session.dropped
        if was_up:
            self._listener.disconnected()

    def _tell(self, why: str) -> None:
        """Say once why there is no connection."""
        self.trouble = why
        if why != self._was_told:
            log.warning("mqtt: no connection to %s: %s", self.where, why)
        self._was_told = why


def versions_of(mqtt: "MqttSettings") -> tuple[Version, ...]:
    """The versions of the protocol to try, in their order."""
    return _VERSIONS[mqtt.version]


def port_of(mqtt: "MqttSettings") -> int:
    """The broker's TCP port."""
    return mqtt.port or (_TLS_PORT if mqtt.tls else _PLAIN_PORT)


def broker_of(mqtt: "MqttSettings", client_id: str, will: Message) -> Broker:
    """Where the broker is and who we are to it; files are read anew.

    Raises:
        ConfigError: a password or certificate cannot be used.
    """
    secret, tls = credentials.password(mqtt), credentials.tls_context(mqtt)
    return Broker(mqtt.host, port_of(mqtt), client_id, mqtt.username, secret, tls, will)


def why(error: Exception) -> str:
    """Why there is no way to the broker, and what may mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}; mqtt.ca_file names whom to trust"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}; is mqtt.tls right for this port?"
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _is_foreign(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_private
    except ValueError:
        return False

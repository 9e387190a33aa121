"""Whether the broker can be reached, takes us, and lets us write: for ``scrim doctor``."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from scrim.finding import Finding, judged
from scrim.gateway.identity import identify
from scrim.gateway.mqtt import credentials
from scrim.gateway.mqtt.connection import port_of
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.topics import Topics
from scrim.gateway.mqtt.visit import visit

if TYPE_CHECKING:
    from scrim.config import Settings


def look(settings: "Settings") -> Iterator[Finding]:
    """Connect, and send one answer that nobody asked for.

    Raises:
        ConfigError: a password or certificate cannot be used.
        BrokerError: there is no way to the broker.
    """
    mqtt, identity = settings.mqtt, identify(settings)
    credentials.check(mqtt)
    topic = Topics(mqtt.prefix, identity.id, mqtt.discovery_prefix).own("response")
    message = Message(topic, b'{"v":1,"transaction":null,"request":"doctor","ok":true}', expiry_s=1)
    refused = asyncio.run(visit(mqtt, f"scrim-{identity.id}-doctor", [message]))
    where = f"{mqtt.host}:{port_of(mqtt)}"
    found = f"{where}: {topic}: {refused[topic]}" if refused else f"{where} takes device {identity.id}"
    mend = "let this user write to its own topics: config/mosquitto.acl"
    yield judged("mqtt", found, mend, is_good=not refused)
    if mqtt.tls_insecure:
        yield Finding(
            "mqtt TLS", False, "nobody looks whose certificate the broker shows", "set mqtt.ca_file"
        )

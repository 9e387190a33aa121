"""Takes everything that the broker keeps of this device off it."""

import asyncio
from typing import TYPE_CHECKING

from scrim.errors import BrokerError
from scrim.gateway.home_assistant import device_topic, single_topic
from scrim.gateway.identity import Identity, identify
from scrim.gateway.mqtt.entities import EVERYTHING, entities
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.topics import Topics
from scrim.gateway.mqtt.visit import visit

if TYPE_CHECKING:
    from scrim.config import Settings

KEPT = ("status", "info", "config", "state", "telemetry", "update", "snapshot")
"""Last levels of our topics that the broker keeps."""


def forget(settings: "Settings") -> list[str]:
    """Empty every topic of ours that the broker may keep, those of Home Assistant's discovery too.

    Returns:
        The topics.

    Raises:
        ConfigError: a password or certificate cannot be used.
        BrokerError: there is no way to the broker, or it does not let us write where it must.
    """
    identity = identify(settings)
    needed = needed_topics(settings, identity)
    others = [topic for topic in every_topic(settings, identity) if topic not in needed]
    refused = asyncio.run(_empty(settings, identity, [*needed, *others]))
    wrong = [topic for topic in needed if topic in refused]
    if wrong:
        reasons = "; ".join(f"{topic}: {refused[topic]}" for topic in wrong)
        raise BrokerError(
            f"the broker refused: {reasons}; let this user write there, or empty them as another"
        )
    return [topic for topic in (*needed, *others) if topic not in refused]


def needed_topics(settings: "Settings", identity: Identity) -> list[str]:
    """Those that a device with these settings writes."""
    topics = Topics(settings.mqtt.prefix, identity.id, settings.mqtt.discovery_prefix)
    own = [topics.own(level) for level in KEPT]
    if settings.mqtt.discovery == "device":
        own.append(device_topic(settings.mqtt.discovery_prefix, identity.id))
    elif settings.mqtt.discovery == "single":
        own += _single_topics(settings, identity)
    return own


def every_topic(settings: "Settings", identity: Identity) -> list[str]:
    """Those that it may have written with other settings of discovery, too."""
    prefix = settings.mqtt.discovery_prefix
    return [device_topic(prefix, identity.id), *_single_topics(settings, identity)]


def _single_topics(settings: "Settings", identity: Identity) -> list[str]:
    prefix = settings.mqtt.discovery_prefix
    return [single_topic(prefix, identity.id, entity.platform, entity.key) for entity in entities(EVERYTHING)]


async def _empty(settings: "Settings", identity: Identity, topics: list[str]) -> dict[str, str]:
    messages = [Message(topic, b"", retain=True) for topic in topics]
    return await visit(settings.mqtt, f"scrim-{identity.id}-forget", messages)

"""Tells Home Assistant what there is, again when that changes, and takes back what is there no more."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from scrim import __version__
from scrim.gateway.home_assistant import Device, component, messages
from scrim.gateway.identity import Identity
from scrim.gateway.mqtt.entities import Offer, entities
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.payloads import encode
from scrim.gateway.mqtt.topics import Topics

Form = Literal["device", "single", "off"]


class Announcements:
    """Publishes discovery messages.

    Args:
        identity: who we are.
        topics: of this device.
        prefix: where Home Assistant listens.
        form: one message for the device, one for each entity, or none.
        memory: keeps what was announced, so that it can be taken back after a restart too.
        publish: sends a message; whether there was room.
    """

    def __init__(
        self,
        identity: Identity,
        topics: Topics,
        prefix: str,
        form: Form,
        memory: Memory,
        publish: Callable[[Message], bool],
    ) -> None:
        self._device = Device(
            identity.id,
            identity.name,
            identity.model,
            identity.hardware,
            identity.serial,
            __version__,
            identity.area,
            identity.mac,
            identity.url,
        )
        self._topics = topics
        self._prefix = prefix
        self._form: Form = form
        self._memory = memory
        self._publish = publish
        self._sent: dict[str, bytes] = {}
        self._offered: Offer | None = None

    def forget(self) -> None:
        """What was announced may be lost: announce everything again when it is due."""
        self._sent.clear()
        self._offered = None

    def announce(self, offer: Offer) -> None:
        """Announce what there is, as far as that is news."""
        if offer == self._offered:
            return
        wanted = self._wanted(offer)
        self._take_back(wanted)
        for topic, document in wanted.items():
            payload = encode(document)
            if self._sent.get(topic) == payload:
                continue
            if self._publish(Message(topic, payload, retain=True)):
                self._sent[topic] = payload
            else:
                self._sent.pop(topic, None)
        self._offered = offer if wanted.keys() <= self._sent.keys() else None
        self._memory.set(
            "announced", {topic: _platforms(document) for topic, document in wanted.items()} or None
        )

    def _wanted(self, offer: Offer) -> dict[str, dict[str, Any]]:
        if self._form == "off":
            return {}
        parts = {
            entity.key: component(entity, self._topics.own, self._device.id) for entity in entities(offer)
        }
        return messages(self._device, parts, self._prefix, self._form)

    def _take_back(self, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Remove whole messages by an empty one, single entities of a device by their platform alone."""
        for topic, platforms in (self._memory.get("announced") or {}).items():
            document = wanted.get(topic)
            if document is None:
                self._publish(Message(topic, b"", retain=True))
                self._sent.pop(topic, None)
                continue
            gone = {
                key: {"p": platform} for key, platform in platforms.items() if key not in _platforms(document)
            }
            if gone:
                merged = {**document, "components": {**document["components"], **gone}}
                self._publish(Message(topic, encode(merged), retain=True))
                self._sent.pop(topic, None)


def _platforms(document: Mapping[str, Any]) -> dict[str, str]:
    """Entities of a device's message: key to platform."""
    return {key: part["p"] for key, part in document.get("components", {}).items()}

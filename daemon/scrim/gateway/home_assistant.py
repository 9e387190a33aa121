"""What Home Assistant is told of the device, so that it makes entities of it: MQTT discovery.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery has the keys. Only those that 2024.3 knows
stand in ``device``: it refuses a message with any other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Component = dict[str, Any]

MANUFACTURER = "scrim"


@dataclass(frozen=True, slots=True)
class Device:
    """What the entities are of.

    Attributes:
        id: ours; part of every unique id.
        name: for people.
        model: of the computer.
        hardware: of the computer.
        serial: of the computer; empty without.
        version: of scrim.
        area: suggested; empty for none.
        mac: hardware address; empty without.
        url: of the page, where others can reach it; empty without.
        support_url: where help is.
    """

    id: str
    name: str
    model: str
    hardware: str
    serial: str
    version: str
    area: str = ""
    mac: str = ""
    url: str = ""
    support_url: str = ""


@dataclass(frozen=True, slots=True)
class Entity:
    """One row of docs/mqtt.md's table of entities.

    Attributes:
        key: last part of the unique id, never changed.
        platform: of Home Assistant, such as ``select``.
        name: for people.
        category: ``config``, ``diagnostic``, or None for what is used every day.
        icon: None leaves it to the device class.
        is_enabled: whether it is shown before somebody asks for it.
        more: what the platform wants beside; keys that end in ``_topic`` have the last levels of ours.
    """

    key: str
    platform: str
    name: str
    category: str | None = None
    icon: str | None = None
    is_enabled: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)


def component(entity: Entity, topic: Callable[[str], str], device_id: str) -> Component:
    """An entity as discovery wants it, with its ``platform``.

    Args:
        entity: what it is.
        topic: of this device, by its last levels.
        device_id: ours.
    """
    unique = f"scrim_{device_id}_{entity.key}"
    part: Component = {
        "platform": entity.platform,
        "name": entity.name,
        "unique_id": unique,
        "default_entity_id": f"{entity.platform}.{unique.replace('-', '_')}",
        "availability_topic": topic("status"),
        "qos": 1,
    }
    if entity.icon is not None:
        part["icon"] = entity.icon
    if entity.category is not None:
        part["entity_category"] = entity.category
    if not entity.is_enabled:
        part["enabled_by_default"] = False
    for key, value in entity.more.items():
        part[key] = topic(value) if key.endswith("_topic") else value
    return part


def messages(
    device: Device,
    parts: Mapping[str, Component],
    prefix: str,
    form: Literal["device", "single"],
) -> dict[str, dict[str, Any]]:
    """Topic to message: one for the whole device, or one for each entity.

    Args:
        device: what the entities are of.
        parts: of ``component``, by key.
        prefix: where Home Assistant listens.
        form: the former takes 2024.12 or later.
    """
    head = {"device": device_block(device), "origin": _origin(device)}
    if form == "device":
        shared = {"components": {key: {"p": part["platform"], **_bare(part)} for key, part in parts.items()}}
        return {device_topic(prefix, device.id): {**head, **shared}}
    return {
        single_topic(prefix, device.id, part["platform"], key): {**head, **_bare(part)}
        for key, part in parts.items()
    }


def device_topic(prefix: str, device_id: str) -> str:
    """Where a device is announced."""
    return f"{prefix}/device/scrim_{device_id}/config"


def single_topic(prefix: str, device_id: str, platform: str, key: str) -> str:
    """Where one entity is announced."""
    return f"{prefix}/{platform}/scrim_{device_id}/{key}/config"


def device_block(device: Device) -> dict[str, Any]:
    """The ``device`` of a message."""
    optional = {
        "serial_number": device.serial,
        "hw_version": device.hardware,
        "suggested_area": device.area,
        "configuration_url": device.url,
    }
    block: dict[str, Any] = {
        "identifiers": [f"scrim_{device.id}"],
        "name": device.name,
        "manufacturer": MANUFACTURER,
        "model": device.model,
        "sw_version": device.version,
        **{key: value for key, value in optional.items() if value},
    }
    if device.mac:
        block["connections"] = [["mac", device.mac]]
    return block


def _origin(device: Device) -> dict[str, str]:
    origin = {"name": "scrim", "sw_version": device.version}
    return {**origin, "support_url": device.support_url} if device.support_url else origin


def _bare(part: Component) -> Component:
    return {key: value for key, value in part.items() if key != "platform"}

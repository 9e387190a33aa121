"""What is known of every device, out of the messages that the devices and their broker keep."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from scrim.errors import LocalError
from scrim.local.messages import parse_object

TOPICS = ("status", "info", "state", "telemetry")
"""Last levels of the topics that are listened to, ``PREFIX/ID/LEVEL``."""

MOST_DEVICES = 100_000
MOST_BYTES = 64 * 1024
"""A larger message is none of a device's."""

_ID = re.compile(r"[a-z0-9-]{1,64}")
_RESERVED = frozenset({"all", "group", "reply"})
_MOST_GROUPS = 8
_MOST_TEXT = 255
_TROUBLED = frozenset({"no_camera", "error", "degraded"})

Seen = Literal["online", "offline", "unknown"]


@dataclass(slots=True)
class Device:
    """One device, as it last described itself.

    Attributes:
        id: second level of its topics.
        status: what the broker keeps: ``online``, ``offline`` (its last will), or unknown.
        heard_s: when it last sent anything, in seconds since 1970; None is not known.
        told: JSON by topic level.
    """

    id: str
    status: Seen = "unknown"
    heard_s: float | None = None
    told: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people; the id where it has none."""
        return self._text("info", "name") or self.id

    @property
    def groups(self) -> list[str]:
        """That it listens to."""
        groups = self.told.get("info", {}).get("groups")
        return (
            [one for one in groups if isinstance(one, str)][:_MOST_GROUPS] if isinstance(groups, list) else []
        )

    @property
    def picture(self) -> str:
        """How its picture is, in one word; ``offline`` where it is away."""
        if self.status == "offline":
            return "offline"
        return self._text("state", "pipeline") or "unknown"

    @property
    def effect(self) -> str | None:
        """Off, blur, image or color."""
        return self._text("state", "effect")

    @property
    def version(self) -> str | None:
        """Of scrim."""
        return self._text("info", "sw")

    @property
    def frame_rate_hz(self) -> float | None:
        """Pictures a second that go out; None while it is away, for the figure is old."""
        return self._number("fps")

    @property
    def temperature_c(self) -> float | None:
        """Of its processor; None while it is away."""
        return self._number("soc_temp")

    @property
    def is_troubled(self) -> bool:
        """Whether somebody should look after it."""
        return self.status == "offline" or self.picture in _TROUBLED

    def as_json(self) -> dict[str, Any]:
        """Everything in the table, for programs."""
        return {
            "id": self.id,
            "name": self.name,
            "groups": self.groups,
            "status": self.status,
            "picture": self.picture,
            "effect": self.effect,
            "frame_rate_hz": self.frame_rate_hz,
            "temperature_c": self.temperature_c,
            "version": self.version,
            "last_seen": None if self.heard_s is None else round(self.heard_s, 3),
            "last_error": self._text("state", "last_error"),
        }

    def _text(self, level: str, key: str) -> str | None:
        value = self.told.get(level, {}).get(key)
        return value[:_MOST_TEXT] if isinstance(value, str) and value else None

    def _number(self, key: str) -> float | None:
        value = self.told.get("telemetry", {}).get(key)
        if self.status == "offline" or isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value)


def is_id(text: str) -> bool:
    """Whether a topic's second level can be a device's id."""
    return _ID.fullmatch(text) is not None and text not in _RESERVED


class Message(Protocol):
    """A message of the broker's."""

    @property
    def topic(self) -> str:
        """Where it came in."""

    @property
    def payload(self) -> bytes:
        """As it came; empty takes away what was kept."""

    @property
    def is_retained(self) -> bool:
        """The broker had kept it."""


class Roster:
    """Every device that was heard of.

    Args:
        prefix: first level of every topic.
        wall_s: seconds since 1970.

    Attributes:
        strange: messages that made no sense.
    """

    def __init__(self, prefix: str, wall_s: Callable[[], float] = time.time) -> None:
        self._prefix = prefix
        self._wall_s = wall_s
        self._devices: dict[str, Device] = {}
        self.strange = 0

    def __iter__(self) -> Iterator[Device]:
        return iter(self._devices.values())

    def __len__(self) -> int:
        return len(self._devices)

    def get(self, device_id: str) -> Device | None:
        """A device; None where nothing was heard of it."""
        return self._devices.get(device_id)

    def filters(self) -> list[str]:
        """What to listen to."""
        return [f"{self._prefix}/+/{level}" for level in TOPICS]

    def note(self, received: Message) -> None:
        """Note one message; what is of no device is left alone."""
        found = self._of(received.topic)
        if found is None:
            return
        device_id, level = found
        if not received.payload:
            self._forget(device_id, level)
        elif device_id not in self._devices and len(self._devices) >= MOST_DEVICES:
            self.strange += 1
        else:
            device = self._devices.get(device_id) or Device(device_id)
            if self._note(device, level, received.payload, is_retained=received.is_retained):
                self._devices[device_id] = device
            else:
                self.strange += 1

    def _of(self, topic: str) -> tuple[str, str] | None:
        prefix, _, rest = topic.partition("/")
        device_id, _, level = rest.partition("/")
        is_ours = prefix == self._prefix and level in TOPICS and is_id(device_id)
        return (device_id, level) if is_ours else None

    def _forget(self, device_id: str, level: str) -> None:
        """The broker keeps that topic no more; with its status a device goes too."""
        device = self._devices.get(device_id)
        if device is None:
            return
        device.told.pop(level, None)
        if level == "status":
            device.status = "unknown"
        if device.status == "unknown" and not device.told:
            del self._devices[device_id]

    def _note(self, device: Device, level: str, payload: bytes, *, is_retained: bool) -> bool:
        if level == "status":
            if payload not in (b"online", b"offline"):
                return False
            device.status = "online" if payload == b"online" else "offline"
        else:
            try:
                device.told[level] = parse_object(payload, MOST_BYTES)
            except LocalError:
                return False
        self._hear(device, level, is_retained=is_retained)
        return True

    def _hear(self, device: Device, level: str, *, is_retained: bool) -> None:
        """What is kept was sent some time ago: figures say when, all else does not."""
        now_s = self._wall_s()
        if not is_retained:
            if not (level == "status" and device.status == "offline"):  # the broker said that, not the device
                device.heard_s = now_s
            return
        sent_s = device.told.get("telemetry", {}).get("ts") if level == "telemetry" else None
        if isinstance(sent_s, int | float) and not isinstance(sent_s, bool):
            device.heard_s = max(min(sent_s, now_s), device.heard_s or 0.0)

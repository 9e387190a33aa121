"""One change for many devices, and who of them made it."""

import json
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scrim.errors import LocalError
from scrim.fleet.broker import Broker, Received
from scrim.fleet.roster import MOST_BYTES, Device, is_id
from scrim.local.messages import parse_object
from scrim.patch import combine

JITTER_S: Mapping[str, float] = {"device": 0.0, "group": 5.0, "all": 10.0}
"""So long a device may wait with its answer, at random, so that not all answer at once (docs/mqtt.md)."""

PATIENCE_S = 20.0
"""On top of that: an image is loaded within 15 s, or the device says why not."""

_MOST_TEXT = 300
_RESPONSE = "response"

Outcome = Literal["done", "refused", "silent", "away"]


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a change is for.

    Attributes:
        scope: one device, a group, or all.
        name: of the device or the group; empty for all.
    """

    scope: Literal["device", "group", "all"]
    name: str = ""

    @property
    def topic(self) -> str:
        """Between the prefix and ``set``."""
        return {"device": self.name, "group": f"group/{self.name}", "all": "all"}[self.scope]

    def __str__(self) -> str:
        """For people."""
        return {"device": f"device {self.name}", "group": f"group {self.name}", "all": "all devices"}[
            self.scope
        ]

    def includes(self, device: Device) -> bool:
        """Whether a device listens to this."""
        match self.scope:
            case "device":
                return device.id == self.name
            case "group":
                return self.name in device.groups
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a change at one device.

    Attributes:
        device_id: which.
        outcome: ``done``, ``refused``, no answer in time (``silent``), or ``away`` all along.
        text: why, or what is in effect now.
        revision: of the settings in effect; None where it did not say.
        after_s: seconds until the answer came; None without one.
    """

    device_id: str
    outcome: Outcome
    text: str
    revision: int | None = None
    after_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "id": self.device_id,
            "outcome": self.outcome,
            "text": self.text,
            "revision": self.revision,
            "after_s": None if self.after_s is None else round(self.after_s, 3),
        }


class Change:
    """A change on its way.

    Args:
        broker: connected; listens to ``answers_filter``.
        prefix: first level of every topic.
        token: marks this change's answers.
        clock_s: monotonic clock.
    """

    def __init__(
        self, broker: Broker, prefix: str, token: str, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._broker = broker
        self._prefix = prefix
        self._token = token
        self._clock_s = clock_s
        self._sent_s = clock_s()
        self._is_kept = False

    def send(self, target: Target, patch: Mapping[str, Any]) -> bool:
        """Send it to those who are there; whether anybody listens.

        Raises:
            BrokerError: the broker does not take it.
        """
        return self._send(f"{target.topic}/set", patch, retain=False)

    def keep(self, target: Target, patch: Mapping[str, Any], kept: bytes, now_s: float) -> bool:
        """Let the broker keep it, for those who are away too, on top of what it keeps already.

        Args:
            target: whom it is for.
            patch: what to change.
            kept: the message that the broker keeps; empty for none.
            now_s: seconds since 1970; revisions count up with it, whoever makes them.

        Raises:
            BrokerError: the broker does not take it.
        """
        revision, config = _kept(kept)
        self._is_kept = True
        wanted = {"rev": max(revision + 1, int(now_s)), "config": combine([config, patch])}
        return self._send(f"{target.topic}/desired", wanted, retain=True)

    def _send(self, topic: str, document: Mapping[str, Any], *, retain: bool) -> bool:
        payload = json.dumps({"transaction": self._token, **document}, separators=(",", ":")).encode()
        self._sent_s = self._clock_s()
        return self._broker.publish(
            f"{self._prefix}/{topic}",
            payload,
            mark=self._token.encode(),
            retain=retain,
        )

    def answers(
        self, expected: Collection[Device], patience_s: float, others: Callable[[Received], object]
    ) -> Iterator[Answer]:
        """Each answer as it comes, at most one a device; at the end whoever did not answer.

        Args:
            expected: who should; of those that are away nothing is waited for.
            patience_s: how long, after the change was sent.
            others: is given every message that is no answer.
        """
        waiting = {device.id for device in expected if device.status != "offline"}
        came: set[str] = set()
        while waiting and (left_s := self._sent_s + patience_s - self._clock_s()) > 0:
            received = self._broker.next(left_s)
            answer = self._answer_of(received) if received is not None else None
            if answer is not None and answer.device_id not in came:
                came.add(answer.device_id)
                waiting.discard(answer.device_id)
                yield answer
            elif received is not None:
                others(received)
        for device in expected:
            if device.id not in came:
                yield _missing(device, is_kept=self._is_kept)

    def _answer_of(self, received: Received) -> Answer | None:
        if received.correlation != self._token.encode():
            return None
        head, _, level = received.topic.rpartition("/")
        device_id = head.removeprefix(f"{self._prefix}/")
        if level != _RESPONSE or not is_id(device_id):
            return None
        try:
            document = parse_object(received.payload, MOST_BYTES)
        except LocalError:
            return None
        if document.get("transaction") != self._token:
            return None
        revision = document.get("rev")
        after_s = self._clock_s() - self._sent_s
        is_done = document.get("ok") is True
        return Answer(
            device_id,
            "done" if is_done else "refused",
            _done(document) if is_done else _why(document),
            revision if isinstance(revision, int) else None,
            after_s,
        )


def make_token() -> str:
    """A mark that nobody guesses."""
    return secrets.token_hex(8)


def answers_filter(prefix: str) -> str:
    """Where all devices answer: each at a topic of its own, where the broker lets nobody else write."""
    return f"{prefix}/+/{_RESPONSE}"


def desired_topic(prefix: str, target: Target) -> str:
    """Where the broker keeps what a target shall have."""
    return f"{prefix}/{target.topic}/desired"


def _kept(payload: bytes) -> tuple[int, Mapping[str, Any]]:
    """Revision and settings that the broker keeps; 0 and none where that is nothing or nonsense."""
    try:
        document = parse_object(payload, MOST_BYTES) if payload else {}
    except LocalError:
        return 0, {}
    revision, config = document.get("rev"), document.get("config")
    if isinstance(revision, bool) or not isinstance(revision, int) or not isinstance(config, dict):
        return 0, {}
    return revision, config


def _missing(device: Device, *, is_kept: bool) -> Answer:
    if device.status == "offline":
        later = "it will change when it is back" if is_kept else "it was not changed"
        return Answer(device.id, "away", f"is away; {later}")
    return Answer(device.id, "silent", "did not answer; whether it was changed is not known")


def _done(document: Mapping[str, Any]) -> str:
    changed = document.get("changed")
    if not isinstance(changed, list):
        return "done"
    keys = [key for key in changed if isinstance(key, str)]
    return f"changed {', '.join(keys)}"[:_MOST_TEXT] if keys else "was so already"


def _why(document: Mapping[str, Any]) -> str:
    """Every reason that a device gave, each with the key that it is about."""
    errors = document.get("errors")
    reasons = errors if isinstance(errors, list) else [document.get("error")]
    told = "; ".join(_reason(reason) for reason in reasons if isinstance(reason, dict))
    return told[:_MOST_TEXT] or "refused"


def _reason(error: Mapping[str, Any]) -> str:
    field, message = error.get("field"), error.get("message")
    return ": ".join(part for part in (field, message) if isinstance(part, str) and part)

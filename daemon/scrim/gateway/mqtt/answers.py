"""Answers to requests: where they go, when, and what they say."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scrim.errors import ScrimError
from scrim.gateway.mqtt.bucket import Bucket
from scrim.gateway.mqtt.mailbox import Message, Received
from scrim.gateway.mqtt.payloads import SCHEMA, encode
from scrim.gateway.mqtt.refusals import Refusal, RefusalError, refusals
from scrim.gateway.mqtt.topics import Target, Topics
from scrim.gateway.mqtt.view import View

EXPIRY_S = 60

JITTER_S: Mapping[str, float] = {"own": 0.0, "group": 5.0, "all": 10.0}
"""So long answers may wait at the most, for a thousand devices must not answer at once."""

_MOST_CORRELATION = 256
_MOST_PROBLEMS = 16


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        received: as it came.
        target: what it is for.
        transaction: the sender's own name for it; None without.
    """

    received: Received
    target: Target
    transaction: str | None = None

    def called(self, transaction: str | None) -> "Request":
        """The same, with its name."""
        return replace(self, transaction=transaction)

    @property
    def source(self) -> str:
        """Its topic without prefix and device, for people and logs."""
        words = {"key": "set", "command": "cmd"}
        kind = words.get(self.target.kind, self.target.kind)
        return f"{kind}/{self.target.name}" if self.target.name else kind


class Answers:
    """Sends answers.

    Args:
        topics: of this device.
        device_id: for readers that do not parse JSON.
        view: knows the revision.
        publish: sends a message.
        chance: a number in [0, 1) each time.
    """

    def __init__(
        self,
        topics: Topics,
        device_id: str,
        view: View,
        publish: Callable[[Message], object],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._topics = topics
        self._device_id = device_id
        self._view = view
        self._publish = publish
        self._chance = chance
        self._complaints = Bucket(per_s=1, burst=3)
        self._later: set[asyncio.TimerHandle] = set()

    def done(self, request: Request, **more: object) -> None:
        """Answer that it was done; ``more`` are further fields."""
        self._send(request, {"ok": True, "rev": self._view.revision, **more})

    def refused(self, request: Request, error: ScrimError) -> Refusal:
        """Answer that it was not done; the first reason is given back."""
        reasons = refusals(error)
        fields: dict[str, Any] = {"ok": False, "rev": self._view.revision, "error": reasons[0].as_json()}
        if len(reasons) > 1:
            fields["errors"] = [reason.as_json() for reason in reasons[:_MOST_PROBLEMS]]
        self._send(request, fields)
        return reasons[0]

    def may_complain(self) -> bool:
        """Whether to say anything of one more message that is not obeyed: under a flood not every time."""
        return self._complaints.take()

    def complain(self, request: Request, code: str, message: str) -> None:
        """Refuse what was not even looked at, if that may be said."""
        if self.may_complain():
            self.refused(request, RefusalError(code, message))

    def close(self) -> None:
        """Send nothing more."""
        for handle in self._later:
            handle.cancel()
        self._later.clear()

    def _send(self, request: Request, fields: Mapping[str, Any]) -> None:
        target, received = request.target, request.received
        to = {"own": {}, "group": {"to": f"group/{target.group}"}, "all": {"to": "all"}}[target.scope]
        payload = encode(
            {"v": SCHEMA, "transaction": request.transaction, "request": request.source, **to, **fields}
        )
        wait_s = self._chance() * JITTER_S[target.scope]
        correlation = received.correlation
        message = Message(
            self._topics.own("response"),
            payload,
            expiry_s=EXPIRY_S,
            correlation=correlation if correlation and len(correlation) <= _MOST_CORRELATION else None,
            user=(("device", self._device_id), ("rev", str(self._view.revision))),
        )
        self._after(wait_s, message)
        where = received.response_topic
        if where is not None and where != message.topic and self._topics.may_answer_to(where):
            self._after(wait_s, replace(message, topic=where))

    def _after(self, wait_s: float, message: Message) -> None:
        if wait_s <= 0:
            self._publish(message)
            return

        def send() -> None:
            self._later.discard(handle)
            self._publish(message)

        handle = asyncio.get_running_loop().call_later(wait_s, send)
        self._later.add(handle)

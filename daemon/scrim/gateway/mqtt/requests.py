"""What comes in: looked at, bounded, and handed to whoever does it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from scrim.errors import LocalError, ScrimError
from scrim.gateway.mqtt import shadow
from scrim.gateway.mqtt.answers import Answers, Request
from scrim.gateway.mqtt.bucket import Bucket
from scrim.gateway.mqtt.changes import Changes
from scrim.gateway.mqtt.commands import Commands
from scrim.gateway.mqtt.mailbox import Received
from scrim.gateway.mqtt.refusals import Refusal, RefusalError
from scrim.gateway.mqtt.scalars import patch_of
from scrim.gateway.mqtt.session import MAX_PACKET_BYTES
from scrim.gateway.mqtt.shadow import Shadow
from scrim.gateway.mqtt.topics import Topics
from scrim.gateway.mqtt.view import View
from scrim.local.messages import parse_object

log = logging.getLogger(__name__)

COMMANDS_PER_S = 5.0
BURST = 20.0
"""So many requests at once; then so many a second. What is above is refused."""

MAX_DEPTH = 6
MOST_AT_ONCE = 16
MOST_BYTES_AT_ONCE = 1 << 20
"""Requests that may be on their way at a time, such as images that load, and their payloads together."""

_MOST_TRANSACTION = 64
_CONTROL_KEYS = frozenset({"v", "transaction", "persist", "if_rev"})
_SILENT = frozenset({"rate_limited", "retained_command", "rev_conflict"})
"""Refusals that are no trouble of the device's."""


class Requests:
    """Takes one message after the other.

    Args:
        topics: what a topic means.
        changes: makes changes of settings.
        shadow: makes desired settings.
        commands: does the verbs.
        answers: tells.
        view: learns of refusals.
        born: called when Home Assistant says that it is there.
        rejected: called with source and reason of each refusal that people should see.
    """

    def __init__(
        self,
        topics: Topics,
        changes: Changes,
        shadow: Shadow,
        commands: Commands,
        answers: Answers,
        view: View,
        born: Callable[[], None],
        rejected: Callable[[str, Refusal], None],
    ) -> None:
        self._topics = topics
        self._changes = changes
        self._shadow = shadow
        self._commands = commands
        self._answers = answers
        self._view = view
        self._born = born
        self._rejected = rejected
        self._bucket = Bucket(COMMANDS_PER_S, BURST)
        self._running: set[asyncio.Task[None]] = set()
        self._bytes = 0

    def take(self, received: Received) -> None:
        """Look at one message; what takes time goes on beside."""
        target = self._topics.target(received.topic)
        if target is None:
            return
        request = Request(received, target)
        if target.kind == "birth":
            if received.payload == b"online":
                self._born()
        elif target.kind == "desired":
            self._desired(request)
        elif received.is_retained:
            self._retained(request)
        elif not self._bucket.take():
            self._answers.complain(request, "rate_limited", f"more than {COMMANDS_PER_S:g} requests a second")
        elif len(self._running) >= MOST_AT_ONCE or self._bytes + len(received.payload) > MOST_BYTES_AT_ONCE:
            self._answers.complain(request, "busy", "too many requests are on their way")
        else:
            self.start(self._do(request))

    async def close(self) -> None:
        """Leave everything that is on its way."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def refused(self, request: Request, error: ScrimError) -> None:
        """Tell everybody whom it concerns that a request was refused."""
        reason = self._answers.refused(request, error)
        if reason.code not in _SILENT:
            self._view.refused(reason.text)
            self._rejected(request.source, reason)
        log.info("mqtt: %s: refused: %s", request.source, reason.text)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside, until ``close``."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _desired(self, request: Request) -> None:
        """Only noted here; it is made when the broker has told everything it keeps."""
        if not request.received.payload:
            self._shadow.drop(request.received.topic)
            return
        try:
            document = _parsed(request.received.payload)
            request = request.called(_transaction(document))
            self._shadow.put(shadow.read(document, request))
        except ScrimError as error:
            if self._answers.may_complain():
                self.refused(request, error)

    def _retained(self, request: Request) -> None:
        if self._answers.may_complain():
            topic = request.received.topic
            log.warning("mqtt: %s: a command must not be retained; it is not obeyed", topic)
            self._answers.refused(request, RefusalError("retained_command", "commands must not be retained"))

    async def _do(self, request: Request) -> None:
        document: dict[str, Any] = {}
        size = len(request.received.payload)
        self._bytes += size
        try:
            if request.target.kind != "key" and request.received.payload:
                document = _parsed(request.received.payload)
                request = request.called(_transaction(document))
            await self._obey(request, document)
        except ScrimError as error:
            self.refused(request, error)
        except Exception:
            log.exception("mqtt: %s failed", request.source)
            self.refused(request, RefusalError("internal", "the gateway failed; its log has the details"))
        finally:
            self._bytes -= size

    async def _obey(self, request: Request, document: Mapping[str, Any]) -> None:
        match request.target.kind:
            case "command":
                await self._commands.do(request, document)
            case "key":
                patch = patch_of(request.target.name, request.received.payload)
                self._answer(request, await self._changes.change(patch, "set"))
            case _:
                await self._set(request, document)

    async def _set(self, request: Request, document: Mapping[str, Any]) -> None:
        patch = {key: value for key, value in document.items() if key not in _CONTROL_KEYS}
        terms: dict[str, Any] = {}
        if (if_revision := document.get("if_rev")) is not None:
            if isinstance(if_revision, bool) or not isinstance(if_revision, int):
                raise RefusalError("out_of_range", "if_rev must be a whole number")
            terms["if_revision"] = if_revision
        if "persist" in document:
            if not isinstance(document["persist"], bool):
                raise RefusalError("out_of_range", "persist must be true or false")
            terms["remember"] = document["persist"]
        self._answer(request, await self._changes.change(patch, "set", **terms))

    def _answer(self, request: Request, changed: list[str]) -> None:
        self._view.succeeded()
        self._answers.done(request, changed=changed)


def _parsed(payload: bytes) -> dict[str, Any]:
    try:
        return parse_object(payload, MAX_PACKET_BYTES, MAX_DEPTH)
    except LocalError as error:
        raise RefusalError("bad_json", str(error)) from None


def _transaction(document: Mapping[str, Any]) -> str | None:
    """The sender's own name for its request; a number is taken as a text."""
    given = document.get("transaction")
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if given is not None and (not isinstance(given, str) or not 0 < len(given) <= _MOST_TRANSACTION):
        raise RefusalError("out_of_range", f"transaction must be 1 to {_MOST_TRANSACTION} characters")
    return given

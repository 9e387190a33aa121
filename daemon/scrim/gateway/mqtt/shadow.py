"""Settings that a controller wants, kept by the broker: for all devices, for groups, for this one."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scrim.errors import LocalError, ScrimError
from scrim.gateway.mqtt.answers import Answers, Request
from scrim.gateway.mqtt.changes import OWN_KEYS, Changes, flat
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.refusals import IMAGE_KEY, RefusalError
from scrim.patch import expand, snake_case

log = logging.getLogger(__name__)

_KEYS = frozenset({"v", "rev", "config", "transaction"})
_MOST_REVISION = 1 << 53
_ALIASES = {
    "output": "camera.is_enabled",
    "adaptive": "budget.is_adaptive",
    "background": IMAGE_KEY,
    "background_image": IMAGE_KEY,
    "background_color": "background_replacement.default_color",
}


@dataclass(frozen=True, slots=True)
class Desired:
    """What one topic wants.

    Attributes:
        revision: counts up; one that was made is not made again.
        config: a patch.
        request: for the answer.
    """

    revision: int
    config: Mapping[str, Any]
    request: Request


def read(document: Mapping[str, Any], request: Request) -> Desired:
    """Check a message of desired settings.

    Raises:
        RefusalError: it has not their shape.
    """
    unknown = sorted(document.keys() - _KEYS)
    if unknown:
        raise RefusalError("unknown_field", f"{unknown[0][:40]!r}: desired settings have rev and config")
    revision, config = document.get("rev"), document.get("config")
    if isinstance(revision, bool) or not isinstance(revision, int) or not 0 < revision < _MOST_REVISION:
        raise RefusalError("out_of_range", "rev must be a whole number above 0 that counts up")
    if not isinstance(config, dict):
        raise RefusalError("bad_json", "config must be an object of settings")
    return Desired(revision, config, request)


class Shadow:
    """Makes desired settings: each revision once, those of narrower scope over those of wider.

    Args:
        changes: makes them.
        memory: keeps which were made.
        answers: tells.
        refused: called with request and error when they could not be made.
    """

    def __init__(
        self,
        changes: Changes,
        memory: Memory,
        answers: Answers,
        refused: Callable[[Request, ScrimError], None],
    ) -> None:
        self._changes = changes
        self._memory = memory
        self._answers = answers
        self._refused = refused
        self._wanted: dict[str, Desired] = {}
        self._waiting: dict[str, Desired] = {}
        self._changed: dict[str, list[str]] = {}

    def forget(self) -> None:
        """The connection is new: the broker will tell everything again."""
        self._wanted.clear()
        self._waiting.clear()

    def put(self, desired: Desired) -> None:
        """Take what a topic wants; ``settle`` makes it.

        Raises:
            RefusalError: a newer revision was made already.
        """
        topic = desired.request.received.topic
        self._wanted[topic] = desired
        if desired.revision > self._applied.get(topic, 0):
            self._waiting[topic] = desired
        elif desired.revision < self._applied[topic]:
            message = f"revision {self._applied[topic]} of {topic} was made already"
            raise RefusalError("rev_conflict", message)

    def drop(self, topic: str) -> None:
        """A topic wants nothing any more. What it wanted stays in effect; its revisions start anew."""
        self._wanted.pop(topic, None)
        self._waiting.pop(topic, None)
        self._memory.set(
            "applied", {key: value for key, value in self._applied.items() if key != topic} or None
        )

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be made."""
        return bool(self._waiting)

    async def settle(self, order: Sequence[str]) -> None:
        """Make what waits. What a narrower scope wants of the same keys is made again after it.

        Args:
            order: topics, the one that wins last.
        """
        narrower = [topic for topic in order if topic in self._wanted]
        touched: frozenset[str] = frozenset()
        while narrower:
            topic = narrower.pop(0)
            keys = _keys(self._wanted[topic].config)
            is_new = topic in self._waiting
            if not is_new and not keys & touched:
                continue
            covered = frozenset().union(*(_keys(self._wanted[other].config) for other in narrower))
            if not keys <= covered and not await self._make(topic):
                return
            if is_new:
                self._made(topic)
            touched |= keys

    async def _make(self, topic: str) -> bool:
        """Make what one topic wants; False when the core cannot now."""
        desired = self._wanted[topic]
        try:
            changed = await self._changes.change(desired.config, "desired")
        except LocalError as error:
            log.info("mqtt: desired settings wait: %s", error)
            return False
        except ScrimError as error:
            self._waiting.pop(topic, None)
            self._refused(desired.request, error)
        else:
            self._changed[topic] = changed
        return True

    def _made(self, topic: str) -> None:
        """Note a revision that was made, and tell."""
        desired = self._waiting.pop(topic, None)
        if desired is None:
            return
        self._memory.set("applied", {**self._applied, topic: desired.revision})
        changed = self._changed.pop(topic, [])
        self._answers.done(desired.request, desired_rev=desired.revision, changed=changed)

    @property
    def _applied(self) -> Mapping[str, int]:
        return self._memory.get("applied") or {}


def _keys(config: Mapping[str, Any]) -> frozenset[str]:
    """What a patch is about, dotted, whatever its spelling."""
    own = {snake_case(key) for key in config} & OWN_KEYS
    others = {key: value for key, value in config.items() if snake_case(key) not in OWN_KEYS}
    keys = {_ALIASES.get(key, key) for key in own} | set(flat(expand(others)[0]))
    return frozenset(keys)

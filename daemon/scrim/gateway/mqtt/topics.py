"""The topic tree: what we publish and subscribe to, and what a topic that came in means."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["set", "key", "command", "desired", "birth"]
Scope = Literal["own", "group", "all"]

REPLY_LEVEL = "reply"
_MOST_TOPIC = 256
_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""A name that may stand in a log."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a topic that came in means.

    Attributes:
        kind: ``set`` a patch, ``key`` one value, a ``command``, ``desired`` settings, or the
            ``birth`` of Home Assistant.
        scope: whom it was sent to.
        name: of the key or the command; empty otherwise.
        group: that it was sent to; empty unless the scope is ``group``.
    """

    kind: Kind
    scope: Scope = "own"
    name: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter; ``wants_retained`` says whether what the broker keeps is to be sent at once."""

    filter: str
    wants_retained: bool


class Topics:
    """The topics of one device.

    Args:
        prefix: first level.
        device_id: second level.
        discovery_prefix: where Home Assistant listens.
    """

    def __init__(self, prefix: str, device_id: str, discovery_prefix: str) -> None:
        self._prefix = prefix
        self._id = device_id
        self._birth = f"{discovery_prefix}/status"

    def own(self, *levels: str) -> str:
        """A topic of this device, such as ``own("state")``."""
        return "/".join((self._prefix, self._id, *levels))

    @property
    def all_desired(self) -> str:
        """Where a controller says what every device shall be."""
        return f"{self._prefix}/all/desired"

    def group_desired(self, group: str) -> str:
        """Where it says what a group's devices shall be."""
        return f"{self._prefix}/group/{group}/desired"

    def subscriptions(self, groups: Sequence[str]) -> Iterator[Subscription]:
        """What to listen to: six filters, and one for each group.

        Of what is kept by the broker only desired settings are wanted. Filters that cover more than those
        bring old commands too, marked as retained; nobody obeys them.
        """
        for levels in (("set",), ("set", "+"), ("cmd", "+")):
            yield Subscription(self.own(*levels), wants_retained=False)
        yield Subscription(self.own("desired"), wants_retained=True)
        yield Subscription(f"{self._prefix}/all/#", wants_retained=True)
        yield Subscription(self._birth, wants_retained=False)
        for group in groups:
            yield self.group_subscription(group)

    def group_subscription(self, group: str) -> Subscription:
        """What to listen to for one group."""
        return Subscription(f"{self._prefix}/group/{group}/#", wants_retained=True)

    def target(self, topic: str) -> Target | None:
        """What a topic that came in means; None when it means nothing to us."""
        if topic == self._birth:
            return Target("birth")
        match topic.split("/"):
            case [self._prefix, self._id, *rest]:
                return _target(rest, "own")
            case [self._prefix, "all", *rest]:
                return _target(rest, "all")
            case [self._prefix, "group", group, *rest] if group:
                return _target(rest, "group", group)
        return None

    def may_answer_to(self, topic: str) -> bool:
        """Whether a controller may have its answer at a topic of its choice.

        Anywhere else it could make this device speak in another's name.
        """
        is_plain = 0 < len(topic) <= _MOST_TOPIC and not any(character in topic for character in "+#\0")
        return is_plain and topic.startswith((f"{self._prefix}/{REPLY_LEVEL}/", f"{self.own('response')}/"))


def _target(levels: list[str], scope: Scope, group: str = "") -> Target | None:
    match levels:
        case ["set"]:
            return Target("set", scope, "", group)
        case ["set", key] if _WORD.fullmatch(key) and scope == "own":
            return Target("key", scope, key, group)
        case ["cmd", verb] if _WORD.fullmatch(verb):
            return Target("command", scope, verb, group)
        case ["desired"]:
            return Target("desired", scope, "", group)
    return None

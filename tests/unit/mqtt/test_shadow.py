"""Desired settings: each revision once, the narrower over the wider."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scrim.errors import ConfigError, LocalError, Problem, ScrimError
from scrim.gateway.mqtt.answers import Request
from scrim.gateway.mqtt.mailbox import Received
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.refusals import RefusalError
from scrim.gateway.mqtt.shadow import Shadow, read
from scrim.gateway.mqtt.topics import Topics
from scrim.statefile import StateFile

TOPICS = Topics("scrim", "testdevice", "homeassistant")
ALL, OFFICE, FLOOR, OWN = (
    "scrim/all/desired",
    "scrim/group/office/desired",
    "scrim/group/floor/desired",
    "scrim/testdevice/desired",
)
ORDER = (ALL, OFFICE, FLOOR, OWN)


class Rig:
    """Notes what is changed, answered and refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[dict[str, Any]] = []
        self.done_topics: list[str] = []
        self.refusals: list[tuple[str, ScrimError]] = []
        self.error: ScrimError | None = None
        self.start()

    def start(self) -> None:
        """As after a restart."""
        self.memory = Memory(StateFile(self.folder / "gateway.json", 0))
        self.shadow = Shadow(self, self.memory, self, self.note)  # type: ignore[arg-type]

    async def change(self, patch: Mapping[str, Any], source: str) -> list[str]:
        assert source == "desired"
        if self.error is not None:
            raise self.error
        self.made.append(dict(patch))
        return []

    def done(self, request: Request, **more: Any) -> None:
        self.done_topics.append(request.received.topic)

    def refused(self, request: Request, error: ScrimError) -> None:
        self.note(request, error)

    def note(self, request: Request, error: ScrimError) -> None:
        self.refusals.append((request.received.topic, error))

    def want(self, topic: str, revision: int, **config: Any) -> None:
        target = TOPICS.target(topic) or TOPICS.target(OWN)
        assert target is not None
        request = Request(Received(topic, b""), target)
        self.shadow.put(read({"rev": revision, "config": config}, request))

    def settle(self) -> list[dict[str, Any]]:
        self.made.clear()
        asyncio.run(self.shadow.settle(ORDER))
        return self.made


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_each_revision_is_made_once_also_after_a_restart(rig: Rig) -> None:
    rig.want(OWN, 3, effect="blur")
    assert rig.settle() == [{"effect": "blur"}]
    assert rig.settle() == []
    rig.start()
    rig.want(OWN, 3, effect="blur")
    assert not rig.shadow.is_waiting
    assert rig.settle() == []
    rig.want(OWN, 4, effect="color")
    assert rig.settle() == [{"effect": "color"}]
    assert rig.done_topics == [OWN, OWN]


def test_an_older_revision_is_refused(rig: Rig) -> None:
    rig.want(OWN, 3, effect="blur")
    rig.settle()
    with pytest.raises(RefusalError, match="revision 3 of scrim/testdevice/desired") as caught:
        rig.want(OWN, 2, effect="color")
    assert caught.value.code == "rev_conflict"
    assert rig.settle() == []


def test_wide_before_narrow_in_the_order_of_the_groups(rig: Rig) -> None:
    rig.want(OWN, 1, person={"persons": "largest"})
    rig.want(ALL, 1, strength="low")
    rig.want(FLOOR, 1, fit="contain")
    rig.want(OFFICE, 1, effect="blur")
    assert rig.settle() == [
        {"strength": "low"},
        {"effect": "blur"},
        {"fit": "contain"},
        {"person": {"persons": "largest"}},
    ]


def test_a_wider_wish_that_is_overruled_in_all_is_never_seen(rig: Rig) -> None:
    rig.want(OWN, 1, effect="color", strength="high")
    rig.settle()
    rig.want(ALL, 1, effect="blur")
    assert rig.settle() == [{"effect": "color", "strength": "high"}]
    assert rig.done_topics == [OWN, ALL], "it counts as made"


def test_a_wider_wish_that_is_overruled_in_part(rig: Rig) -> None:
    rig.want(OWN, 1, effect="color")
    rig.settle()
    rig.want(ALL, 1, effect="blur", strength="low")
    assert rig.settle() == [{"effect": "blur", "strength": "low"}, {"effect": "color"}]


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (
            {"effect": "blur"},
            {"backgroundBlur": {"isEnabled": False}, "backgroundReplacement": {"isEnabled": True}},
        ),
        ({"output": True}, {"camera": {"is_enabled": False}}),
        ({"image": "https://a.example/b.jpg"}, {"background": "office.jpg", "color": None}),
        ({"adaptive": True}, {"budget": {"isAdaptive": False}}),
    ],
)
def test_the_same_thing_in_other_words_is_the_same_thing(
    rig: Rig, wide: dict[str, Any], narrow: dict[str, Any]
) -> None:
    rig.want(OWN, 1, **narrow)
    rig.settle()
    rig.want(ALL, 1, **wide)
    assert rig.settle()[-1] == narrow


def test_wishes_that_have_nothing_to_do_with_each_other_leave_each_other_alone(rig: Rig) -> None:
    rig.want(OWN, 1, effect="color")
    rig.settle()
    rig.want(ALL, 1, strength="low")
    assert rig.settle() == [{"strength": "low"}]


def test_what_cannot_be_made_now_waits_for_the_core(rig: Rig) -> None:
    rig.error = LocalError("gone")
    rig.want(OWN, 1, effect="color")
    assert rig.settle() == []
    assert rig.shadow.is_waiting
    rig.error = None
    assert rig.settle() == [{"effect": "color"}]
    assert rig.done_topics == [OWN]


def test_what_is_wrong_is_refused_and_not_remembered(rig: Rig) -> None:
    rig.error = ConfigError([Problem("strength", "ultra", "is wrong", "low")])
    rig.want(OWN, 1, strength="ultra")
    rig.settle()
    assert [topic for topic, _ in rig.refusals] == [OWN]
    assert not rig.shadow.is_waiting
    assert rig.memory.get("applied") is None
    assert rig.done_topics == []


def test_a_topic_that_is_taken_away_counts_from_the_start(rig: Rig) -> None:
    rig.want(OWN, 9, effect="color")
    rig.settle()
    rig.shadow.drop(OWN)
    rig.want(OWN, 1, effect="blur")
    assert rig.settle() == [{"effect": "blur"}]


def test_a_new_connection_tells_everything_again(rig: Rig) -> None:
    rig.want(OWN, 1, effect="color")
    rig.shadow.forget()
    assert not rig.shadow.is_waiting
    rig.want(OWN, 1, effect="color")
    assert rig.settle() == [{"effect": "color"}]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"config": {}}, "out_of_range"),
        ({"rev": 0, "config": {}}, "out_of_range"),
        ({"rev": True, "config": {}}, "out_of_range"),
        ({"rev": 1.5, "config": {}}, "out_of_range"),
        ({"rev": 1 << 60, "config": {}}, "out_of_range"),
        ({"rev": 1}, "bad_json"),
        ({"rev": 1, "config": []}, "bad_json"),
        ({"rev": 1, "config": {}, "confg": {}}, "unknown_field"),
    ],
)
def test_what_has_not_the_shape(document: dict[str, Any], code: str) -> None:
    target = TOPICS.target(OWN)
    assert target is not None
    with pytest.raises(RefusalError) as caught:
        read(document, Request(Received(OWN, b""), target))
    assert caught.value.code == code

"""Discovery is told again only when there is news, and until it was really sent."""

from dataclasses import replace
from pathlib import Path

import pytest

from scrim.gateway.identity import Identity
from scrim.gateway.mqtt.announcements import Announcements
from scrim.gateway.mqtt.entities import Offer
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.topics import Topics
from scrim.statefile import StateFile

OFFER = Offer(
    ["office.jpg"], ["1280x720"], ["30"], ["person-256x144"], frozenset({"fps", "cpu"}), 10.0, snapshots=False
)
IDENTITY = Identity("cam-0001", "Office", "", "a board", "", "aarch64", "an OS", "02:00:00:00:00:01")


class Wire:
    """Takes messages while there is room."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.room = 100

    def publish(self, message: Message) -> bool:
        if self.room <= 0:
            return False
        self.room -= 1
        self.sent.append(message)
        return True


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture(params=["device", "single"])
def announcements(wire: Wire, tmp_path: Path, request: pytest.FixtureRequest) -> Announcements:
    memory = Memory(StateFile(tmp_path / "gateway.json"))
    topics = Topics("scrim", IDENTITY.id, "homeassistant")
    return Announcements(IDENTITY, topics, "homeassistant", request.param, memory, wire.publish)


def test_what_was_told_is_not_told_again(announcements: Announcements, wire: Wire) -> None:
    announcements.announce(OFFER)
    first = len(wire.sent)
    assert first > 0
    announcements.announce(replace(OFFER))
    assert len(wire.sent) == first
    announcements.forget()
    announcements.announce(OFFER)
    assert len(wire.sent) == 2 * first


def test_news_are_told(announcements: Announcements, wire: Wire) -> None:
    announcements.announce(OFFER)
    first = len(wire.sent)
    announcements.announce(replace(OFFER, backgrounds=["beach.jpg", "office.jpg"]))
    assert len(wire.sent) == first + 1


def test_what_found_no_room_is_told_later(announcements: Announcements, wire: Wire) -> None:
    wire.room = 0
    announcements.announce(OFFER)
    assert wire.sent == []
    wire.room = 100
    announcements.announce(OFFER)
    told = {message.topic for message in wire.sent}
    wire.room = 0
    announcements.announce(replace(OFFER, backgrounds=["beach.jpg"]))  # news that find no room
    wire.room = 100
    announcements.announce(replace(OFFER, backgrounds=["beach.jpg"]))
    assert b"beach.jpg" in wire.sent[-1].payload
    assert {message.topic for message in wire.sent} == told

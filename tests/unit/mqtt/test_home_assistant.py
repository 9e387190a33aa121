"""What Home Assistant is told: the table of docs/mqtt.md, and what real versions refused or misunderstood."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scrim.config import Settings
from scrim.gateway.home_assistant import Device, component, messages
from scrim.gateway.identity import Identity
from scrim.gateway.mqtt import payloads, scalars
from scrim.gateway.mqtt.announcements import Announcements
from scrim.gateway.mqtt.choices import Choices
from scrim.gateway.mqtt.entities import EVERYTHING, PIPELINES, Offer, entities
from scrim.gateway.mqtt.events import EVENT_TYPES
from scrim.gateway.mqtt.forget import every_topic, needed_topics
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.topics import Topics
from scrim.gateway.mqtt.view import PLACEHOLDERS, View
from scrim.local.status import EVENT_NAMES
from scrim.statefile import StateFile

DOCUMENT = (Path(__file__).parents[3] / "docs" / "mqtt.md").read_text()
TOPICS = Topics("scrim", "testdevice", "homeassistant")
IDENTITY = Identity("testdevice", "Test", "", "Board", "1000", "aarch64", "Debian", "aa:bb:cc:dd:ee:ff")
DEVICE = Device("testdevice", "Test", "Board", "aarch64", "1000", "0.1.0", "Office", "aa:bb:cc:dd:ee:ff")
PARTS = {entity.key: component(entity, TOPICS.own, "testdevice") for entity in entities(EVERYTHING)}

DEVICE_KEYS_OF_2024_3 = {
    "identifiers",
    "connections",
    "name",
    "manufacturer",
    "model",
    "sw_version",
    "hw_version",
    "serial_number",
    "suggested_area",
    "configuration_url",
    "via_device",
}


def rows() -> dict[str, list[str]]:
    table = DOCUMENT.partition("| key | entity | name | | shown |\n")[2].partition("\n\n")[0].splitlines()[1:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return {row[0].strip("`"): row for row in cells}


def test_the_document_has_every_entity_and_no_other() -> None:
    assert list(rows()) == list(PARTS)
    for key, (_, platform, name, _, shown) in rows().items():
        part = PARTS[key]
        assert (part["platform"], part["name"]) == (platform, name)
        assert (shown == "yes") is part.get("enabled_by_default", True), key


def test_nothing_is_called_none() -> None:
    for part in PARTS.values():
        assert "none" not in map(str.lower, part.get("options", []))
    assert not {"none"} & {value.lower() for value in (*PIPELINES, *EVENT_TYPES)}


def test_every_part_has_what_real_versions_need() -> None:
    for key, part in PARTS.items():
        assert part["qos"] == 1, "the shared one is not heeded by 2025.4"
        assert part["availability_topic"] == "scrim/testdevice/status"
        assert part["unique_id"] == f"scrim_testdevice_{key}"
        assert part["default_entity_id"] == f"{part['platform']}.scrim_testdevice_{key}"
        assert not part.get("retain")


def test_each_thing_that_is_set_is_a_key_that_may_be_set() -> None:
    set_keys = {key for key, part in PARTS.items() if "/set/" in part.get("command_topic", "")}
    assert set_keys == set(scalars.KEYS)


def test_each_state_is_in_the_state_and_each_figure_expires() -> None:
    state = payloads.state(View(), Choices(Memory(StateFile(Path("/nowhere/x.json"))), Anything()), 10)  # type: ignore[arg-type]
    for key, part in PARTS.items():
        if part.get("state_topic") == "scrim/testdevice/state":
            assert part["value_template"] == f"{{{{ value_json.{key} }}}}"
            assert key in state
        if part.get("state_topic") == "scrim/testdevice/telemetry":
            assert part["expire_after"] == 35
    assert len(payloads.encode(state)) < 700


class Anything:
    def names(self) -> list[str]:
        return []

    def name_of(self, url: str | None) -> None:
        return None


def test_events_are_those_of_the_core_and_one_more() -> None:
    assert (*EVENT_NAMES, "config_rejected") == EVENT_TYPES
    assert set(PLACEHOLDERS.values()) <= set(PIPELINES)


def test_only_keys_that_every_version_knows_stand_in_the_device() -> None:
    (message,) = messages(DEVICE, PARTS, "homeassistant", "device").values()
    assert message["device"].keys() <= DEVICE_KEYS_OF_2024_3
    bare = Device("testdevice", "Test", "Board", "", "", "0.1.0")
    (message,) = messages(bare, PARTS, "homeassistant", "device").values()
    assert message["device"].keys() == {"identifiers", "name", "manufacturer", "model", "sw_version"}


def test_one_message_for_the_device() -> None:
    ((topic, message),) = messages(DEVICE, PARTS, "homeassistant", "device").items()
    assert topic == "homeassistant/device/scrim_testdevice/config"
    assert len(message["components"]) == 41
    assert message["components"]["effect"]["p"] == "select"
    assert all("platform" not in part for part in message["components"].values())
    assert len(payloads.encode(message)) < 20_000


def test_one_message_for_each_entity() -> None:
    found = messages(DEVICE, PARTS, "homeassistant", "single")
    assert len(found) == 41
    message = found["homeassistant/select/scrim_testdevice/effect/config"]
    assert message["device"]["identifiers"] == ["scrim_testdevice"]
    assert "p" not in message
    assert "platform" not in message
    assert message["options"] == ["off", "blur", "image", "color"]


class Broker:
    """What a broker keeps."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.sent: list[Message] = []

    def publish(self, message: Message) -> bool:
        assert message.retain
        self.sent.append(message)
        self.kept[message.topic] = json.loads(message.payload) if message.payload else None
        return True

    @property
    def topics(self) -> list[str]:
        return [topic for topic, document in self.kept.items() if document]


def announcements(broker: Broker, folder: Path, form: str) -> Announcements:
    memory = Memory(StateFile(folder / "gateway.json", 0))
    return Announcements(IDENTITY, TOPICS, "homeassistant", form, memory, broker.publish)  # type: ignore[arg-type]


def offer(**changes: Any) -> Offer:
    whole: dict[str, Any] = {name: getattr(EVERYTHING, name) for name in Offer.__slots__}
    return Offer(**whole | changes)


def test_it_is_announced_again_only_when_it_is_news(tmp_path: Path) -> None:
    broker = Broker()
    announced = announcements(broker, tmp_path, "device")
    announced.announce(offer())
    announced.announce(offer())
    assert len(broker.sent) == 1
    announced.announce(offer(backgrounds=["beach"]))
    assert len(broker.sent) == 2
    announced.forget()
    announced.announce(offer(backgrounds=["beach"]))
    assert len(broker.sent) == 3


def test_an_entity_that_is_no_more_is_taken_back_also_after_a_restart(tmp_path: Path) -> None:
    broker = Broker()
    announcements(broker, tmp_path, "device").announce(offer())
    announcements(broker, tmp_path, "device").announce(offer(snapshots=False))
    with_stub, without = (json.loads(message.payload)["components"] for message in broker.sent[1:])
    assert with_stub["snapshot"] == {"p": "image"}
    assert with_stub["snapshot_take"] == {"p": "button"}
    assert "snapshot" not in without
    assert len(broker.sent) == 3


@pytest.mark.parametrize(("before", "after"), [("device", "single"), ("single", "device"), ("single", "off")])
def test_another_form_takes_the_first_back(tmp_path: Path, before: str, after: str) -> None:
    broker = Broker()
    announcements(broker, tmp_path, before).announce(offer())
    first = set(broker.topics)
    announcements(broker, tmp_path, after).announce(offer())
    assert not first & set(broker.topics)
    assert len(broker.topics) == {"device": 1, "single": 41, "off": 0}[after]


def test_single_entities_that_are_no_more_are_taken_back(tmp_path: Path) -> None:
    broker = Broker()
    announcements(broker, tmp_path, "single").announce(offer())
    announcements(broker, tmp_path, "single").announce(offer(snapshots=False))
    assert len(broker.topics) == 39


@pytest.mark.parametrize("form", ["device", "single"])
def test_forgetting_knows_every_topic(tmp_path: Path, form: str) -> None:
    broker = Broker()
    announcements(broker, tmp_path, form).announce(offer())
    settings = Settings().patched({"mqtt": {"discovery": form}})
    needed = needed_topics(settings, IDENTITY)
    assert set(broker.topics) <= set(needed)
    assert set(broker.topics) <= set(every_topic(settings, IDENTITY))
    kept = re.findall(r"^\| `scrim/<id>/(\w+)` \| out \|[^|]*\| (?!no)", DOCUMENT, re.MULTILINE)
    assert {TOPICS.own(level) for level in kept} <= set(needed)


def test_topics_of_the_document_are_those_of_the_code() -> None:
    documented = set(re.findall(r"^\| `scrim/<id>/(\w+)", DOCUMENT, re.MULTILINE))
    assert documented == {
        *("status", "info", "config", "state", "telemetry", "event", "response", "snapshot", "update", "log"),
        *("set", "cmd", "desired"),
    }


@pytest.mark.parametrize("name", ["info", "config", "state", "telemetry", "event"])
def test_the_examples_of_the_document_are_json(name: str) -> None:
    section = DOCUMENT.partition(f"\n### {name}\n")[2]
    (example,) = re.findall(r"```json\n(.+?)```", section, re.DOTALL)[:1]
    document = json.loads(example)
    if name == "state":
        view = View()
        mine = payloads.state(view, Choices(Memory(StateFile(Path("/nowhere/x.json"))), Anything()), 10)  # type: ignore[arg-type]
        assert document.keys() == mine.keys()
    if name == "telemetry":
        table = re.findall(
            r"^\| (`.+?) \|", section.partition("| field | means |")[2].partition("\n\n")[0], re.MULTILINE
        )
        described = {field for row in table for field in re.findall(r"`(\w+)`", row)}
        assert document.keys() - {"v"} == described

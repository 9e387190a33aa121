"""The topic tree."""

import pytest

from scrim.gateway.mqtt.topics import Target, Topics

TOPICS = Topics("scrim", "testdevice", "homeassistant")


@pytest.mark.parametrize(
    ("topic", "target"),
    [
        ("scrim/testdevice/set", Target("set")),
        ("scrim/testdevice/set/effect", Target("key", name="effect")),
        ("scrim/testdevice/cmd/restart", Target("command", name="restart")),
        ("scrim/testdevice/desired", Target("desired")),
        ("scrim/all/set", Target("set", "all")),
        ("scrim/all/cmd/get", Target("command", "all", "get")),
        ("scrim/all/desired", Target("desired", "all")),
        ("scrim/group/office/set", Target("set", "group", "", "office")),
        ("scrim/group/office/cmd/get", Target("command", "group", "get", "office")),
        ("scrim/group/office/desired", Target("desired", "group", "", "office")),
        ("homeassistant/status", Target("birth")),
    ],
)
def test_what_a_topic_means(topic: str, target: Target) -> None:
    assert TOPICS.target(topic) == target


@pytest.mark.parametrize(
    "topic",
    [
        "scrim/otherdevice/set",
        "scrim/testdevice/state",
        "scrim/testdevice/set/",
        "scrim/testdevice/set/effect/more",
        "scrim/all/set/effect",
        "scrim/group//set",
        "scrim/group/office/set/effect",
        "other/testdevice/set",
        "homeassistant/other",
        f"scrim/testdevice/cmd/{'x' * 41}",
        "scrim/testdevice/cmd/a line\nof a log",
        "scrim/testdevice/set/é",
        "",
    ],
)
def test_what_means_nothing(topic: str) -> None:
    assert TOPICS.target(topic) is None


def test_six_subscriptions_and_one_for_each_group() -> None:
    found = list(TOPICS.subscriptions(["office", "floor-2"]))
    assert [one.filter for one in found] == [
        "scrim/testdevice/set",
        "scrim/testdevice/set/+",
        "scrim/testdevice/cmd/+",
        "scrim/testdevice/desired",
        "scrim/all/#",
        "homeassistant/status",
        "scrim/group/office/#",
        "scrim/group/floor-2/#",
    ]
    commands = [one for one in found if "/set" in one.filter or "/cmd" in one.filter]
    assert not any(one.wants_retained for one in commands)


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        ("scrim/reply/me/1", True),
        ("scrim/testdevice/response/me", True),
        ("scrim/testdevice/set", False),
        ("scrim/otherdevice/set", False),
        ("scrim/otherdevice/response/me", False),
        ("homeassistant/device/x/config", False),
        ("scrim/reply/#", False),
        ("scrim/reply/+/1", False),
        ("scrim/reply/a\0b", False),
        (f"scrim/reply/{'x' * 300}", False),
        ("", False),
    ],
)
def test_where_an_answer_may_go(topic: str, may: bool) -> None:
    assert TOPICS.may_answer_to(topic) is may

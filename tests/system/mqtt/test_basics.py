"""What the device says over MQTT and what may be asked of it, at a real broker."""

import json
from collections.abc import Callable
from typing import Any

import pytest

TOPIC = "scrim/testdevice/"


def state_with(**wanted: Any) -> Callable[[Any], bool]:
    return lambda message: message.json.items() >= wanted.items()


def test_it_says_who_it_is_and_how_it_is_before_it_is_online(mqtt_gateway: Any, controller: Any) -> None:
    mqtt_gateway()
    controller.wait(f"{TOPIC}status")
    names = [message.topic.removeprefix(TOPIC) for message in controller.heard]
    names = [name for name in names if "/" not in name]
    assert names[: names.index("status") + 1] == ["info", "config", "state", "update", "status"]
    info = controller.wait(f"{TOPIC}info").json
    assert (info["v"], info["id"], info["name"]) == (1, "testdevice", "Test camera")
    config = controller.wait(f"{TOPIC}config").json
    assert config["rev"] == 1
    assert config["background_blur"] == {"is_enabled": True, "strength": "medium"}
    state = controller.wait(f"{TOPIC}state").json
    assert (state["effect"], state["output"], state["problem"], state["last_error"]) == (
        "blur",
        "ON",
        "OFF",
        "ok",
    )
    assert all(message.qos == 1 for message in controller.heard if message.topic != f"{TOPIC}telemetry")


def test_what_it_is_is_kept_by_the_broker_and_figures_expire(
    mqtt_gateway: Any, mosquitto: Any, controller: Any
) -> None:
    mqtt_gateway({"mqtt": {"telemetry_interval_s": 2}})
    controller.wait(f"{TOPIC}telemetry")
    late = type(controller)(mosquitto.port)
    try:
        for name in ("status", "info", "config", "state"):
            assert late.wait(f"{TOPIC}{name}").is_retained
        figures = late.wait(f"{TOPIC}telemetry")
        assert figures.is_retained
        assert 0 <= figures.expiry_s <= 7
    finally:
        late.close()
    assert controller.wait(f"{TOPIC}telemetry").expiry_s == 7


def test_a_value_changes_a_setting_and_is_answered(
    mqtt_gateway: Any, controller: Any, stand_in_core: Any
) -> None:
    mqtt_gateway()
    controller.wait(f"{TOPIC}status")
    controller.say(f"{TOPIC}set/effect", "color")
    answer = controller.wait(f"{TOPIC}response").json
    assert answer["ok"] is True
    assert answer["rev"] == 2
    assert "background_replacement.is_enabled" in answer["changed"]
    controller.wait(f"{TOPIC}state", state_with(effect="color", rev=2))
    controller.wait(f"{TOPIC}config", lambda message: message.json["source"] == "set")
    assert stand_in_core.settings.effect == "color"


@pytest.mark.parametrize(
    "patch",
    [
        {"backgroundBlur": {"isEnabled": True, "strength": "high"}},
        {"background_blur": {"is_enabled": True, "strength": "high"}},
        {"effect": "blur", "strength": "high"},
    ],
)
def test_a_patch_in_either_spelling(mqtt_gateway: Any, controller: Any, patch: dict[str, Any]) -> None:
    mqtt_gateway()
    controller.wait(f"{TOPIC}status")
    controller.say(f"{TOPIC}set", {**patch, "transaction": "7f3a"})
    answer = controller.wait(f"{TOPIC}response").json
    assert (answer["transaction"], answer["ok"]) == ("7f3a", True)
    controller.wait(f"{TOPIC}state", state_with(blur_strength="high"))


def test_a_wrong_patch_changes_nothing_and_says_why(
    mqtt_gateway: Any, controller: Any, stand_in_core: Any
) -> None:
    mqtt_gateway()
    controller.wait(f"{TOPIC}status")
    before = controller.count()
    controller.say(f"{TOPIC}set", {"background_replacement": {"is_enabled": True}, "strength": "ultra"})
    answer = controller.wait(f"{TOPIC}response").json
    assert answer["ok"] is False
    assert {error["code"] for error in answer["errors"]} == {"both_effects_enabled", "invalid_strength"}
    assert controller.wait(f"{TOPIC}event").json["event_type"] == "config_rejected"
    state = controller.wait(f"{TOPIC}state", after=before).json
    assert state["problem"] == "ON"
    assert state["last_error"] != "ok"
    assert stand_in_core.patches == []
    controller.say(f"{TOPIC}set", {"strength": "low"})
    controller.wait(f"{TOPIC}state", state_with(problem="OFF", last_error="ok"))


def test_the_last_words_and_the_will(mqtt_gateway: Any, mosquitto: Any, controller: Any) -> None:
    gateway = mqtt_gateway()
    controller.wait(f"{TOPIC}status", lambda message: message.payload == b"online")
    gateway.stop()
    controller.wait(f"{TOPIC}status", lambda message: message.payload == b"offline")
    assert [json.dumps(one.payload.decode()) for one in controller.all(f"{TOPIC}status")] == [
        '"online"',
        '"offline"',
    ]


def test_home_assistant_is_told_again_when_it_is_back(mqtt_gateway: Any, controller: Any) -> None:
    mqtt_gateway()
    discovery = "homeassistant/device/scrim_testdevice/config"
    announced = controller.wait(discovery).json
    assert announced["components"]["effect"]["command_topic"] == f"{TOPIC}set/effect"
    controller.wait(f"{TOPIC}status")
    controller.wait(f"{TOPIC}telemetry")
    before = controller.count()
    controller.say("homeassistant/status", "online")
    assert controller.wait(discovery, after=before).json == announced
    for name in ("state", "telemetry", "status"):
        controller.wait(f"{TOPIC}{name}", after=before)
    controller.say("homeassistant/status", "offline")
    controller.say("homeassistant/status", b"\xff")
    assert controller.wait(f"{TOPIC}state").json["problem"] == "OFF"

"""Requests over MQTT: who is answered where, in what order, and what is not obeyed."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

TOPIC = "scrim/testdevice/"
OFFICE = {"device": {"id": "testdevice", "groups": ["office", "floor-2"]}}
PNG = cv2.imencode(".png", np.full((60, 80, 3), 255, np.uint8))[1].tobytes()
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


class Device:
    """The gateway's device, as somebody else at the broker has to do with it."""

    def __init__(self, start: Any, controller: Any) -> None:
        self._start = start
        self.controller = controller

    def start(self, patch: dict[str, Any] | None = None) -> Any:
        before = self.controller.count()
        gateway = self._start(patch)
        self.controller.wait(f"{TOPIC}status", lambda heard: heard.payload == b"online", before)
        return gateway

    def ask(self, level: str, payload: object = b"", **more: Any) -> dict[str, Any]:
        """Send a request to this device; its answer."""
        return self.ask_at(f"{TOPIC}{level}", payload, **more)

    def ask_at(self, topic: str, payload: object = b"", **more: Any) -> dict[str, Any]:
        before = self.controller.count()
        self.controller.say(topic, payload, **more)
        answer: dict[str, Any] = self.controller.wait(f"{TOPIC}response", after=before).json
        return answer

    def state(self, **wanted: Any) -> None:
        """Wait until the state has these values."""
        self.controller.wait(f"{TOPIC}state", lambda heard: wanted.items() <= heard.json.items())


@pytest.fixture
def device(mqtt_gateway: Any, controller: Any) -> Device:
    return Device(mqtt_gateway, controller)


# Answers.


def test_an_answer_goes_where_it_is_wanted_and_says_which_request_it_is_for(device: Device) -> None:
    device.start()
    more = {"ResponseTopic": "scrim/reply/me/1", "CorrelationData": b"\x00\x01"}
    device.controller.say(f"{TOPIC}set", {"strength": "low", "transaction": "t1"}, **more)
    for topic in ("scrim/reply/me/1", f"{TOPIC}response"):
        answer = device.controller.wait(topic)
        assert answer.correlation == b"\x00\x01"
        assert answer.user == {"device": "testdevice", "rev": "2"}
        assert answer.expiry_s is not None
        assert 50 <= answer.expiry_s <= 60
        assert answer.json["transaction"] == "t1"
        assert answer.json["changed"] == ["background_blur.strength"]


@pytest.mark.parametrize("foreign", ["scrim/otherdevice/set", "homeassistant/device/x/config", "some/where"])
def test_nobody_makes_the_device_speak_in_another_name(device: Device, foreign: str) -> None:
    device.start()
    answer = device.ask("set", {"strength": "low"}, ResponseTopic=foreign)
    assert answer["ok"] is True
    device.ask("cmd/get", {})
    assert device.controller.all(foreign) == []


def test_a_patch_may_be_bound_to_a_revision(device: Device) -> None:
    device.start()
    assert device.ask("set", {"strength": "low", "if_rev": 1})["rev"] == 2
    answer = device.ask("set", {"strength": "high", "if_rev": 1})
    assert answer["error"]["code"] == "rev_conflict"
    assert answer["rev"] == 2


def test_whether_a_change_is_remembered_may_be_said(device: Device, stand_in_core: Any) -> None:
    device.start()
    assert device.ask("set", {"strength": "low", "persist": False})["ok"] is True
    assert stand_in_core.terms[-1] == {"remember": False}
    assert device.ask("set", {"strength": "high", "persist": "no"})["error"]["code"] == "out_of_range"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "ok"),
        (b"{}", "ok"),
        (b"nonsense", "bad_json"),
        (b"[1]", "bad_json"),
        (b'{"strength": NaN}', "bad_json"),
        (b'{"strength": 1, "strength": 2}', "bad_json"),
        (b'{"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}', "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b'{"strenght": 1}', "unknown_field"),
        (b'{"transaction": []}', "out_of_range"),
        (b'{"if_rev": "1"}', "out_of_range"),
        (b'{"privacy": {"allow_raw": true}}', "unsupported"),
        (b'{"image": "file:///etc/passwd"}', "image_url_invalid"),
        (
            b'{"backgroundReplacement": {"backgroundImageURL": "file:/var/lib/scrim/backgrounds/x.jpg"}}',
            "image_url_invalid",
        ),
        (b'{"camera": {"source": "file:/etc/passwd"}}', "unsupported"),
        (b'{"sinks": ["file:/tmp/x.mkv"]}', "unsupported"),
        (b'{"mqtt": {"host": "evil.example"}}', "unsupported"),
        (b'{"device": {"id": "otherdevice"}}', "unsupported"),
        (b'{"budget": {"reuse_masks": true}}', "unsupported"),
        (b'{"groups": ["a/b"]}', "out_of_range"),
    ],
)
def test_what_may_be_in_a_patch(device: Device, stand_in_core: Any, payload: bytes, code: str) -> None:
    device.start()
    before = stand_in_core.settings
    answer = device.ask("set", payload)
    assert (answer["error"]["code"] if not answer["ok"] else "ok") == code
    assert stand_in_core.settings == before


def test_a_refusal_lists_everything_and_the_state_goes_out_again(device: Device) -> None:
    device.start()
    before = device.controller.count()
    answer = device.ask("set/cpu_limit", "1000")
    assert answer["error"]["field"] == "filter_cpu_utilization"
    assert answer["error"]["allowed"]
    state = device.controller.wait(f"{TOPIC}state", after=before).json
    assert state["cpu_limit"] == 30
    assert state["problem"] == "ON"


# Commands that are old.


def test_commands_that_the_broker_kept_are_not_obeyed(
    device: Device, stand_in_core: Any, controller: Any, caplog: pytest.LogCaptureFixture, until: Any
) -> None:
    controller.say(f"{TOPIC}set/effect", "color", retain=True)
    controller.say(f"{TOPIC}cmd/restart", "{}", retain=True)
    controller.say("scrim/all/set", {"effect": "color"}, retain=True)
    device.start()
    until(lambda: "scrim/all/set: a command must not be retained" in caplog.text)
    assert device.ask("cmd/get", {})["state"]["effect"] == "blur"
    assert stand_in_core.patches == []
    assert "restart" not in stand_in_core.asked


# Groups, and all.


def test_groups_are_told_and_answered_at_their_leisure(device: Device, controller: Any) -> None:
    device.start(OFFICE)
    assert controller.wait(f"{TOPIC}info").json["groups"] == ["office", "floor-2"]
    controller.say("scrim/group/office/set", {"strength": "low", "transaction": "g"})
    device.state(blur_strength="low")
    controller.say("scrim/group/other/set", {"strength": "high"})
    controller.say("scrim/all/set", {"effect": "color", "transaction": "a"})
    device.state(effect="color", blur_strength="low")
    answers = {heard.json["transaction"]: heard.json for heard in controller.all(f"{TOPIC}response")}
    for transaction, to in (("g", "group/office"), ("a", "all")):
        if transaction not in answers:
            heard = controller.wait(
                f"{TOPIC}response", lambda one, t=transaction: one.json["transaction"] == t
            )
            answers[transaction] = heard.json
        assert answers[transaction]["to"] == to


def test_a_device_may_be_given_other_groups(device: Device, controller: Any) -> None:
    gateway = device.start(OFFICE)
    assert device.ask("set", {"groups": ["lab"]})["changed"] == ["groups"]
    controller.wait(f"{TOPIC}info", lambda heard: heard.json["groups"] == ["lab"])
    controller.say("scrim/group/office/set", {"effect": "color"})
    controller.say("scrim/group/lab/set", {"strength": "low"})
    device.state(blur_strength="low", effect="blur")
    gateway.stop()
    device.start(OFFICE)
    assert controller.all(f"{TOPIC}info")[-1].json["groups"] == ["lab"], "also after a restart"
    assert device.ask("set", {"groups": None})["changed"] == ["groups"]
    controller.wait(f"{TOPIC}info", lambda heard: heard.json["groups"] == ["office", "floor-2"])


# Desired settings.


def test_desired_settings_are_made_once_and_people_may_change_them_after(
    device: Device, controller: Any
) -> None:
    controller.say(
        f"{TOPIC}desired", {"rev": 1, "config": {"effect": "color", "strength": "high"}}, retain=True
    )
    gateway = device.start()
    device.state(effect="color", blur_strength="high")
    answer = controller.wait(f"{TOPIC}response", lambda heard: heard.json["request"] == "desired").json
    assert (answer["ok"], answer["desired_rev"]) == (True, 1)
    controller.wait(f"{TOPIC}config", lambda heard: heard.json["source"] == "desired")
    device.ask("set/effect", "blur")
    gateway.stop()
    device.start()
    assert device.ask("cmd/get", {})["state"]["effect"] == "blur"
    controller.say(f"{TOPIC}desired", {"rev": 2, "config": {"effect": "color"}}, retain=True)
    device.state(effect="color", rev=4)


def test_the_narrower_wish_wins_whatever_comes_first(device: Device, controller: Any) -> None:
    controller.say(f"{TOPIC}desired", {"rev": 1, "config": {"strength": "high"}}, retain=True)
    controller.say(
        "scrim/group/office/desired",
        {"rev": 7, "config": {"strength": "medium", "effect": "color"}},
        retain=True,
    )
    controller.say(
        "scrim/all/desired", {"rev": 3, "config": {"strength": "low", "effect": "blur"}}, retain=True
    )
    device.start(OFFICE)
    device.state(blur_strength="high", effect="color")
    controller.say(
        "scrim/all/desired",
        {"rev": 4, "config": {"strength": "low", "person": {"persons": "largest"}}},
        retain=True,
    )
    controller.wait(f"{TOPIC}config", lambda heard: heard.json["person"]["persons"] == "largest")
    device.state(blur_strength="high", effect="color")


def test_a_wrong_wish_is_answered_and_leaves_everything(
    device: Device, controller: Any, stand_in_core: Any
) -> None:
    device.start()
    for payload in (
        {"rev": 1, "config": {"strength": "ultra"}},
        {"rev": "1", "config": {}},
        {"config": {}},
        b"nonsense",
    ):
        assert device.ask("desired", payload)["ok"] is False
    assert stand_in_core.patches == []


def test_a_wish_waits_for_the_core(device: Device, controller: Any, stand_in_core: Any) -> None:
    device.start()
    stand_in_core.stop()
    controller.wait(f"{TOPIC}state", lambda heard: heard.json["pipeline"] in ("starting", "error"))
    controller.say(f"{TOPIC}desired", {"rev": 1, "config": {"effect": "color"}}, retain=True)
    assert device.ask("set/effect", "color")["error"]["code"] == "core_unavailable"
    stand_in_core.start()
    device.state(effect="color")


# Backgrounds.


def test_what_is_chosen_and_not_in_use_is_remembered(
    device: Device, controller: Any, stand_in_core: Any, tmp_path: Path
) -> None:
    gateway = device.start()
    device.ask("set/background_color", "teal")
    device.ask("set/background_image", "https://user:secret@a.example/b.jpg?token=1")
    device.state(background_color="#008080", background_image="https://a.example/b.jpg", effect="blur")
    assert stand_in_core.patches == []
    device.ask("set/effect", "color")
    assert stand_in_core.settings.background_replacement.default_color == "#008080"
    device.ask("set/effect", "image")
    url = stand_in_core.settings.background_replacement.background_image_url
    assert url == "https://user:secret@a.example/b.jpg?token=1"
    device.state(effect="image", background_color="#008080", background="custom")
    device.ask("set/background_color", "#112233")
    device.state(effect="image", background_color="#112233")
    device.ask("set/effect", "blur")
    gateway.stop()
    device.start()
    device.state(effect="blur", background_color="#112233", background_image="https://a.example/b.jpg")
    spoken = b"".join(
        heard.payload for heard in controller.heard if heard.topic != f"{TOPIC}set/background_image"
    )
    assert b"secret" not in spoken
    assert b"token=1" not in spoken


def test_an_image_in_the_url_is_told_by_its_hash(device: Device, controller: Any) -> None:
    device.start()
    assert device.ask("set", {"effect": "image", "image": DATA_URL})["ok"] is True
    config = controller.wait(f"{TOPIC}config", lambda heard: heard.json["rev"] == 2).json
    told = config["background_replacement"]["background_image_url"]
    assert (told["data_url"], told["bytes"], len(told["sha256"])) == (True, len(DATA_URL), 64)
    device.state(effect="image", background="custom")


def test_an_image_of_the_library_is_chosen_by_its_name(
    device: Device, controller: Any, stand_in_core: Any
) -> None:
    device.start()
    names = controller.wait(f"{TOPIC}info").json["backgrounds"]
    assert len(names) >= 2
    assert device.ask("set/effect", "image")["ok"] is True
    device.state(effect="image", background=names[0])
    assert device.ask("set/background", names[1])["ok"] is True
    device.state(effect="image", background=names[1], background_image="")
    assert stand_in_core.settings.background_replacement.background_image_url.startswith(
        ("library:", "file:")
    )
    assert device.ask("set/background", "nowhere.jpg")["error"]["field"] == "background"
    assert device.ask("set/background", "custom")["error"]["code"] == "image_url_invalid"


# Commands.


def test_the_verbs(device: Device, controller: Any, stand_in_core: Any) -> None:
    device.start()
    got = device.ask("cmd/get", {"transaction": "g"})
    assert (got["transaction"], got["state"]["effect"], got["config"]["rev"]) == ("g", "blur", 1)
    assert device.ask("cmd/reset_statistics")["ok"] is True
    figures = controller.wait(f"{TOPIC}telemetry", lambda heard: heard.json["dropped_total"] == 0).json
    assert figures["frames_total"] == 0
    assert device.ask("cmd/snapshot_take", {})["error"]["code"] == "unsupported"
    assert device.ask("cmd/selfdestruct", {})["error"]["code"] == "unsupported"
    assert device.ask("cmd/get", {"path": "/etc/passwd"})["error"]["code"] == "unknown_field"
    assert device.ask("cmd/restart", {"spread_s": -1})["error"]["code"] == "out_of_range"
    assert device.ask("cmd/restart")["ok"] is True
    assert device.ask("cmd/restart")["error"]["code"] == "rate_limited"
    assert "restart" in stand_in_core.asked


def test_a_still_of_what_goes_out(
    device: Device, controller: Any, stand_in_core: Any, mosquitto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrim.gateway.mqtt.commands.SNAPSHOT_INTERVAL_S", 600.0)
    stand_in_core.play()
    device.start({"mqtt": {"snapshots": "retained"}})
    first = controller.wait(f"{TOPIC}snapshot")
    assert first.payload[:2] == b"\xff\xd8"
    picture = cv2.imdecode(np.frombuffer(first.payload, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert max(picture.shape) <= 640
    assert first.expiry_s == 600
    answer = device.ask("cmd/snapshot_take", {})
    assert answer["ok"] is True
    assert device.ask("cmd/snapshot_take", {})["error"]["code"] == "rate_limited"
    late = type(controller)(mosquitto.port)
    try:
        assert late.wait(f"{TOPIC}snapshot").is_retained
    finally:
        late.close()


# What happens by itself.


def test_events_go_out_at_a_rate_that_can_be_borne(
    device: Device, controller: Any, stand_in_core: Any
) -> None:
    device.start()
    for _ in range(20):
        stand_in_core.publish("camera_lost", since=1.0, reason="unplugged")
    event = controller.wait(f"{TOPIC}event").json
    assert (event["event_type"], event["count"], event["reason"], event["v"]) == (
        "camera_lost",
        1,
        "unplugged",
        1,
    )
    assert controller.all(f"{TOPIC}event")[0].expiry_s in range(290, 301)
    device.ask("cmd/get", {})
    assert len(controller.all(f"{TOPIC}event")) == 1


def test_a_running_fault_is_a_problem_for_as_long_as_it_lasts(device: Device, stand_in_core: Any) -> None:
    device.start()
    stand_in_core.camera_error = "no frame for a second"
    device.state(problem="ON", last_error="camera: no frame for a second")
    stand_in_core.camera_error = None
    device.state(problem="OFF", last_error="ok")


def test_a_changed_interval_is_obeyed_and_announced(device: Device, controller: Any) -> None:
    device.start()
    assert device.ask("set/telemetry_interval", "2")["changed"] == ["telemetry_interval_s"]
    controller.wait(f"{TOPIC}telemetry", lambda heard: heard.json["interval_s"] == 2)
    discovery = "homeassistant/device/scrim_testdevice/config"
    controller.wait(discovery, lambda heard: heard.json["components"]["fps"]["expire_after"] == 7)
    assert device.ask("set/telemetry_interval", "1")["error"]["code"] == "out_of_range"


def test_warnings_are_sent_where_that_is_wished(device: Device, controller: Any) -> None:
    device.start({"mqtt": {"log": True}})
    controller.say(f"{TOPIC}set/effect", "blur", retain=True)
    controller.say("scrim/all/set", {"effect": "blur"}, retain=True)
    device.ask("cmd/get", {})
    gateway_warns = controller.all(f"{TOPIC}log")
    assert all(heard.json["level"] == "warning" for heard in gateway_warns)

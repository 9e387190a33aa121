"""What the gateway makes of what the core says."""

from typing import Any

import pytest

from scrim.gateway.mqtt.view import MOST_TEXT, OFF_DELAY_S, TROUBLE_S, View


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def status(**changes: Any) -> Any:
    whole: dict[str, Any] = {
        "uptime_s": 60.0,
        "state": "running",
        "placeholder_reason": None,
        "camera": {"state": "live", "error": None},
        "effect": {"image_error": None},
        "model": {"offered": ["person-192x112"]},
        "quality": {"level": 0},
        "is_somebody_there": True,
        "restart_needed": [],
        "sinks": [],
    }
    return whole | changes


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def view(clock: Clock) -> View:
    return View(clock, lambda: clock.now_s + 1e9)


@pytest.mark.parametrize(
    ("changes", "pipeline"),
    [
        ({}, "running"),
        ({"quality": {"level": 1}}, "degraded"),
        ({"state": "starting"}, "starting"),
        ({"state": "off", "placeholder_reason": "effect_off"}, "privacy"),
        ({"state": "off", "camera": {"state": "off", "error": None}}, "privacy"),
        ({"state": "placeholder", "placeholder_reason": "privacy"}, "privacy"),
        ({"state": "placeholder", "placeholder_reason": "nobody"}, "idle"),
        ({"state": "placeholder", "placeholder_reason": "idle"}, "idle"),
        ({"state": "placeholder", "placeholder_reason": "camera_lost"}, "no_camera"),
        ({"state": "placeholder", "placeholder_reason": "stopping"}, "starting"),
        ({"state": "placeholder", "placeholder_reason": "no_safe_picture"}, "error"),
        ({"state": "placeholder", "placeholder_reason": "of a later version"}, "error"),
    ],
)
def test_how_the_picture_is_in_one_word(view: View, changes: dict[str, Any], pipeline: str) -> None:
    view.see_status(status(**changes))
    assert view.pipeline == pipeline


def test_a_moment_without_a_picture_is_no_error(view: View, clock: Clock) -> None:
    view.see_status(status())
    gone = status(state="placeholder", placeholder_reason="no_safe_picture")
    clock.now_s += 1
    view.see_status(gone)
    assert view.pipeline == "running"
    clock.now_s += 1.5
    view.see_status(gone)
    assert view.pipeline == "error"


def test_a_core_that_is_gone_is_an_error_after_a_while(view: View, clock: Clock) -> None:
    assert (view.pipeline, view.last_error) == ("starting", "ok")
    view.see_status(status())
    clock.now_s += 100
    view.see_status(None)
    assert view.pipeline == "starting"
    clock.now_s += 11
    assert (view.pipeline, view.last_error) == ("error", "the core is gone")
    view.see_status(status())
    assert (view.pipeline, view.last_error) == ("running", "ok")


def test_who_sits_still_is_not_gone(view: View, clock: Clock) -> None:
    view.see_status(status())
    clock.now_s += OFF_DELAY_S - 0.1
    view.see_status(status(is_somebody_there=False))
    assert view.is_somebody_there
    clock.now_s += 0.2
    view.see_status(status(is_somebody_there=False))
    assert not view.is_somebody_there
    view.see_status(status())
    assert view.is_somebody_there


def test_in_use_follows_the_readers(view: View, clock: Clock) -> None:
    for consumers, is_in_use in ((None, False), (0, False), (2, True), (0, True)):
        view.see_metrics({"consumers": consumers})
        assert view.is_in_use is is_in_use
    clock.now_s += OFF_DELAY_S
    view.see_metrics({"consumers": 0})
    assert not view.is_in_use


def test_a_refusal_is_a_problem_until_something_succeeds_or_ten_minutes_have_passed(
    view: View, clock: Clock
) -> None:
    view.refused("strength: wrong")
    assert view.last_error == "strength: wrong"
    view.succeeded()
    assert view.last_error == "ok"
    view.refused("strength: wrong")
    clock.now_s += TROUBLE_S
    view.see_status(status())
    assert view.last_error == "ok"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"camera": {"state": "lost", "error": "unplugged"}}, "camera: unplugged"),
        ({"effect": {"image_error": "HTTP 404"}}, "background_image: HTTP 404"),
        ({"sinks": [{"name": "file:/x", "error": "disk full"}]}, "file:/x: disk full"),
    ],
)
def test_a_running_fault_stays_and_comes_first(view: View, changes: dict[str, Any], text: str) -> None:
    view.see_status(status(**changes))
    view.refused("strength: wrong")
    view.succeeded()
    assert view.last_error == text


def test_no_error_is_longer_than_a_state_may_be(view: View) -> None:
    view.refused("x" * 1000)
    assert len(view.last_error) == MOST_TEXT


def test_the_start_is_the_core_s_and_does_not_wander(view: View, clock: Clock) -> None:
    view.see_status(status(uptime_s=60.0))
    began_s = view.started_s
    clock.now_s += 1.4
    view.see_status(status(uptime_s=61.0))
    assert view.started_s == began_s
    view.see_status(status(uptime_s=0.5))
    assert view.started_s == pytest.approx(clock.now_s + 1e9 - 0.5)


def test_what_may_be_chosen_outlives_the_core(view: View) -> None:
    view.see_status(status())
    view.see_status(None)
    assert view.models == ["person-192x112"]
    assert view.restart_needed == []


def test_the_first_settings_are_the_file_s(view: View) -> None:
    assert view.see_settings({"a": 1}, 7, "local")
    assert view.source == "file"
    assert not view.see_settings({"a": 1}, 7, "local")
    assert view.see_settings({"a": 2}, 8, "local")
    assert view.source == "local"

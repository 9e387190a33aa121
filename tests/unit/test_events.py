"""Events: when each one fires, who hears it, and what it says."""

import json
import logging
import threading
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.config import blur_sigma_px
from scrim.core.events import (
    Event,
    FilterMonitor,
    Observers,
    StateWatch,
    config_selected,
    filter_failed,
    filter_started,
    half_up,
)
from scrim.errors import ConfigError, LocalError, SegmentError
from scrim.local.status import EVENT_NAMES, EventName

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "filter_events.json").read_text())

PAYLOAD_NAMES = {
    "framesDropped": "frames_dropped",
    "avgFilterDurationMillis": "avg_filter_duration_ms",
    "framerate": "frame_rate",
    "periodMillis": "period_ms",
    "cpuUtilization": "cpu_utilization",
    "filterMillis": "filter_ms",
}

Fired = dict[str, list[tuple[float, dict[str, Any]]]]


def fired_by(run: dict[str, Any]) -> Fired:
    """The events of a camera before which each frame takes what it took then; name to (ms, payload)."""
    given_ = run["in"]
    monitor = FilterMonitor(given_["fps"], given_["P"], given_["T"])
    rates = dict(run["rateLog"])
    interval_ms, now_ms, number, rate = Fraction(1000, given_["fps"]), Fraction(0), 0, 1
    fired: Fired = {name: [] for name in EVENT_NAMES}
    while now_ms <= given_["secs"] * 1000:
        rate = [every for since_ms, every in rates.items() if since_ms <= now_ms][-1]
        for event in monitor.evaluate(float(now_ms / 1000)):
            fired[event.name].append((float(now_ms), dict(event.payload)))
        segment_ms = given_["seg"] if given_["seg"] != "fn" else (60 if now_ms < 60_000 else 5)
        took_ms = given_["comp"] + (segment_ms if number % rate == 0 else 0)
        monitor.add(took_ms, float((now_ms + took_ms) / 1000))
        number += 1
        now_ms += max(interval_ms, took_ms)
    return fired


def translated(events: list[Any]) -> list[Any]:
    return [
        (at_ms, {PAYLOAD_NAMES[key]: value for key, value in payload.items()}) for at_ms, payload in events
    ]


@pytest.mark.parametrize("run", GOLDEN["v1"], ids=lambda run: "{fps}-{seg}-{comp}".format(**run["in"]))
def test_the_sdks_runs_are_replayed(run: dict[str, Any]) -> None:
    fired = fired_by(run)
    slow, busy = fired["filter_frame_duration_high"], fired["filter_cpu_utilization_high"]
    # The recording's camera jitters a little, and one of its more than 100 slow periods is cut otherwise.
    assert abs(len(slow) - run["nDur"]) <= (1 if run["nDur"] > 100 else 0)
    assert len(busy) == run["nCpu"]
    assert slow[:3] == translated(run["firstDur"])
    assert busy[:3] == translated(run["firstCpu"])
    for (_, payload), (_, expected) in zip(busy[-1:], translated(run["lastCpu"]), strict=True):
        assert payload == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("case", GOLDEN["resolveOptions"], ids=lambda case: json.dumps(case["in"]))
def test_options_are_the_sdks_or_an_error(case: dict[str, Any]) -> None:
    """What the SDK silently replaces by its default is an error here; None is left out."""
    wanted, taken = case["in"], case["out"]
    names = {"filterCPUUtilization": "filter_cpu_utilization", "reportingPeriodMillis": "reporting_period_ms"}
    options = {names[key]: value for key, value in wanted.items() if key in names and value is not None}
    replaced = [key for key in names if wanted.get(key) is not None and wanted[key] != taken[key]]
    if replaced or options.get("reporting_period_ms", 1) <= 0:
        with pytest.raises(ConfigError, match="is out of range"):
            FilterMonitor(30, **options)
    else:
        FilterMonitor(30, **options)


def test_rounding_is_the_sdks() -> None:
    assert len(GOLDEN["blurAmount"]) == 128
    differing = 0
    for key, sigma_px in GOLDEN["blurAmount"].items():
        strength, height = key.split("@")
        exact = float(strength) * int(height) / 540
        assert half_up(exact) == blur_sigma_px(float(strength), int(height)) == sigma_px
        differing += round(exact) != sigma_px
    assert differing == 4
    assert [half_up(value) for value in (0.5, 1.5, 2.5, -0.5, -1.5)] == [1, 2, 3, 0, -1]


@pytest.mark.parametrize(("frame_rate", "least_ms"), [(15, 53), (30, 27), (60, 13)])
def test_slow_frames_are_told_from_the_threshold_on(frame_rate: int, least_ms: int) -> None:
    for average_ms, is_told in ((least_ms - 1, False), (least_ms - 0.51, False), (least_ms - 0.5, True)):
        monitor = FilterMonitor(frame_rate, 1000, 100)
        monitor.evaluate(5.0)
        monitor.add(average_ms, 5.1)
        names = [event.name for event in monitor.evaluate(6.0)]
        assert names == ["filter_frame_duration_high"] * is_told


def test_the_period_is_the_one_that_elapsed() -> None:
    monitor = FilterMonitor(10)
    for at in range(25):
        monitor.add(100, 100 + at / 10)
    assert monitor.evaluate(100.999) == []
    slow, busy = monitor.evaluate(102.1)
    assert slow.payload == {
        "frames_dropped": 21 - 25,
        "avg_filter_duration_ms": 100,
        "frame_rate": 10,
        "period_ms": 2100,
    }
    assert busy.payload == {"cpu_utilization": 119, "filter_ms": 2500, "period_ms": 2100}
    assert monitor.evaluate(103.1) == [], "nothing came since"


def test_without_frames_or_frame_rate_nothing_is_said() -> None:
    monitor = FilterMonitor(30)
    assert monitor.evaluate(0) == []
    assert monitor.evaluate(3600) == []
    monitor.add(500, 3600.5)
    assert {event.payload["period_ms"] for event in monitor.evaluate(3601)} == {1000}, "silence ends a period"
    monitor.frame_rate = 0
    monitor.add(500, 3601.5)
    assert monitor.evaluate(3602) == []


@pytest.mark.parametrize("percent", [0, -1, 100.1, nan, inf])
@pytest.mark.parametrize("period_ms", [0, -5, nan, inf])
def test_every_wrong_option_is_named(percent: float, period_ms: float) -> None:
    with pytest.raises(ConfigError) as caught:
        FilterMonitor(-1, period_ms, percent)
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["frame_rate", "reporting_period_ms", "filter_cpu_utilization"]


@given(
    st.lists(st.tuples(st.floats(0, 200), st.floats(0, 3)), max_size=60),
    st.just(0.0) | st.floats(0.001, 120),
    st.floats(1, 5000),
    st.floats(0.1, 100),
)
def test_one_answer_a_period_and_all_of_it_json(
    frames: list[tuple[float, float]], frame_rate: float, period_ms: float, percent: float
) -> None:
    monitor, now_s, last_s = FilterMonitor(frame_rate, period_ms, percent), 7.0, None
    for spent_ms, pause_s in frames:
        now_s += pause_s
        monitor.add(spent_ms, now_s)
        events = monitor.evaluate(now_s)
        assert len({event.name for event in events}) == len(events) <= 2
        for event in events:
            assert last_s is None or (now_s - last_s) * 1000 >= period_ms - 1e-3
            assert event.payload["period_ms"] >= period_ms
            assert json.loads(json.dumps(event.as_json(), allow_nan=False))["event"] == event.name
        last_s = now_s if events else last_s


class Listener:
    """Hears two events by name."""

    def __init__(self, heard: list[object], name: str = "") -> None:
        self.heard = heard
        self.name = name

    def camera_lost(self, payload: dict[str, Any]) -> None:
        self.heard.append((self.name, payload))
        payload["reason"] = "scribbled over"

    def level_changed(self, payload: dict[str, Any]) -> None:
        raise ValueError("never right")


class Everything:
    def __init__(self) -> None:
        self.heard: list[Event] = []

    def any_event(self, event: Event) -> None:
        self.heard.append(event)


LOST = Event("camera_lost", {"since": 1.0, "reason": "unplugged"})


def test_observers_hear_in_the_order_of_adding_and_once() -> None:
    heard: list[object] = []
    first, second = Listener(heard, "first"), Listener(heard, "second")
    observers = Observers()
    for observer in (first, second, first):
        observers.add(observer)
    observers.notify(LOST)
    assert [name for name, _ in heard] == ["first", "second"]  # type: ignore[misc]
    observers.remove(first)
    observers.remove(first)
    observers.remove(object())
    heard.clear()
    observers.notify(LOST)
    assert [name for name, _ in heard] == ["second"]  # type: ignore[misc]


def test_an_observer_can_spoil_nothing_for_the_others() -> None:
    heard: list[object] = []
    observers = Observers()
    everything = Everything()
    for observer in (Listener([]), Listener(heard), everything, object(), Listener(heard)):
        observers.add(observer)
    observers.notify(Event("camera_lost", {"reason": "unplugged"}))
    observers.notify(LOST)
    assert len(heard) == 4
    assert LOST.payload["reason"] == everything.heard[0].payload["reason"] == "unplugged"


def test_an_observer_that_raises_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    observers, everything = Observers(), Everything()
    observers.add(Listener([]))
    observers.add(everything)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            observers.notify(Event("level_changed"))
    assert len(everything.heard) == 3
    (record,) = caplog.records
    assert "Listener" in record.message
    assert "never right" in record.message


def test_observers_may_come_and_go_while_others_are_told() -> None:
    observers, everything = Observers(), Everything()
    observers.add(everything)

    class Restless:
        def camera_lost(self, payload: dict[str, Any]) -> None:
            observers.remove(self)
            observers.add(Restless())

    def tell() -> None:
        for _ in range(200):
            observers.notify(LOST)

    observers.add(Restless())
    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert len(everything.heard) == 800


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "notify"]), st.integers(0, 3))))
def test_observers_are_a_set_in_order(steps: list[tuple[str, int]]) -> None:
    heard: list[object] = []
    listeners = [Listener(heard, str(number)) for number in range(4)]
    observers, model = Observers(), dict[str, None]()
    for step, number in steps:
        if step == "notify":
            heard.clear()
            observers.notify(LOST)
            assert [name for name, _ in heard] == list(model)  # type: ignore[misc]
        elif step == "add":
            observers.add(listeners[number])
            model.setdefault(str(number))
        else:
            observers.remove(listeners[number])
            model.pop(str(number), None)


class Clocks:
    """A monotonic clock, and a wall clock that can be set."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.offset_s = 1_700_000_000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s + self.offset_s


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def watch(clocks: Clocks, told: list[Event]) -> StateWatch:
    return StateWatch(told.append, clocks.monotonic_s, clocks.wall_s)


def test_a_camera_that_goes_and_comes(watch: StateWatch, clocks: Clocks, told: list[Event]) -> None:
    watch.camera("starting")
    watch.camera("live")
    assert told == []
    clocks.now_s = 60
    watch.camera("lost", "no frame for a second")
    watch.camera("lost", "unplugged")
    clocks.now_s = 62.5
    watch.camera("starting")
    watch.camera("live")
    watch.camera("live")
    assert [event.name for event in told] == ["camera_lost", "camera_back"]
    assert told[0].payload == {
        "since": 1_700_000_060.0,
        "previous_lasted_s": 10.0,
        "reason": "no frame for a second",
    }
    assert told[1].payload == {"since": 1_700_000_062.5, "previous_lasted_s": 2.5, "reason": None}


def test_the_clock_on_the_wall_may_jump(watch: StateWatch, clocks: Clocks, told: list[Event]) -> None:
    watch.delegate(is_lost=True, reason="timeout")
    clocks.now_s += 30
    clocks.offset_s -= 31_536_000
    watch.delegate(is_lost=False)
    assert [event.name for event in told] == ["delegate_lost", "delegate_back"]
    assert told[1].payload["previous_lasted_s"] == 30
    assert told[1].payload["since"] == clocks.wall_s()


def test_the_placeholder_says_why(watch: StateWatch, clocks: Clocks, told: list[Event]) -> None:
    watch.picture("placeholder", "starting")
    watch.picture("placeholder", "camera_lost")
    clocks.now_s += 4
    watch.picture("effect")
    watch.picture("raw")
    watch.picture("placeholder", "effect_off")
    assert [(event.name, event.payload["reason"]) for event in told] == [
        ("placeholder_shown", "starting"),
        ("placeholder_gone", "camera_lost"),
        ("placeholder_shown", "effect_off"),
    ]
    assert told[1].payload["previous_lasted_s"] == 4


def test_levels_say_where_from(watch: StateWatch, clocks: Clocks, told: list[Event]) -> None:
    for level, reason in ((0, None), (2, "time"), (2, "temperature"), (3, "temperature"), (0, None)):
        clocks.now_s += 5
        watch.level(level, reason)
    figures = [(e.payload["previous_level"], e.payload["level"], e.payload["reason"]) for e in told]
    assert figures == [(0, 2, "time"), (2, 3, "temperature"), (3, 0, None)]
    assert [event.payload["previous_lasted_s"] for event in told] == [10, 10, 5]


def test_an_observer_may_report_back(clocks: Clocks) -> None:
    """Nothing is held while an observer is told."""
    told: list[str] = []

    def notify(event: Event) -> None:
        told.append(event.name)
        watch.level(4, "time")

    watch = StateWatch(notify, clocks.monotonic_s, clocks.wall_s)
    watch.camera("lost")
    assert told == ["camera_lost", "level_changed"]


@given(st.lists(st.sampled_from(["starting", "live", "lost"])))
def test_lost_and_back_take_turns(states: list[Any]) -> None:
    told: list[Event] = []
    watch = StateWatch(told.append)
    for state in states:
        watch.camera(state)
    names = [event.name for event in told]
    assert names == (["camera_lost", "camera_back"] * len(names))[: len(names)]
    settled = [state for state in states if state != "starting"]
    assert len(names) % 2 == (settled[-1:] == ["lost"])


def test_lifecycle_events_say_what_happened() -> None:
    events = [
        filter_started(model="person-256x144", delegate="cpu"),
        config_selected(effect="blur", revision=3),
        filter_failed(SegmentError("no mask")),
    ]
    assert {event.name for event in events} < set(EVENT_NAMES)
    assert events[2].as_json() == {
        "event": "background_filter_failed",
        "error_type": "SegmentError",
        "reason": "no mask",
    }


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_an_event_comes_back_from_json(name: EventName) -> None:
    event = Event(name, {"since": 1.5, "reason": None})
    assert Event.from_json(json.loads(json.dumps(event.as_json()))) == event


@pytest.mark.parametrize("fields", [{}, {"event": "feed"}, {"event": ["camera_lost"]}, {"reason": "x"}])
def test_what_is_no_event_of_scrim_s_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(LocalError, match="allowed is filter_frame_duration_high"):
        Event.from_json(fields)


def test_every_event_has_a_line_in_the_table() -> None:
    table = Observers.__doc__ or ""
    assert all(name in table for name in EVENT_NAMES)

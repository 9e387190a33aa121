"""What a page that was just opened is told of the last minutes."""

from typing import Any, cast

from scrim.gateway.web.happenings import MOST_EVENTS, MOST_SAMPLES, REPEATED_S, SAMPLE_S, Happenings
from scrim.local.status import Status


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def status(fps: float = 30.0) -> Status:
    return cast("Status", {"frames": {"rate_out_hz": fps}, "latency_ms": {"p50": 21.0}})


def names(found: dict[str, Any]) -> list[str]:
    return [event["event"] for event in found["events"]]


def test_the_core_comes_and_goes() -> None:
    happenings = Happenings(Clock())
    for each in (status(), None, status()):
        happenings.core_changed(each)
    assert names(happenings.after(0)) == ["core_here", "core_gone", "core_here"]
    assert [sample["fps"] for sample in happenings.after(0)["samples"]] == [30.0, None, 30.0]


def test_one_sample_is_taken_in_a_second_however_often_the_status_is_read() -> None:
    clock = Clock()
    happenings = Happenings(clock)
    for _ in range(40):
        happenings.core_changed(status())
        clock.now_s += SAMPLE_S / 4
    assert len(happenings.after(0)["samples"]) == 10


def test_the_page_gets_what_it_has_not_seen_with_its_age() -> None:
    clock = Clock()
    happenings = Happenings(clock)
    happenings.core_event({"event": "camera_lost", "since": 5, "reason": "unplugged"})
    first = happenings.after(0)["events"]
    clock.now_s += 3
    happenings.core_event({"event": "camera_back", "since": 8, "reason": None})
    assert first == [
        {"event": "camera_lost", "since": 5, "reason": "unplugged", "number": 1}
        | {"series": 1, "count": 1, "age_s": 0.0}
    ]
    assert names(happenings.after(first[0]["number"])) == ["camera_back"]
    assert [event["age_s"] for event in happenings.after(0)["events"]] == [3.0, 0.0]


def test_what_is_said_again_and_again_takes_one_place_and_is_counted() -> None:
    happenings = Happenings(Clock())
    for _ in range(5):
        happenings.core_event({"event": "filter_frame_duration_high"})
        happenings.core_event({"event": "filter_cpu_utilization_high"})
    happenings.core_event({"event": "camera_lost"})
    happenings.core_event({"event": "filter_frame_duration_high"})
    events = happenings.after(0)["events"]
    assert [(event["event"], event["count"], event["series"]) for event in events] == [
        ("filter_frame_duration_high", 5, 1),
        ("filter_cpu_utilization_high", 5, 2),
        ("camera_lost", 1, 11),
        ("filter_frame_duration_high", 1, 12),
    ]


def test_what_differs_or_is_long_ago_takes_a_place_of_its_own() -> None:
    clock = Clock()
    happenings = Happenings(clock)
    for reason in ("no_safe_picture", "camera_lost", "no_safe_picture"):
        happenings.core_event({"event": "placeholder_shown", "reason": reason})
    clock.now_s += REPEATED_S + 1
    happenings.core_event({"event": "placeholder_shown", "reason": "camera_lost"})
    events = happenings.after(0)["events"]
    assert [(event["reason"], event["count"]) for event in events] == [
        ("camera_lost", 1),
        ("no_safe_picture", 2),
        ("camera_lost", 1),
    ]


def test_memory_is_bounded() -> None:
    clock = Clock()
    happenings = Happenings(clock)
    for number in range(3 * MOST_EVENTS):
        happenings.core_event({"event": f"e{number}"})
        happenings.core_changed(status())
        clock.now_s += 1
    found = happenings.after(0)
    assert (len(found["events"]), len(found["samples"])) == (MOST_EVENTS, MOST_SAMPLES)
    assert names(found)[-1] == f"e{3 * MOST_EVENTS - 1}"

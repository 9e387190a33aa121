"""Bucket, throttle, mailbox, memory: what bounds and what remembers."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

from scrim.gateway.mqtt.bucket import Bucket
from scrim.gateway.mqtt.mailbox import Mailbox
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.throttle import LEAST_INTERVAL_S, QUIET_S, Throttle
from scrim.statefile import StateFile


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_and_then_so_many_a_second() -> None:
    clock = Clock()
    bucket = Bucket(5, 20, clock)
    assert sum(bucket.take() for _ in range(100)) == 20
    assert bucket.wait_s == pytest.approx(0.2)
    clock.now_s += 2
    assert bucket.wait_s == 0
    assert sum(bucket.take() for _ in range(100)) == 10
    clock.now_s += 1000
    assert sum(bucket.take() for _ in range(100)) == 20


def test_the_first_event_goes_out_at_once_and_then_one_a_minute() -> None:
    clock = Clock()
    throttle = Throttle(clock, lambda: clock.now_s + 1e9)
    sent = []
    for _ in range(130):
        sent += [event for event in [throttle.put("slow", {"n": clock.now_s})] if event]
        clock.now_s += 1
    assert [event["count"] for event in sent] == [1, 61, 121]
    assert {event["since"] for event in sent} == {1e9 + 1000}
    assert throttle.put("other", {}) is not None


def test_after_a_pause_the_next_is_the_first_again() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert throttle.put("slow", {}) is not None
    clock.now_s += QUIET_S
    again = throttle.put("slow", {})
    assert again is not None
    assert again["count"] == 1


def test_what_was_held_back_last_is_not_lost() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    throttle.put("camera", {"state": "lost"})
    for state in ("back", "lost", "back"):
        clock.now_s += 1
        assert throttle.put("camera", {"state": state}) is None
    assert list(throttle.due()) == []
    clock.now_s += LEAST_INTERVAL_S
    (event,) = throttle.due()
    assert (event["state"], event["count"]) == ("back", 4)
    assert list(throttle.due()) == []


def test_a_payloads_own_since_stays() -> None:
    event = Throttle().put("camera_lost", {"since": 5.0})
    assert event is not None
    assert event["since"] == 5.0


def test_a_mailbox_takes_from_any_thread_and_drops_what_does_not_fit() -> None:
    async def scenario() -> None:
        box: Mailbox[int] = Mailbox(3)
        waiting = asyncio.create_task(box.take())
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: [box.put(number) for number in range(4)])
        thread.start()
        thread.join()
        assert box.dropped == 1
        assert [await waiting, await box.take(), await box.take()] == [0, 1, 2]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(box.take(), 0.01)

    asyncio.run(scenario())


def test_the_gateways_memory_survives(tmp_path: Path) -> None:
    memory = Memory(StateFile(tmp_path / "gateway.json"))
    memory.set("groups", ["office"])
    memory.set("color", "#112233")
    memory.set("color", None)
    memory.close()
    again = Memory(StateFile(tmp_path / "gateway.json"))
    assert again.document == {"groups": ["office"]}


@pytest.mark.parametrize("document", [{"groups": "office"}, {"applied": []}, {"image": 5}, [1]])
def test_a_memory_of_another_shape_is_set_aside(tmp_path: Path, document: object) -> None:
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps(document))
    assert Memory(StateFile(path)).document == {}
    assert (tmp_path / "gateway.json.bad").exists()

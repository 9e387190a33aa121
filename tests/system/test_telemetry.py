"""What a running core says of itself: metrics, events, and an observer that listens from outside."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

import scrim.core.capture
from scrim.config import Settings
from scrim.core.changes import RESULTS
from scrim.core.events import Event, Observers
from scrim.core.metrics import Figures
from scrim.core.service import run
from scrim.errors import ConfigError, LocalError
from scrim.local import Client
from scrim.local.status import EVENT_NAMES

PATIENCE_S = 180.0
PICTURE = Path(scrim.core.capture.__file__).with_name("astronaut.png")


class Core:
    """A core in a thread, before a camera that is plugged in later: a picture that is not there yet."""

    def __init__(self, folder: Path) -> None:
        self.camera = folder / "camera.png"
        self.path = folder / "core.sock"
        self._stop = threading.Event()
        settings = Settings().patched(
            {
                "camera": {"source": f"file:{self.camera}", "width": 128, "height": 96},
                "model": {"name": "person-192x112", "form": "float16"},
                "sinks": ["memory:"],
            }
        )
        self._thread = threading.Thread(target=run, args=(settings, self.path, self._stop))

    def start(self) -> None:
        self._thread.start()
        until(self._answers)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.status())
        except LocalError:
            return False

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def client(self) -> Client:
        return Client(self.path, PATIENCE_S)

    def plug_in(self) -> None:
        shutil.copy(PICTURE, self.camera.with_suffix(".part"))
        self.camera.with_suffix(".part").rename(self.camera)


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    running = Core(tmp_path)
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Diary:
    """An observer that has two methods and lacks all others."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.payloads: dict[str, dict[str, Any]] = {}

    def background_filter_started(self, payload: dict[str, Any]) -> None:
        self.payloads["background_filter_started"] = payload

    def any_event(self, event: Event) -> None:
        self.heard.append(event.name)


def test_an_observer_hears_of_a_core_from_its_first_picture_on(core: Core) -> None:
    diary, observers = Diary(), Observers()
    observers.add(diary)
    wanted = {"camera_back", "background_filter_started", "placeholder_gone"}
    with core.client() as client, core.client() as asking:
        events = client.events(PATIENCE_S)
        until(lambda: asking.status()["camera"]["state"] == "lost")
        core.plug_in()
        while not wanted <= set(diary.heard):
            observers.notify(Event.from_json(next(events)))
        asking.set({"strength": 20})
        while diary.heard[-1] != "background_filter_config_selected":
            observers.notify(Event.from_json(next(events)))
    assert diary.payloads["background_filter_started"] == {"model": "person-192x112", "delegate": "cpu"}


def test_metrics_are_answered_at_the_socket(core: Core) -> None:
    with core.client() as client:
        before = client.request("metrics")
        assert before["picture_age_ms"] is None, "the placeholder is no camera picture"
        core.plug_in()
        until(lambda: client.status()["state"] == "running")
        until(lambda: client.request("metrics")["picture_age_ms"] is not None)
        client.set({"strength": 20})
        after = client.request("metrics")
    assert before.keys() == after.keys() >= set(Figures.__slots__) - {"captures", "sinks"}
    assert after["sink_memory_state"] == "open"
    assert [value for key, value in after.items() if key.startswith("capture_file_")] == ["live"]
    assert after["model"] == "person-192x112"
    assert after["delegate"] == "cpu"
    assert after["settings_revision"] == before["settings_revision"] + 1
    for name in ("segmentation_duration_ms", "effect_render_duration_ms", "frames_segmented", "uptime_s"):
        assert after[name] > 0
    assert 0 <= after["matte_coverage"] <= 1


def test_counters_count_what_happens(core: Core) -> None:
    with core.client() as client:
        before = client.request("counters")
        core.plug_in()
        until(lambda: client.status()["state"] == "running")
        until(lambda: all(s["counts"][-1] >= 3 for s in client.request("counters")["stages"].values()))
        client.set({"strength": 20})
        began = ("placeholder_gone", "background_filter_started", "background_filter_config_selected")
        until(lambda: all(client.request("counters")["events"][name] for name in began))
        for wrong in ({"strength": "ultra"}, {"web": {"port": 1}}):
            with pytest.raises(ConfigError):
                client.set(wrong)
        after, metrics = client.request("counters"), client.request("metrics")
    assert set(after["stages"]) == {"capture", "segment", "matte", "composite", "total"}
    for stage in after["stages"].values():
        counts = stage["counts"]
        assert len(counts) == len(after["bounds_s"]) + 1
        assert counts == sorted(counts)
        assert counts[-1] >= 3
        assert stage["sum_s"] > 0
    assert after["stages"]["segment"]["counts"][-1] <= metrics["frames_segmented"]
    assert after["stages"]["total"]["counts"][-1] <= metrics["frames_submitted"]
    assert set(after["frames_dropped"]) == {"camera", "late", "no_mask", "no_buffer", "sink"}
    assert after["segmentations_skipped"] >= 0
    assert after["events"].keys() == set(EVENT_NAMES)
    changes = {name: after["settings_changes"][name] - before["settings_changes"][name] for name in RESULTS}
    assert changes == {"made": 1, "refused": 2, "superseded": 0, "failed": 0}
    for name in began:
        # Where there is no time for a picture, the placeholder comes and goes again.
        assert (
            1 <= after["events"][name] - before["events"][name] <= (99 if name == "placeholder_gone" else 1)
        )


def is_private(event: dict[str, Any]) -> bool:
    return (event["event"], event.get("reason")) == ("placeholder_shown", "privacy")


def test_a_camera_switched_off_and_on_is_told_apart_from_a_lost_one(core: Core) -> None:
    core.plug_in()
    with core.client() as client, core.client() as asking:
        until(lambda: asking.status()["state"] == "running")
        client.request("events")
        asking.set({"camera": {"isEnabled": False}})
        until(lambda: asking.status()["camera"]["state"] == "off")
        until(lambda: asking.status()["state"] == "off")
        status, metrics = asking.status(), asking.request("metrics")
        assert (status["state"], status["placeholder_reason"]) == ("off", "privacy")
        assert status["camera"]["closed_by"] == ["settings"]
        assert (status["is_somebody_there"], status["coverage"]) == (False, 0)
        assert [value for key, value in metrics.items() if key.startswith("capture_")] == ["off"]
        asking.set({"camera": {"isEnabled": True}})
        until(lambda: asking.status()["state"] == "running")
        asking.set({"strength": 33})
        heard: list[dict[str, Any]] = []
        while not any(is_private(event) for event in heard) or heard[-1]["event"] != "placeholder_gone":
            heard.append(next(client.events(PATIENCE_S)))
    placeholders = [event for event in heard if event["event"].startswith("placeholder_")]
    assert is_private(placeholders[-2]), "it stayed until it was gone"
    assert not [event for event in heard if event["event"].startswith("camera_")]


def test_a_number_stays_a_number_and_its_nearest_name_is_told(core: Core) -> None:
    with core.client() as client:
        answer = client.set({"backgroundBlur": {"strength": 20.5}})
        assert answer["settings"]["background_blur"]["strength"] == 20.5
        effect = client.status()["effect"]
        assert (effect["strength"], effect["strength_name"]) == (20.5, "medium")


def test_a_refused_change_says_what_stays_in_effect(core: Core) -> None:
    with core.client() as client:
        with pytest.raises(ConfigError) as caught:
            client.set({"strength": "ultra", "color": "transparent"})
        assert len(caught.value.problems) == 2
        assert caught.value.in_effect is not None
        assert caught.value.in_effect["settings"] == Settings().model_dump(mode="json") | {
            key: value
            for key, value in caught.value.in_effect["settings"].items()
            if key in ("camera", "model", "sinks")
        }

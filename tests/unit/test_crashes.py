"""What is a crash and what an orderly end, and when a core starts in safe mode."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scrim.config import Settings
from scrim.core.changes import InEffect
from scrim.core.crashes import (
    CRASHES,
    FIRST_REST_S,
    LAST_REST_S,
    STABLE_S,
    WINDOW_S,
    CrashRecord,
    record_folder,
    recorded,
)
from scrim.core.endurance import Endurance
from scrim.core.events import Event
from scrim.core.remember import Memory
from scrim.core.state import settings_document
from scrim.errors import SourceError
from scrim.rss_guard import RssGuard
from scrim.statefile import StateFile

TEAL = {"effect": "color", "color": "teal"}


class Machine:
    """Runs of a core, one after the other, on a clock that only the test moves."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.now_s = 1000.0

    def run(self) -> CrashRecord:
        """A run that begins; nothing is said of its end."""
        record = CrashRecord(self.folder, lambda: self.now_s)
        record.begin()
        return record

    def crash(self, times: int, apart_s: float = 3.0) -> CrashRecord:
        """The run after so many that crashed."""
        for _ in range(times):
            self.run()
            self.now_s += apart_s
        return self.run()

    def live(self, record: CrashRecord, seconds: float, document: Any = None, revision: int = 1) -> bool:
        record.step(revision, lambda: document)
        self.now_s += seconds
        return record.step(revision, lambda: document)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_after_five_crashes_in_a_minute_it_is_safe_mode(machine: Machine) -> None:
    assert machine.crash(CRASHES - 1).safe_mode is None
    machine.now_s += 1
    safe_mode = machine.run().safe_mode
    assert safe_mode is not None
    assert safe_mode.crashes == CRASHES
    assert safe_mode.rest_s == FIRST_REST_S


def test_crashes_that_are_far_apart_are_no_loop(machine: Machine) -> None:
    assert machine.crash(50, apart_s=WINDOW_S / (CRASHES - 1) + 1).safe_mode is None


def test_who_ends_in_order_has_not_crashed(machine: Machine) -> None:
    for _ in range(50):
        machine.run().end()
        machine.now_s += 1
    assert machine.run().safe_mode is None


@pytest.mark.parametrize("error", [SourceError("no camera"), KeyboardInterrupt()])
def test_an_error_that_scrim_itself_gives_is_no_crash(machine: Machine, error: BaseException) -> None:
    for _ in range(50):
        with suppress(SourceError, KeyboardInterrupt), recorded(CrashRecord(machine.folder)):
            raise error
    assert machine.run().safe_mode is None


def test_an_error_that_nobody_expected_is_one(machine: Machine) -> None:
    for _ in range(CRASHES):
        with suppress(ZeroDivisionError), recorded(CrashRecord(machine.folder, lambda: machine.now_s)):
            raise ZeroDivisionError
    assert machine.run().safe_mode is not None


def test_safe_mode_ends_by_itself_and_then_as_many_crashes_are_needed_again(machine: Machine) -> None:
    record = machine.crash(CRASHES)
    assert not record.is_over()
    machine.now_s += FIRST_REST_S
    assert record.is_over()
    record.end()
    assert machine.crash(CRASHES - 1).safe_mode is None


def test_a_crash_in_safe_mode_stays_in_safe_mode(machine: Machine) -> None:
    machine.crash(CRASHES)
    machine.now_s += 10 * WINDOW_S
    record = machine.run()
    assert record.safe_mode is not None
    assert record.safe_mode.rest_s == FIRST_REST_S


def test_each_further_one_takes_twice_as_long_until_a_run_was_good(machine: Machine) -> None:
    rests = []
    for _ in range(6):
        record = machine.crash(CRASHES)
        assert record.safe_mode is not None
        rests.append(record.safe_mode.rest_s)
        record.end()
    assert rests == [60, 120, 240, 480, LAST_REST_S, LAST_REST_S]
    good = machine.run()
    machine.live(good, STABLE_S)
    good.end()
    again = machine.crash(CRASHES)
    assert again.safe_mode is not None
    assert again.safe_mode.rest_s == FIRST_REST_S


def test_it_is_never_given_up(machine: Machine) -> None:
    """An hour of a core that dies a second after each start, systemd's two seconds between."""
    end_s, safe_s, runs = machine.now_s + 3600, 0.0, 0
    while machine.now_s < end_s:
        record, runs = machine.run(), runs + 1
        if record.safe_mode is None:
            machine.now_s += 1
        else:
            safe_s += record.safe_mode.rest_s
            machine.now_s += record.safe_mode.rest_s
            assert record.is_over()
            record.end()
        machine.now_s += 2
    assert runs > 30
    assert safe_s > 3000, "most of the time there is a placeholder instead of nothing"


def test_what_was_good_last_is_started_with_instead_of_what_crashes(machine: Machine) -> None:
    good, bad = {"revision": 3, "patch": TEAL}, {"revision": 4, "patch": {}}
    first = machine.run()
    assert not machine.live(first, STABLE_S, good, revision=3)
    machine.live(first, STABLE_S - 1, bad, revision=4)
    first.end()
    assert machine.run().instead is None
    record = machine.crash(CRASHES)
    assert record.instead == good
    record.end()
    after = machine.run()
    assert after.safe_mode is None
    assert after.instead == good
    assert machine.live(after, STABLE_S, good, revision=5), "they are to be remembered now"
    assert after.instead is None
    assert not machine.live(after, STABLE_S, bad, revision=6)


def test_without_good_settings_the_remembered_get_a_second_chance_then_the_file_s_are_used(
    machine: Machine,
) -> None:
    once = machine.crash(CRASHES)
    assert once.instead is None
    once.end()
    assert machine.crash(CRASHES).instead == {}


def test_nothing_is_counted_where_nobody_starts_it_again() -> None:
    machine = Machine(None)
    assert machine.crash(50).safe_mode is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"is_running": 1}', "\0", '{"is_running": true, "crashes": "x"}', "9" * 600_000],
)
def test_a_broken_record_counts_as_none(machine: Machine, tmp_path: Path, text: str) -> None:
    (tmp_path / "runs.json").write_text(text)
    record = machine.run()
    assert record.safe_mode is None
    assert json.loads((tmp_path / "runs.json").read_text())["is_running"] is True


@pytest.mark.parametrize("key", ["good", "instead", "crashes", "safe_modes"])
@pytest.mark.parametrize("value", [7, "x", [{}], [None]])
def test_a_record_of_another_kind_is_survived(
    machine: Machine, tmp_path: Path, key: str, value: object
) -> None:
    machine.run()
    path = tmp_path / "runs.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    machine.run().end()


def test_a_folder_that_cannot_be_written_keeps_nobody_from_starting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    machine = Machine(tmp_path / "file" / "folder")
    assert machine.crash(2 * CRASHES).safe_mode is None


def test_the_record_lies_where_systemd_says(tmp_path: Path) -> None:
    assert record_folder({"RUNTIME_DIRECTORY": f"{tmp_path}:/other"}) == tmp_path
    assert record_folder({"RUNTIME_DIRECTORY": "relative"}) is None
    assert record_folder({}) is None


class Living:
    """A core as the endurance sees it."""

    def __init__(self, machine: Machine, folder: Path, rss_mb: Callable[[], float] = lambda: 100.0) -> None:
        self.base = Settings()
        self.file = StateFile(folder / "state.json")
        self.memory = Memory(self.file, self.base, {})
        self.record = machine.run()
        self.in_effect = self.memory.recall(self.record.instead)
        self.events: list[Event] = []
        self.restarts = 0
        guard = RssGuard(200, lambda: int(rss_mb() * 1e6), lambda: machine.now_s)
        self.endurance = Endurance(
            self.record,
            guard,
            self.base,
            self.memory,
            lambda: self.in_effect,
            self.events.append,
            self._restart,
        )

    def _restart(self) -> None:
        self.restarts += 1

    def change(self, patch: dict[str, Any], *, is_remembered: bool = True) -> None:
        settings = self.in_effect.settings.patched(patch)
        self.in_effect = InEffect(settings, self.in_effect.revision + 1, is_remembered=is_remembered)
        self.memory.note(self.in_effect)
        self.memory.close()


def test_settings_that_crash_are_left_and_come_back_never(machine: Machine, tmp_path: Path) -> None:
    first = Living(machine, tmp_path)
    first.change(TEAL)
    first.endurance.step()
    machine.now_s += STABLE_S
    first.endurance.step()
    first.change({"effect": "blur"})
    machine.now_s += 1
    crashed = machine.crash(CRASHES)
    crashed.end()
    second = Living(machine, tmp_path)
    assert second.in_effect.settings.effect == "color"
    assert second.in_effect.revision > first.in_effect.revision
    second.endurance.step()
    machine.now_s += STABLE_S
    second.endurance.step()
    second.memory.close()
    assert second.file.load() == settings_document(
        second.base, second.in_effect.settings, second.in_effect.revision
    )


def test_what_is_not_to_be_remembered_is_nothing_to_come_back_to(machine: Machine, tmp_path: Path) -> None:
    living = Living(machine, tmp_path)
    living.change(TEAL, is_remembered=False)
    living.endurance.step()
    machine.now_s += STABLE_S
    living.endurance.step()
    assert machine.crash(CRASHES).instead is None


def test_good_settings_that_go_with_the_file_no_more_give_way_to_it(machine: Machine, tmp_path: Path) -> None:
    memory = Memory(StateFile(tmp_path / "state.json"), Settings(), {})
    assert memory.recall({"revision": 1, "patch": {"sinks": ["file:/x.mkv"]}}).settings == Settings()
    assert memory.recall({"revision": "x"}).settings == Settings()


def test_safe_mode_that_is_over_starts_the_core_again_once(machine: Machine, tmp_path: Path) -> None:
    machine.crash(CRASHES - 1)
    living = Living(machine, tmp_path)
    living.endurance.step()
    assert living.restarts == 0
    machine.now_s += FIRST_REST_S
    living.endurance.step()
    living.endurance.step()
    assert living.restarts == 1


def test_a_core_that_grows_says_so_and_is_started_again(machine: Machine, tmp_path: Path) -> None:
    rss_mb = 100.0
    living = Living(machine, tmp_path, lambda: rss_mb)
    for _ in range(100):
        machine.now_s += 5
        living.endurance.step()
    assert not living.restarts
    rss_mb = 201.5
    for _ in range(10):
        machine.now_s += 5
        living.endurance.step()
    assert living.restarts == 1
    assert [event.name for event in living.events] == ["memory_high"]
    assert living.events[0].payload == {"rss_mb": 201.5, "limit_mb": 200.0}

"""The log: fields for the journal, lines for everybody else, secrets for nobody."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrim.core.event_log import _WORDS, SPARING_S, EventLog
from scrim.core.events import Event, filter_failed
from scrim.errors import SegmentError
from scrim.journal import MOST_CHARACTERS, JournalHandler, fields, priority, without_passwords
from scrim.local.status import EVENT_NAMES

PAYLOAD = {"since": 1767225600.0, "previous_lasted_s": 12.34, "reason": "no frame for a second"}


class Journal:
    """Takes what ``systemd.journal.send`` would take."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def send(self, message: str, **more: Any) -> None:
        assert type(more.pop("CODE_LINE")) is int  # all else are texts
        assert all(name == name.upper() and isinstance(value, str) for name, value in more.items())
        self.entries.append({"MESSAGE": message, **more})


@pytest.fixture
def journal() -> Iterator[Journal]:
    """The logger ``scrim`` writes into it."""
    found, logger = Journal(), logging.getLogger("scrim")
    handler, level = JournalHandler("scrim-core", found.send), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_an_entry_has_its_fields(journal: Journal) -> None:
    logging.getLogger("scrim.x").warning(
        "gone: %s", "why", extra=fields("core_gone", reason="why", n=3, no=None)
    )
    (entry,) = journal.entries
    assert entry["MESSAGE"] == "gone: why"
    assert (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]) == ("scrim-core", "4")
    assert (entry["LOGGER"], entry["CODE_FUNC"]) == ("scrim.x", "test_an_entry_has_its_fields")
    ours = {name: value for name, value in entry.items() if name.startswith("SCRIM_")}
    assert ours == {"SCRIM_EVENT": "core_gone", "SCRIM_REASON": "why", "SCRIM_N": "3"}


def test_an_entry_without_fields_has_none(journal: Journal) -> None:
    logging.getLogger("scrim.x").info("hello")
    assert not [name for name in journal.entries[0] if name.startswith("SCRIM_")]


@pytest.mark.parametrize(
    ("level", "number"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_levels_are_syslog_s(level: int, number: int) -> None:
    assert priority(level) == number


def test_a_password_in_a_url_is_written_nowhere(journal: Journal) -> None:
    url = "mqtts://camera:swordfish@broker.lan:8883"
    logging.getLogger("scrim.x").info("to %s", url, extra=fields("x", url=url))
    assert "swordfish" not in str(journal.entries)
    assert "broker.lan" in journal.entries[0]["MESSAGE"]
    assert without_passwords("https://a@b/c and a@b") == "https://***@b/c and a@b"


def test_a_field_is_bounded(journal: Journal) -> None:
    logging.getLogger("scrim.x").info("long", extra=fields("x", reason="y" * 5000))
    assert len(journal.entries[0]["SCRIM_REASON"]) == MOST_CHARACTERS


def test_a_journal_that_fails_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(message: str, **_: Any) -> None:
        raise OSError(message)

    logger = logging.getLogger("alone")
    logger.addHandler(JournalHandler("scrim", refuse))
    logger.error("planted")
    logger.handlers.clear()
    assert "planted" in capsys.readouterr().err


START = (
    "import logging; from pathlib import Path; from scrim.journal import start_logging;"
    "start_logging(is_verbose=False, identifier='scrim-core', journal=Path('/none'));"
    "logging.getLogger('scrim.x').warning('one\\ntwo http://a:b@c')"
)


def lines(tmp_path: Path, variable: str) -> list[str]:
    """What a process writes to standard error that does not find systemd's library."""
    (tmp_path / "systemd.py").write_text("raise ImportError")
    environment = os.environ | {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    with (tmp_path / "stderr").open("w+") as stream:
        status = os.fstat(stream.fileno())
        environment["JOURNAL_STREAM"] = variable.format(device=status.st_dev, inode=status.st_ino)
        subprocess.run([sys.executable, "-c", START], env=environment, stderr=stream, check=True, timeout=600)
        stream.seek(0)
        return stream.read().splitlines()


def test_without_library_and_socket_lines_carry_their_priority(tmp_path: Path) -> None:
    assert lines(tmp_path, "{device}:{inode}") == ["<4>one", "<4>two http://***@c"]


def test_a_terminal_or_file_gets_lines_with_time_and_name(tmp_path: Path) -> None:
    """Also where the variable was inherited and means another stream."""
    first, second = lines(tmp_path, "1:2")
    assert first.endswith(" W scrim.x: one")
    assert second == "two http://***@c"


def test_standard_error_may_be_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from scrim.journal import _is_journal

    assert not _is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


# Events


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_event_is_written_once_with_its_fields(journal: Journal, name: Any) -> None:
    EventLog().any_event(Event(name, PAYLOAD))
    (entry,) = journal.entries
    assert entry["SCRIM_EVENT"] == name
    assert entry["SCRIM_REASON"] == PAYLOAD["reason"]
    assert entry["SCRIM_SINCE"] == "1767225600.0"


def test_every_event_has_words() -> None:
    assert set(_WORDS) == set(EVENT_NAMES)


def test_events_are_told_in_words(journal: Journal) -> None:
    log = EventLog()
    log.any_event(Event("camera_lost", PAYLOAD))
    log.any_event(filter_failed(SegmentError("mask has NaN")))
    log.any_event(Event("background_filter_config_selected", {"revision": 7, "effect": "blur"}))
    texts = [(entry["MESSAGE"], entry["PRIORITY"]) for entry in journal.entries]
    assert texts == [
        ("camera: lost: no frame for a second", "4"),
        ("filtering: failed: mask has NaN", "3"),
        ("settings: revision 7, effect blur", "6"),
    ]
    assert journal.entries[1]["SCRIM_ERROR_TYPE"] == "SegmentError"
    assert journal.entries[2]["SCRIM_REVISION"] == "7"


def test_what_is_said_in_every_period_is_written_sparingly(journal: Journal) -> None:
    now_s = [100.0]
    log = EventLog(lambda: now_s[0])
    high = Event("filter_cpu_utilization_high", {"cpu_utilization": 41, "filter_ms": 410, "period_ms": 1000})
    for _ in range(int(SPARING_S) + 1):
        log.any_event(high)
        now_s[0] += 1
    texts = [entry["MESSAGE"] for entry in journal.entries]
    assert texts == [
        "filtering: heavy: 41 % of the time",
        f"filtering: heavy: 41 % of the time ({SPARING_S - 1:.0f} times since it was last written)",
    ]

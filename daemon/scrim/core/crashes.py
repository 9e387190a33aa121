"""What became of the runs before this one: after a series of crashes the core starts in safe mode.

The record lies in the folder that systemd keeps while it restarts the core (RuntimeDirectoryPreserve), in
memory: it survives every crash, nothing of it is ever written to the card, and a reboot starts over.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from scrim.errors import ScrimError
from scrim.local.messages import parse_object

logger = logging.getLogger(__name__)

CRASHES = 5
WINDOW_S = 60.0
"""So many crashes in this time are a loop."""

STABLE_S = 60.0
"""What has lived so long, a run or the settings in effect, is good."""

FIRST_REST_S = 60.0
LAST_REST_S = 600.0
"""Safe mode ends by itself; each further one without a good run between takes twice as long, up to this."""

_FILE = "runs.json"
_MOST_BYTES = 512 * 1024

Remembered = dict[str, Any]
"""Settings as :func:`scrim.core.state.settings_document` writes them."""


@dataclass(frozen=True, slots=True)
class SafeMode:
    """The core crashed again and again: it shows the placeholder, and neither opens a camera nor a model.

    Attributes:
        crashes: that led to it.
        rest_s: when it ends by itself, after the start.
    """

    crashes: int
    rest_s: float


@dataclass(frozen=True, slots=True)
class _Record:
    """What is written down.

    Attributes:
        is_running: a run began and has not ended in order.
        is_safe: that run is in safe mode.
        crashes: when the last ones were found out, on the monotonic clock.
        safe_modes: how many there were since the last good run.
        good: the last settings that were good.
        instead: what to start with instead of what is remembered; empty for the local file's settings alone.
    """

    is_running: bool = False
    is_safe: bool = False
    crashes: tuple[float, ...] = ()
    safe_modes: int = 0
    good: Remembered | None = None
    instead: Remembered | None = None


@dataclass(slots=True)
class _Proving:
    """Settings that are in effect and not yet good."""

    revision: int = -1
    since_s: float = field(default=float("-inf"))


class CrashRecord:
    """Tells crashes from orderly ends, across processes. Used from one thread.

    Nothing here is ever fatal: a record that cannot be read counts as none.

    Args:
        folder: survives a restart of the process; None where nobody restarts it, and there is no safe mode.
        clock_s: monotonic, the same for all processes since the machine was booted.

    Attributes:
        safe_mode: set by ``begin`` after too many crashes.
        instead: settings to start with instead of those that are remembered; None to start with these.
    """

    def __init__(self, folder: Path | None, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / _FILE if folder is not None else None
        self._clock_s = clock_s
        self._record = _Record()
        self._began_s = clock_s()
        self._proving = _Proving()
        self._is_proven = False
        self.safe_mode: SafeMode | None = None

    @property
    def instead(self) -> Remembered | None:
        """See the class."""
        return self._record.instead

    def begin(self) -> SafeMode | None:
        """A run begins; whether it is to be in safe mode follows from how those before it ended."""
        now_s = self._clock_s()
        before = self._read()
        found = (*before.crashes, now_s) if before.is_running else before.crashes
        crashes = tuple(at_s for at_s in found if 0 <= now_s - at_s <= WINDOW_S)
        is_still_safe = before.is_running and before.is_safe
        self._record = replace(before, is_running=True, is_safe=False, crashes=crashes)
        if len(crashes) >= CRASHES or is_still_safe:
            self._enter(len(crashes), is_new=not is_still_safe)
        self._write()
        return self.safe_mode

    def step(self, revision: int, remember: Callable[[], Remembered | None]) -> bool:
        """Look at how long this run has lived, and under which settings; now and then.

        Args:
            revision: of the settings in effect.
            remember: gives these as a document; None where they are not to be remembered.

        Returns:
            True once, when a run that began with other settings than the remembered ones has proved good:
            they are to be remembered now.
        """
        now_s = self._clock_s()
        if self._path is None or self.safe_mode is not None:
            return False
        if revision != self._proving.revision:
            self._proving = _Proving(revision, now_s)
        if now_s - self._proving.since_s < STABLE_S:
            return False
        self._proving.since_s = float("inf")
        return self._found_good(remember())

    def is_over(self) -> bool:
        """Whether safe mode has lasted long enough."""
        return self.safe_mode is not None and self._clock_s() - self._began_s >= self.safe_mode.rest_s

    def end(self) -> None:
        """The run ends in order: whatever comes next is no crash of this one."""
        # Crashes before a safe mode are dealt with by it.
        crashes = () if self._record.is_safe else self._record.crashes
        self._record = replace(self._record, is_running=False, is_safe=False, crashes=crashes)
        self._write()

    def _enter(self, crashes: int, *, is_new: bool) -> None:
        safe_modes = self._record.safe_modes + is_new
        rest_s = min(FIRST_REST_S * 2 ** max(0, safe_modes - 1), LAST_REST_S)
        instead = self._record.good
        if instead is None and safe_modes > 1:
            instead = {}  # what is remembered crashed twice over, and nothing better is known
        self._record = replace(self._record, is_safe=True, safe_modes=safe_modes, instead=instead)
        self.safe_mode = SafeMode(crashes, rest_s)
        logger.error(
            "core: crashed %d times in %.0f s; safe mode: the placeholder is shown, camera and model are "
            "left alone for %.0f s; 'scrim ctl restart' ends it at once",
            crashes,
            WINDOW_S,
            rest_s,
        )

    def _found_good(self, document: Remembered | None) -> bool:
        is_to_remember = self._record.instead is not None and document is not None
        good = document if document is not None else self._record.good
        self._record = replace(self._record, crashes=(), safe_modes=0, good=good, instead=None)
        self._write()
        return is_to_remember

    def _read(self) -> _Record:
        if self._path is None:
            return _Record()
        try:
            with self._path.open("rb") as file:
                return _restored(parse_object(file.read(_MOST_BYTES + 1), _MOST_BYTES))
        except FileNotFoundError:
            return _Record()
        except (OSError, ScrimError, KeyError, TypeError, ValueError) as error:
            logger.warning(
                "%s: cannot be read: %s; crashes before this run are not counted", self._path, error
            )
            return _Record()

    def _write(self) -> None:
        if self._path is None:
            return
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(asdict(self._record)))
            temporary.replace(self._path)
        except OSError as error:
            logger.warning("%s: cannot be written: %s; crashes are not counted", self._path, error.strerror)
            with suppress(OSError):
                temporary.unlink()


@contextmanager
def recorded(record: CrashRecord) -> Iterator[CrashRecord]:
    """A run: it begins, and ends in order when it stops, or for a reason that scrim itself gives."""
    record.begin()
    try:
        yield record
    except (ScrimError, KeyboardInterrupt):
        record.end()
        raise
    record.end()


def record_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the record lies: the folder in ``$RUNTIME_DIRECTORY``, which systemd gives to its services."""
    folder = Path(environment.get("RUNTIME_DIRECTORY", "").split(":")[0])
    return folder if folder.is_absolute() else None


def _restored(document: Mapping[str, Any]) -> _Record:
    """The record in a document.

    Raises:
        ValueError: there is something else in it.
        KeyError, TypeError: likewise.
    """
    good, instead = document["good"], document["instead"]
    if not all(one is None or isinstance(one, dict) for one in (good, instead)):
        raise ValueError("settings are no objects")
    return _Record(
        is_running=bool(document["is_running"]),
        is_safe=bool(document["is_safe"]),
        crashes=tuple(map(float, document["crashes"]))[-CRASHES:],
        safe_modes=min(max(int(document["safe_modes"]), 0), 32),
        good=good,
        instead=instead,
    )

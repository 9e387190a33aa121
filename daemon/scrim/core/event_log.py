"""Writes every event into the log, once, in words for people and with fields for programs."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scrim.core.events import Event
from scrim.journal import fields
from scrim.local.status import EventName

logger = logging.getLogger(__name__)

SPARING_S = 600.0
"""An event that is said in every period while it lasts is written at most once in this time."""

_WORDS: dict[EventName, tuple[int, str]] = {
    "filter_frame_duration_high": (
        logging.INFO,
        "filtering: slow: {avg_filter_duration_ms} ms a frame at {frame_rate:g} frames a second",
    ),
    "filter_cpu_utilization_high": (logging.INFO, "filtering: heavy: {cpu_utilization} % of the time"),
    "background_filter_started": (logging.INFO, "filtering: started, {model} on {delegate}"),
    "background_filter_config_selected": (logging.INFO, "settings: revision {revision}, effect {effect}"),
    "background_filter_failed": (logging.ERROR, "filtering: failed: {reason}"),
    "camera_lost": (logging.WARNING, "camera: lost: {reason}"),
    "camera_back": (logging.INFO, "camera: back after {previous_lasted_s:.1f} s"),
    "delegate_lost": (logging.WARNING, "delegate: lost: {reason}"),
    "delegate_back": (logging.INFO, "delegate: back after {previous_lasted_s:.1f} s"),
    "level_changed": (logging.INFO, "quality: level {level}, was {previous_level} (reason: {reason})"),
    "placeholder_shown": (logging.INFO, "picture: placeholder: {reason}"),
    "memory_high": (logging.WARNING, "memory: {rss_mb:.0f} MB of {limit_mb:.0f} MB allowed"),
    "placeholder_gone": (logging.INFO, "picture: camera, after {previous_lasted_s:.1f} s ({reason})"),
}
_REPEATING: frozenset[EventName] = frozenset({"filter_frame_duration_high", "filter_cpu_utilization_high"})


@dataclass(slots=True)
class _Held:
    """What was not written of an event that repeats."""

    written_s: float
    count: int = 0


class EventLog:
    """An observer (:class:`scrim.core.events.Observers`) that writes what it hears; from any thread.

    Args:
        clock_s: monotonic clock.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._held: dict[EventName, _Held] = {}

    def any_event(self, event: Event) -> None:
        """Write it, unless it repeats and was written a short while ago."""
        held_back = self._held_back(event.name) if event.name in _REPEATING else 0
        if held_back is None:
            return
        level, words = _WORDS[event.name]
        more = f" ({held_back} times since it was last written)" if held_back else ""
        values = {key: value for key, value in event.payload.items() if key != "event"}
        logger.log(level, "%s%s", _worded(words, event.payload), more, extra=fields(event.name, **values))

    def _held_back(self, name: EventName) -> int | None:
        """How many were held back since one was written; None if this one is held back too."""
        now_s = self._clock_s()
        with self._lock:
            held = self._held.get(name)
            if held is not None and now_s - held.written_s < SPARING_S:
                held.count += 1
                return None
            self._held[name] = _Held(now_s)
            return held.count if held is not None else 0


def _worded(words: str, payload: Mapping[str, Any]) -> str:
    try:
        return words.format(**payload)
    except (KeyError, ValueError, TypeError):
        return f"{words.partition(':')[0]}: {dict(payload)}"

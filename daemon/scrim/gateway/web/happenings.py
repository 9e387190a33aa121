"""What happened lately, for a page that was just opened: events, and a line of figures for each second."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypedDict

from scrim.local.status import Status

MOST_EVENTS = 100
MOST_SAMPLES = 120
SAMPLE_S = 0.9
"""Between two samples; the core is asked more often while something happens."""

REPEATED_S = 60.0
"""What is said again within this time takes no second place, where nothing of weight came between."""

_REPEATED = frozenset(
    {
        "background_filter_config_selected",
        "filter_cpu_utilization_high",
        "filter_frame_duration_high",
        "level_changed",
        "placeholder_gone",
        "placeholder_shown",
    }
)
"""Said again and again: in every period, while a slider moves, while a busy machine misses its time."""


class Sample(TypedDict):
    """Figures of one moment; None while the core is gone."""

    number: int
    fps: float | None
    latency_ms: float | None


class Happenings:
    """Listens to the core, see :class:`scrim.gateway.core_link.CoreListener`. Holds a bounded number of each.

    Everything has a number that counts up, so that a page asks only for what it has not seen.

    Args:
        clock_s: monotonic clock.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._sampled_s = float("-inf")
        self._number = 0
        self._events: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._was_here = False

    def core_changed(self, status: Status | None) -> None:
        """Note the figures; and when the core comes or goes."""
        if self._was_here != (status is not None):
            self._was_here = status is not None
            self.core_event({"event": "core_here" if self._was_here else "core_gone"})
        elif self._clock_s() - self._sampled_s < SAMPLE_S:
            return
        self._sampled_s = self._clock_s()
        self._samples.append(
            {
                "number": self._next(),
                "fps": status["frames"]["rate_out_hz"] if status else None,
                "latency_ms": status["latency_ms"]["p50"] if status else None,
            }
        )

    def core_event(self, event: dict[str, Any]) -> None:
        """Note an event. One that is said again and again keeps its ``series``, and is counted."""
        number = self._next()
        noted = {**event, "number": number, "series": number, "count": 1, "at_s": self._clock_s()}
        before = self._said_before(event)
        if before is not None:
            self._events.remove(before)
            noted |= {"series": before["series"], "count": before["count"] + 1}
        self._events.append(noted)

    def _said_before(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """The same event, where it was said a moment ago and nothing but others of its kind came since."""
        if wanted["event"] in _REPEATED:
            for event in reversed(self._events):
                is_old = self._clock_s() - event["at_s"] > REPEATED_S
                if is_old or event["event"] not in _REPEATED:
                    break
                if all(event.get(key) == wanted.get(key) for key in ("event", "reason", "level")):
                    return dict(event)
        return None

    def after(self, number: int) -> dict[str, Any]:
        """Events, with their age in seconds, and samples that came later than ``number``."""
        now_s = self._clock_s()
        return {
            "events": [
                {key: value for key, value in event.items() if key != "at_s"}
                | {"age_s": round(now_s - event["at_s"], 1)}
                for event in self._events
                if event["number"] > number
            ],
            "samples": [sample for sample in self._samples if sample["number"] > number],
        }

    def _next(self) -> int:
        self._number += 1
        return self._number

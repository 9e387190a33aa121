"""Events at a rate that a recorder can take: the first of a kind at once, then one a minute."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LEAST_INTERVAL_S = 60.0
QUIET_S = 30.0
"""After so long without one of a kind, the next counts as the first again."""


@dataclass(slots=True)
class _Kind:
    since_s: float
    count: int = 0
    seen_s: float = 0.0
    sent_s: float = float("-inf")
    waiting: Mapping[str, Any] | None = field(default=None)


class Throttle:
    """Lets events through, each with ``count`` (of its kind since it began) and ``since`` (when that was).

    What was held back is not lost: the newest of a kind goes out when the minute is over.

    Args:
        clock_s: monotonic clock.
        wall_s: seconds since 1970.
    """

    def __init__(
        self, clock_s: Callable[[], float] = time.monotonic, wall_s: Callable[[], float] = time.time
    ) -> None:
        self._clock_s = clock_s
        self._wall_s = wall_s
        self._kinds: dict[str, _Kind] = {}

    def put(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take an event; what is to be sent now, or None when it is held back."""
        now_s = self._clock_s()
        kind = self._kinds.get(name)
        if kind is None or now_s - kind.seen_s >= QUIET_S:
            kind = self._kinds[name] = _Kind(self._wall_s())
        kind.seen_s, kind.count = now_s, kind.count + 1
        if now_s - kind.sent_s < LEAST_INTERVAL_S:
            kind.waiting = payload
            return None
        return self._sent(name, kind, payload, now_s)

    def due(self) -> Iterator[dict[str, Any]]:
        """What was held back and may be sent now."""
        now_s = self._clock_s()
        for name, kind in self._kinds.items():
            if kind.waiting is not None and now_s - kind.sent_s >= LEAST_INTERVAL_S:
                yield self._sent(name, kind, kind.waiting, now_s)

    def _sent(self, name: str, kind: _Kind, payload: Mapping[str, Any], now_s: float) -> dict[str, Any]:
        kind.sent_s, kind.waiting = now_s, None
        since = round(kind.since_s, 3)
        return {
            "event_type": name,
            "count": kind.count,
            "since": since,
            **payload,
            "ts": round(self._wall_s(), 3),
        }

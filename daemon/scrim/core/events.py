"""What is told about a running core: events, who hears them, and when each one happens."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import floor, isfinite
from typing import Any, Generic, Self, TypeVar

from scrim.errors import ConfigError, LocalError, Problem
from scrim.frame import Origin
from scrim.local.status import EVENT_NAMES, EventName

logger = logging.getLogger(__name__)

_LEAST_RATE_HZ = 0.001

_SHARE_OF_INTERVAL = 0.8
"""Filtering that takes this share of a frame's interval is slow (Amazon Chime SDK, background blur 1.0)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        name: what, see :class:`Observers`.
        payload: JSON values by snake_case name.
    """

    name: EventName
    payload: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """One flat object: ``{"event": name, ...payload}``."""
        return {"event": self.name, **self.payload}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The event again, out of what ``as_json`` made of it; for programs that listen at the local socket.

        Raises:
            LocalError: it is none that scrim knows.
        """
        payload = dict(fields)
        name = payload.pop("event", None)
        if name not in EVENT_NAMES:
            raise LocalError(f"event = {name!r}: unknown; allowed is {', '.join(EVENT_NAMES)}")
        return cls(name, payload)


def filter_started(**details: Any) -> Event:  # noqa: ANN401  (any JSON value)
    """The effect runs: the first safe camera picture went out. Details such as model and delegate."""
    return Event("background_filter_started", details)


def config_selected(**details: Any) -> Event:  # noqa: ANN401  (any JSON value)
    """Other settings are in effect. Details such as effect and revision."""
    return Event("background_filter_config_selected", details)


def filter_failed(error: BaseException) -> Event:
    """Filtering cannot start or has stopped."""
    return Event("background_filter_failed", {"error_type": type(error).__name__, "reason": str(error)})


def memory_high(rss_mb: float, limit_mb: float) -> Event:
    """The core takes more memory than it may, in 10**6 bytes, and is started again for it."""
    return Event("memory_high", {"rss_mb": round(rss_mb, 1), "limit_mb": round(limit_mb, 1)})


def half_up(value: float) -> int:
    """The nearest integer, halves upwards, where Python's ``round`` takes halves to the even one."""
    return floor(value + 0.5)


class FilterMonitor:
    """Says once in a reporting period when filtering takes too long; any thread may add, any evaluate.

    The first call of ``add`` or ``evaluate`` starts the first period, each evaluation at or after its end the
    next one. A period without frames, or with frame rate 0, says nothing.

    Args:
        frame_rate: frames per second that are expected.
        reporting_period_ms: above 0.
        filter_cpu_utilization: percent of the time, above 0 and up to 100.

    Attributes:
        frame_rate: may be set when the camera turns out to have another one.

    Raises:
        ConfigError: one of them is out of range; lists every problem.
    """

    def __init__(
        self, frame_rate: float, reporting_period_ms: float = 1000, filter_cpu_utilization: float = 30
    ) -> None:
        checks = [
            (
                "frame_rate",
                frame_rate,
                frame_rate == 0 or frame_rate >= _LEAST_RATE_HZ,
                "0, or 0.001 or above",
            ),
            ("reporting_period_ms", reporting_period_ms, reporting_period_ms > 0, "above 0"),
            (
                "filter_cpu_utilization",
                filter_cpu_utilization,
                0 < filter_cpu_utilization <= 100,
                "above 0 and up to 100",
            ),
        ]
        problems = [
            Problem(key, str(value), "is out of range", allowed)
            for key, value, is_right, allowed in checks
            if not (is_right and isfinite(value))
        ]
        if problems:
            raise ConfigError(problems)
        self.frame_rate = frame_rate
        self._period_ms = reporting_period_ms
        self._most_percent = filter_cpu_utilization
        self._lock = threading.Lock()
        self._began_s: float | None = None
        self._frames = 0
        self._filter_ms = 0.0

    def add(self, processing_ms: float, now_s: float) -> None:
        """Count one filtered frame, finished at ``now_s`` of the monotonic clock."""
        with self._lock:
            if self._began_s is None:
                self._began_s = now_s
            self._frames += 1
            self._filter_ms += processing_ms

    def evaluate(self, now_s: float) -> list[Event]:
        """What is to be said at ``now_s`` of the monotonic clock; nothing before the period's end."""
        with self._lock:
            if self._began_s is None:
                self._began_s = now_s
            period_ms = round((now_s - self._began_s) * 1000, 6)  # to the ns: no dust of binary fractions
            if period_ms < self._period_ms:
                return []
            frames, filter_ms = self._frames, self._filter_ms
            self._began_s, self._frames, self._filter_ms = now_s, 0, 0.0
        if frames == 0 or self.frame_rate == 0:
            return []
        return [*self._duration(frames, filter_ms, period_ms), *self._utilization(filter_ms, period_ms)]

    def _duration(self, frames: int, filter_ms: float, period_ms: float) -> list[Event]:
        average_ms = half_up(filter_ms / frames)
        if average_ms < half_up(1000 / self.frame_rate * _SHARE_OF_INTERVAL):
            return []
        payload = {
            "frames_dropped": half_up(self.frame_rate * period_ms / 1000) - frames,
            "avg_filter_duration_ms": average_ms,
            "frame_rate": self.frame_rate,
            "period_ms": period_ms,
        }
        return [Event("filter_frame_duration_high", payload)]

    def _utilization(self, filter_ms: float, period_ms: float) -> list[Event]:
        percent = half_up(100 * filter_ms / period_ms)
        if percent < self._most_percent:
            return []
        payload = {"cpu_utilization": percent, "filter_ms": filter_ms, "period_ms": period_ms}
        return [Event("filter_cpu_utilization_high", payload)]


@dataclass(slots=True)
class _Listener:
    observer: object
    failing: set[str] = field(default_factory=set)


class Observers:
    """Who hears events. Every method may be called from any thread.

    An observer is any object with methods of these names; each is called with the payload, a ``dict`` of its
    own, in the thread that notifies, and should return soon. A method it lacks is not called.

    =================================  =====================================================================
    method                             payload
    =================================  =====================================================================
    filter_frame_duration_high         frames_dropped (may be negative), avg_filter_duration_ms, frame_rate,
                                       period_ms
    filter_cpu_utilization_high        cpu_utilization (percent), filter_ms, period_ms
    background_filter_started          what the core says of itself, such as model and delegate
    background_filter_config_selected  what is in effect, such as effect and revision
    background_filter_failed           error_type, reason
    camera_lost, camera_back           since, previous_lasted_s, reason
    delegate_lost, delegate_back       since, previous_lasted_s, reason
    level_changed                      since, previous_lasted_s, reason (of the budget), level, previous_level
    placeholder_shown                  since, previous_lasted_s, reason
    placeholder_gone                   since, previous_lasted_s, reason it was shown for
    memory_high                        rss_mb, limit_mb; the core is started again
    any_event                          called after the event's own method, for every event, with the
                                       :class:`Event` itself
    =================================  =====================================================================

    ``since`` is the moment of the transition in seconds since 1970, ``previous_lasted_s`` how long the state
    before it lasted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[_Listener, ...] = ()

    def add(self, observer: object) -> None:
        """Let an observer hear what comes, after those who were added before; twice counts once."""
        with self._lock:
            if all(known.observer is not observer for known in self._listeners):
                self._listeners = (*self._listeners, _Listener(observer))

    def remove(self, observer: object) -> None:
        """Let an observer hear nothing more; one that was never added is no error."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known.observer is not observer)

    def notify(self, event: Event) -> None:
        """Tell every observer, in the order of adding. One that raises is logged and keeps nobody from it."""
        for listener in self._listeners:
            self._tell(listener, event.name, event, lambda: dict(event.payload))
            self._tell(listener, "any_event", event, lambda: event)

    def _tell(self, listener: _Listener, method: str, event: Event, argument: Callable[[], object]) -> None:
        try:
            told = getattr(listener.observer, method, None)
            if told is not None:
                told(argument())
        except Exception as error:  # noqa: BLE001  an observer is a stranger: it must not stop the video
            if method not in listener.failing:
                listener.failing.add(method)
                name = type(listener.observer).__name__
                logger.error(  # noqa: TRY400  one line, not a stranger's traceback
                    "observer %s: %s at %s: %s: %s", name, method, event.name, type(error).__name__, error
                )
        else:
            listener.failing.discard(method)


class EventCount:
    """Counts events by name; an observer.

    Attributes:
        by_name: since the start.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, int] = dict.fromkeys(EVENT_NAMES, 0)

    def any_event(self, event: Event) -> None:
        """Count one."""
        self.by_name[event.name] += 1


@dataclass(slots=True)
class _Track(Generic[T]):
    """What one thing is, and since when."""

    state: T
    began_s: float
    reason: str | None = None


class StateWatch:
    """Turns what the core's parts report into events, one for each transition; from any thread.

    All is taken to be well at first: a camera that is ``live`` at the first report, or level 0, is no news.

    Args:
        notify: is given each event, outside of any lock; :meth:`Observers.notify`.
        clock_s: monotonic clock, for how long a state lasted.
        wall_s: seconds since 1970, for when it ended.
    """

    def __init__(
        self,
        notify: Callable[[Event], None],
        clock_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._notify = notify
        self._clock_s = clock_s
        self._wall_s = wall_s
        self._lock = threading.Lock()
        now_s = clock_s()
        self._camera = _Track(False, now_s)
        self._delegate = _Track(False, now_s)
        self._placeholder = _Track(False, now_s)
        self._level = _Track(0, now_s)

    def camera(self, state: str, reason: str | None = None) -> None:
        """Report what the camera does; only ``live`` and ``lost`` are news."""
        if state in ("live", "lost"):
            self._switch(self._camera, state == "lost", ("camera_back", "camera_lost"), reason)

    def delegate(self, *, is_lost: bool, reason: str | None = None) -> None:
        """Report whether the delegate that was asked for does the inference."""
        self._switch(self._delegate, is_lost, ("delegate_back", "delegate_lost"), reason)

    def picture(self, showing: Origin, reason: str | None = None) -> None:
        """Report what goes out; ``reason`` is the placeholder's. Another reason alone is no transition."""
        names: tuple[EventName, EventName] = ("placeholder_gone", "placeholder_shown")
        if showing == "placeholder":
            self._switch(self._placeholder, True, names, reason)
            self._placeholder.reason = reason
        else:
            self._switch(self._placeholder, False, names, self._placeholder.reason)

    def level(self, level: int, reason: str | None = None) -> None:
        """Report the quality level, 0 being full quality, and what it is for."""
        turned = self._turn(self._level, level)
        if turned is not None:
            previous, payload = turned
            extra = {"reason": reason, "level": level, "previous_level": previous}
            self._notify(Event("level_changed", {**payload, **extra}))

    def _switch(
        self, track: _Track[bool], is_on: bool, names: tuple[EventName, EventName], reason: str | None
    ) -> None:
        turned = self._turn(track, is_on)
        if turned is not None:
            self._notify(Event(names[is_on], {**turned[1], "reason": reason}))

    def _turn(self, track: _Track[T], state: T) -> tuple[T, dict[str, Any]] | None:
        """Note the state; if it is another one, what it was before and what there is to say of the time."""
        with self._lock:
            if track.state == state:
                return None
            now_s, previous = self._clock_s(), track.state
            lasted_s, track.state, track.began_s = now_s - track.began_s, state, now_s
        return previous, {"since": round(self._wall_s(), 3), "previous_lasted_s": round(lasted_s, 3)}

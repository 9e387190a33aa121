"""From the outlet to the sinks: what the first picture takes, and nothing besides."""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.demand import Demand
from scrim.core.endurance import SAFE_MODE_PARTY
from scrim.core.event_log import EventLog
from scrim.core.events import EventCount, Observers, StateWatch
from scrim.core.loops import OutletLoop, SinkLoop, say_goodbye, wait_for_placeholder
from scrim.core.outlet import Outlet
from scrim.core.privacy import HOST_PARTY, Privacy, Shutter
from scrim.core.sinks.base import Sink
from scrim.core.sinks.feed import FEED_NAME, FeedSink
from scrim.core.sinks.registry import make_sink
from scrim.core.watchdog import Watchdog
from scrim.core.workers import running
from scrim.frame import Caps
from scrim.local.feed import FeedWriter
from scrim.notify import notifier, watchdog_interval_s

if TYPE_CHECKING:
    from scrim.config import Settings

_HANG_S = 0.5
"""So long a picture may keep others waiting: a sink may hang."""


@dataclass(frozen=True, slots=True)
class Output:
    """From the outlet on: it runs first and stops last, so that there is always a picture."""

    caps: Caps
    outlet: Outlet
    feed: FeedWriter
    sinks: list[SinkLoop]
    loop: OutletLoop
    observers: Observers
    events: EventCount
    watch: StateWatch
    privacy: Privacy
    demand: Demand
    is_safe_mode: bool

    def wait_for_first_picture(self) -> None:
        """Until every sink has taken one, or could not; half a second at most."""
        deadline_s = time.monotonic() + _HANG_S
        for sink in self.sinks:
            sink.tried.wait(max(0.0, deadline_s - time.monotonic()))

    def wait_for_placeholder(self, since_ns: int) -> None:
        """Until every sink that is open has taken one painted since; half a second at most."""
        wait_for_placeholder(self.sinks, since_ns, _HANG_S)


def start_output(
    stack: ExitStack, settings: "Settings", listening: Iterable[object], *, is_safe_mode: bool
) -> Output:
    """Make everything from the outlet on, and let the placeholder play.

    Args:
        stack: stops it, in reverse.
        settings: that are in effect.
        listening: observers besides the core's own.
        is_safe_mode: keeps the camera closed.

    Raises:
        ScrimError: a sink cannot be made.
    """
    camera = settings.camera
    caps = Caps(camera.width, camera.height, camera.frame_rate)
    painter = PlaceholderPainter(caps.size)
    closed = Reason.SAFE_MODE if is_safe_mode else Reason.PRIVACY
    outlet = Outlet(painter, caps.frame_interval_s, closed=closed)
    privacy, demand = Privacy(outlet), Demand(is_on=camera.on_demand)
    privacy.switch(SAFE_MODE_PARTY).set_private(is_safe_mode)
    feed, observers = FeedWriter(), Observers()
    events = EventCount()
    for observer in (EventLog(), events, *listening):
        observers.add(observer)
    watch = StateWatch(observers.notify)
    notify = notifier()
    watchdog = Watchdog(notify, watchdog_interval_s())
    sinks = [
        SinkLoop(name, sink, caps, painter, watchdog.delivered)
        for name, sink in _sinks(settings, feed, Shutter(privacy, HOST_PARTY))
    ]
    watchdog.follow(sinks)
    loop = OutletLoop(outlet, [sink.mailbox for sink in sinks], watch)
    # Before any sink's thread: all of them want the placeholder at once, and each would draw it.
    loop.begin()
    stack.callback(notify, "STOPPING=1")
    for sink in sinks:
        stack.callback(sink.close)
        stack.enter_context(running(f"sink {sink.name}", sink.step, sink.stop))
    stack.enter_context(running("outlet", loop.step))
    stack.callback(say_goodbye, outlet, sinks)
    return Output(caps, outlet, feed, sinks, loop, observers, events, watch, privacy, demand, is_safe_mode)


def _sinks(settings: "Settings", feed: FeedWriter, shutter: Shutter) -> Iterator[tuple[str, Sink]]:
    """Each with its name, none of them open."""
    yield FEED_NAME, FeedSink(feed)
    for url in settings.sinks:
        yield url, make_sink(url, settings.gadget, shutter)

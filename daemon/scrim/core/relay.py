"""Observers of the core's own: what says that filtering has started, and what tells the local socket."""

from collections.abc import Callable
from typing import Any

from scrim.core.events import Event
from scrim.local.server import LocalServer


class FirstPicture:
    """Says once that filtering has started: when the first camera picture takes the placeholder's place."""

    def __init__(self, say: Callable[[], None]) -> None:
        self._say: Callable[[], None] | None = say

    def placeholder_gone(self, _payload: dict[str, Any]) -> None:
        """See :class:`scrim.core.events.Observers`."""
        say, self._say = self._say, None
        if say is not None:
            say()


class Relay:
    """Hands every event to whoever listens at the local socket."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    def any_event(self, event: Event) -> None:
        """See :class:`scrim.core.events.Observers`."""
        self._server.publish(event.name, **event.payload)

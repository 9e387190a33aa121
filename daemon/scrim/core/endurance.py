"""What keeps a core going for years: safe mode after crashes, a restart before memory runs out."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from scrim.core.changes import InEffect
from scrim.core.crashes import CrashRecord
from scrim.core.events import Event, memory_high
from scrim.core.remember import Memory
from scrim.core.state import settings_document
from scrim.rss_guard import RssGuard

if TYPE_CHECKING:
    from scrim.config import Settings

logger = logging.getLogger(__name__)

SAFE_MODE_PARTY = "safe mode"
"""Who wants the camera closed in safe mode."""


class Endurance:
    """Looks now and then at how long the core has lived, and at what it takes. Used from the main thread.

    Args:
        record: of the runs before.
        guard: of the memory.
        base: the local file's settings.
        memory: keeps what was changed at run time.
        in_effect: gives the settings now in effect.
        notify: is given events.
        restart: ends the core, to be started again; must not wait.
    """

    def __init__(
        self,
        record: CrashRecord,
        guard: RssGuard,
        base: "Settings",
        memory: Memory,
        in_effect: Callable[[], InEffect],
        notify: Callable[[Event], None],
        restart: Callable[[], None],
    ) -> None:
        self._record = record
        self._guard = guard
        self._base = base
        self._memory = memory
        self._in_effect = in_effect
        self._notify = notify
        self._restart = restart
        self._is_restarting = False

    def step(self) -> None:
        """Look; about four times a second."""
        if self._is_restarting:
            return
        in_effect = self._in_effect()
        if self._record.step(in_effect.revision, lambda: self._document(in_effect)):
            self._memory.note(in_effect)
        if self._record.is_over():
            self._end("core: safe mode is over; the camera is tried again")
        excess = self._guard.step()
        if excess is not None:
            self._notify(memory_high(excess.rss_mb, excess.limit_mb))
            self._end(f"core: {excess}; it is started again")

    def _end(self, why: str) -> None:
        logger.warning("%s", why)
        self._is_restarting = True
        self._restart()

    def _document(self, in_effect: InEffect) -> dict[str, object] | None:
        if not in_effect.is_remembered:
            return None
        return settings_document(self._base, in_effect.settings, in_effect.revision)

"""The gateway is started again, in order, before it takes more memory than it may."""

import asyncio
import logging

from scrim.journal import fields
from scrim.rss_guard import LOOK_S, RssGuard

log = logging.getLogger(__name__)

EVENT = "memory_high"
"""As the core calls it; the gateway's is told in the log only, for it is the gateway that tells of events."""


class Endurance:
    """Looks at the gateway's memory; a part of it.

    Args:
        guard: of the memory.
        stop: ends the gateway.

    Attributes:
        is_to_restart: the gateway is to be started again.
    """

    def __init__(self, guard: RssGuard, stop: asyncio.Event) -> None:
        self._guard = guard
        self._stop = stop
        self.is_to_restart = False

    async def run(self) -> None:
        """See :class:`scrim.gateway.part.Part`."""
        while (excess := self._guard.step()) is None:
            await asyncio.sleep(LOOK_S)
        numbers = {"rss_mb": round(excess.rss_mb, 1), "limit_mb": round(excess.limit_mb, 1)}
        log.warning("gateway: %s; it is started again", excess, extra=fields(EVENT, **numbers))
        self.is_to_restart = True
        self._stop.set()

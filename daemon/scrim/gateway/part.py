"""What the gateway's service runs side by side, so that no part's failure is another's."""

import asyncio
import logging
from typing import Protocol

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 60.0
"""The pause after a failure doubles from the first to this."""


class Part(Protocol):
    """A part of the gateway."""

    async def run(self) -> None:
        """Do its work until cancelled; returns when there is nothing to do here, which it has said."""


async def keep_running(part: Part) -> None:
    """Run a part; one that fails is logged and run again after a pause, the others do not notice."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            await part.run()
        except Exception:
            log.exception("%s failed; it is started again in %.0f s", type(part).__name__, pause_s)
        else:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LAST_PAUSE_S)

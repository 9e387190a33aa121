"""The gateway's sign of life: its loop turns."""

import asyncio

from scrim.notify import Notify

_SHARE = 0.25


class Heartbeat:
    """Feeds systemd's watchdog from the loop that does everything; a loop that hangs starves it.

    Args:
        notify: tells systemd.
        interval_s: how long systemd waits; None when it does not.
    """

    def __init__(self, notify: Notify, interval_s: float | None) -> None:
        self._notify = notify
        self._interval_s = interval_s

    async def run(self) -> None:
        """See :class:`scrim.gateway.part.Part`."""
        while self._interval_s is not None:
            self._notify("WATCHDOG=1")
            await asyncio.sleep(self._interval_s * _SHARE)

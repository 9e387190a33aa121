"""What may be asked of the device beside settings: the verbs behind ``cmd/``."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from scrim.errors import DeviceError, ScrimError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.identify import blink
from scrim.gateway.live_picture import LivePicture
from scrim.gateway.mqtt.answers import Answers, Request
from scrim.gateway.mqtt.bucket import Bucket
from scrim.gateway.mqtt.refusals import RefusalError

log = logging.getLogger(__name__)

RESTART_INTERVAL_S = 30.0
SNAPSHOT_INTERVAL_S = 2.0
SNAPSHOT_PX = 640
MOST_SPREAD_S = 3600.0
DEFAULT_SPREAD_S = 30.0
"""Of a restart of many: each waits a random part of this."""

_KEYS = frozenset({"v", "transaction", "spread_s"})

Snapshots = Literal["off", "on_request", "retained"]


class Commands:
    """Does what a verb says, and answers.

    Args:
        link: to the core.
        picture: what goes out.
        answers: tells.
        snapshots: whether stills may be sent.
        send_snapshot: publishes one.
        reset_statistics: lets the totals start anew.
        everything: publishes everything again, and says what an answer to ``get`` has.
        chance: a number in [0, 1) each time.
    """

    def __init__(
        self,
        link: CoreLink,
        picture: LivePicture,
        answers: Answers,
        snapshots: Snapshots,
        send_snapshot: Callable[[bytes], object],
        reset_statistics: Callable[[], None],
        everything: Callable[[], Mapping[str, Any]],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._link = link
        self._picture = picture
        self._answers = answers
        self._snapshots = snapshots
        self._send_snapshot = send_snapshot
        self._reset_statistics = reset_statistics
        self._everything = everything
        self._chance = chance
        self._restarts = Bucket(1 / RESTART_INTERVAL_S, 1)
        self._stills = Bucket(1 / SNAPSHOT_INTERVAL_S, 1)
        self._blinking = asyncio.Lock()
        self._restarting = asyncio.Lock()
        self._verbs: Mapping[str, Callable[[Request, Mapping[str, Any]], Awaitable[None]]] = {
            "restart": self._restart,
            "snapshot_take": self._snapshot_take,
            "identify": self._identify,
            "reset_statistics": self._reset,
            "get": self._get,
        }

    async def do(self, request: Request, document: Mapping[str, Any]) -> None:
        """Do one.

        Args:
            request: whose target names the verb.
            document: its payload.

        Raises:
            ScrimError: it cannot be done.
        """
        verb = self._verbs.get(request.target.name)
        if verb is None:
            name = request.target.name[:40]
            raise RefusalError("unsupported", f"{name!r} is no command; allowed is {', '.join(self._verbs)}")
        unknown = sorted(document.keys() - _KEYS)
        if unknown:
            raise RefusalError(
                "unknown_field", f"{unknown[0][:40]!r}: a command has at most {', '.join(sorted(_KEYS))}"
            )
        await verb(request, document)

    async def _restart(self, request: Request, document: Mapping[str, Any]) -> None:
        spread_s = _spread_s(document, 0.0 if request.target.scope == "own" else DEFAULT_SPREAD_S)
        if self._restarting.locked():
            raise RefusalError("busy", "a restart is on its way")
        if not self._restarts.take():
            raise RefusalError("rate_limited", f"one restart in {RESTART_INTERVAL_S:g} s at the most")
        async with self._restarting:
            wait_s = spread_s * self._chance()
            self._answers.done(request, in_s=round(wait_s, 1))
            await asyncio.sleep(wait_s)
            try:
                await self._link.request("restart")
            except ScrimError as error:
                log.warning("mqtt: no restart: %s", error)

    async def _snapshot_take(self, request: Request, _: Mapping[str, Any]) -> None:
        if self._snapshots == "off":
            raise RefusalError(
                "unsupported", "snapshots are off; mqtt.snapshots of the settings file says so"
            )
        if not self._stills.take():
            raise RefusalError("rate_limited", f"one still in {SNAPSHOT_INTERVAL_S:g} s at the most")
        jpeg = await self._picture.still(SNAPSHOT_PX)
        self._send_snapshot(jpeg)
        self._answers.done(request, bytes=len(jpeg))

    async def _identify(self, request: Request, _: Mapping[str, Any]) -> None:
        if self._blinking.locked():
            raise RefusalError("busy", "it blinks already")
        async with self._blinking:
            try:
                await blink()
            except DeviceError as error:
                raise RefusalError("unsupported", str(error)) from None
        self._answers.done(request)

    async def _reset(self, request: Request, _: Mapping[str, Any]) -> None:
        self._reset_statistics()
        self._answers.done(request)

    async def _get(self, request: Request, _: Mapping[str, Any]) -> None:
        self._answers.done(request, **self._everything())


def _spread_s(document: Mapping[str, Any], default_s: float) -> float:
    spread_s = document.get("spread_s", default_s)
    if (
        isinstance(spread_s, bool)
        or not isinstance(spread_s, int | float)
        or not 0 <= spread_s <= MOST_SPREAD_S
    ):
        raise RefusalError("out_of_range", f"spread_s must be 0 to {MOST_SPREAD_S:g}")
    return float(spread_s)

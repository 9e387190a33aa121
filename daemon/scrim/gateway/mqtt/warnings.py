"""The gateway's warnings, on their way to the broker."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scrim.gateway.mqtt.bucket import Bucket
from scrim.gateway.mqtt.payloads import SCHEMA

PER_MINUTE = 10
_MOST_TEXT = 500
_OURS = "scrim"


class Warnings(logging.Handler):
    """Hands warnings and worse to the loop that made it, at most ten a minute; any thread may log.

    Args:
        send: takes a message's JSON; called in the loop.
    """

    def __init__(self, send: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(logging.WARNING)
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._bucket = Bucket(PER_MINUTE / 60, PER_MINUTE)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one; called under the handler's lock."""
        if self._bucket.take() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._send, payload(record))


def payload(record: logging.LogRecord) -> dict[str, Any]:
    """A warning as it goes over the wire; never a traceback."""
    return {
        "v": SCHEMA,
        "level": record.levelname.lower(),
        "msg": record.getMessage()[:_MOST_TEXT],
        "ts": round(time.time(), 3),
    }


@contextlib.contextmanager
def told(send: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
    """Let every warning of scrim's go to ``send`` meanwhile."""
    handler = Warnings(send)
    logger = logging.getLogger(_OURS)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)

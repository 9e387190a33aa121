"""From paho's thread into the gateway's loop, with a bound."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send.

    Attributes:
        topic: where to.
        payload: empty takes a retained message away.
        qos: 0 or 1.
        retain: let the broker keep it.
        expiry_s: the broker forgets it after so many seconds; only MQTT 5 knows this.
        correlation: of the request that this answers.
        user: properties for readers that do not want to parse the payload.
        is_urgent: False is dropped first when there is no room.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    correlation: bytes | None = None
    user: tuple[tuple[str, str], ...] = ()
    is_urgent: bool = True


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in.

    Attributes:
        topic: where it came in.
        payload: as it came, bounded.
        is_retained: the broker had kept it.
        response_topic: where the sender would like its answer.
        correlation: what the sender would like to see in the answer.
    """

    topic: str
    payload: bytes
    is_retained: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


class Mailbox(Generic[T]):
    """Any thread puts, one task takes. What does not fit is dropped and counted.

    Args:
        most: so many fit.
        most_bytes: and not more than this, as ``size_of`` counts.
        size_of: bytes of one.

    Attributes:
        dropped: since the start.
    """

    def __init__(self, most: int, most_bytes: int = 0, size_of: Callable[[T], int] = lambda _: 0) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._size_of = size_of
        self._bytes = 0
        self._lock = threading.Lock()
        self._waiting: deque[T] = deque()
        self._filled = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Put one, from any thread; whether it fitted."""
        with self._lock:
            size = self._size_of(item)
            if len(self._waiting) >= self._most or (self._waiting and self._bytes + size > self._most_bytes):
                self.dropped += 1
                return False
            was_empty = not self._waiting
            self._waiting.append(item)
            self._bytes += size
        if was_empty and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)
        return True

    async def take(self) -> T:
        """Wait for the oldest."""
        while True:
            with self._lock:
                if self._waiting:
                    item = self._waiting.popleft()
                    self._bytes -= self._size_of(item)
                    return item
                self._filled.clear()
            await self._filled.wait()

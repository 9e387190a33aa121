"""A gadget's node without a kernel, with a host at its other end that does as it is told."""

import errno
import os
import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from scrim.core.gadget_node import GADGET_DRIVER, EventKind, HostEvent
from scrim.core.videodev2 import Capability, Direction, Format
from scrim.frame import Plane
from scrim.uvc.offers import Offers, Speed, picture_bytes

_PATIENCE_S = 20.0


class FakeGadgetNode:
    """Behaves as the kernel's UVC function, with the host's side as methods named ``host_...``.

    The host's methods are called from another thread than the node's, and wait for what they cause.

    Args:
        offers: what the gadget was set up with.
        driver: what it says it is.

    Attributes:
        failures: method name to the errno it raises from now on.
        is_open: False after ``close``.
        responses: answers that ``host_ask`` did not fetch.
        is_streaming: between ``start`` and ``stop``.
        takes_pictures: False: the host sleeps, and no buffer comes back.
        pictures: what the host got, the newest eight, each with its FourCC and size.
    """

    def __init__(self, offers: Offers, driver: str = GADGET_DRIVER) -> None:
        self._offers = offers
        self._driver = driver
        self._changed = threading.Condition()
        self._events: deque[HostEvent] = deque()
        self.responses: deque[bytes | None] = deque()
        self._format = Format("YUYV", (320, 240), 640, 320 * 240 * 2)
        self._memory: list[Plane] = []
        self._done: deque[int] = deque()
        self._queued: deque[tuple[int, int]] = deque()
        self._is_woken = False
        self._speed = Speed.UNKNOWN
        self.failures: dict[str, int] = {}
        self.is_open = True
        self.is_connected = False
        self.is_streaming = False
        self.takes_pictures = True
        self.pictures: deque[tuple[str, tuple[int, int], bytes]] = deque(maxlen=8)

    # The host's side.

    def host_event(self, *events: HostEvent) -> None:
        """Something happens, all of it at once, whether or not anybody answers."""
        with self._changed:
            self._events.extend(events)
            self._changed.notify_all()

    def host_plug(self, speed: Speed = Speed.HIGH) -> None:
        """The cable is plugged in; waits until the camera shows itself."""
        self._wait_for(lambda: self.is_connected)
        self._speed = speed
        self.host_event(HostEvent(EventKind.CONNECT, speed=speed))

    def host_replug_silently(self, speed: Speed) -> None:
        """A cable is plugged in again after it was pulled out of a stream: the kernel tells nothing."""
        self._speed = speed

    def host_fail(self, method: str, number: int) -> None:
        """From now on a method of the node raises."""
        with self._changed:
            self.failures[method] = number
            self._changed.notify_all()

    def host_wake(self) -> None:
        """A host that slept takes what waits for it."""
        with self._changed:
            self.takes_pictures = True
            self._deliver()

    def host_unplug(self) -> None:
        """The cable is pulled out: what was under way is thrown away."""
        self._speed = Speed.UNKNOWN
        self.failures["queue"] = errno.ENODEV
        self.host_event(HostEvent(EventKind.DISCONNECT))

    def host_ask(self, packet: bytes) -> bytes | None:
        """Send a set-up packet; the answer, None for a refusal."""
        with self._changed:
            self.responses.clear()
        self.host_event(HostEvent(EventKind.SETUP, packet))
        self._wait_for(lambda: bool(self.responses))
        return self.responses.popleft()

    def host_send(self, packet: bytes, data: bytes) -> bool:
        """Send a set-up packet and, unless it is refused, its data; whether it was taken."""
        if self.host_ask(packet) is None:
            return False
        self.host_event(HostEvent(EventKind.DATA, data))
        return True

    def host_start(self) -> None:
        """Select the streaming setting; waits until it is granted."""
        self.host_event(HostEvent(EventKind.STREAM_ON))
        self._wait_for(lambda: self.is_streaming)

    def host_stop(self) -> None:
        """Select the idle setting; waits until it is granted."""
        self.host_event(HostEvent(EventKind.STREAM_OFF))
        self._wait_for(lambda: not self.is_streaming)

    def host_picture(self) -> tuple[str, tuple[int, int], bytes]:
        """Wait for the oldest picture that was not fetched yet."""
        self._wait_for(lambda: bool(self.pictures))
        return self.pictures.popleft()

    # The node.

    def capability(self) -> Capability:
        """A gadget's node."""
        self._may("capability")
        return Capability(self._driver, "fake_udc", 0x0400_0002)

    def formats(self, direction: Direction) -> list[str]:
        """As constructed."""
        return [offer.fourcc for offer in self._offers.formats] if direction is Direction.OUTPUT else []

    def nearest_size(self, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:  # noqa: ARG002
        """As constructed."""
        frames = (offer.frames for offer in self._offers.formats if offer.fourcc == fourcc)
        return [frame.size for frame in next(frames, ())]

    def set_format(self, direction: Direction, fourcc: str, size: tuple[int, int]) -> Format:
        """Takes what it was set up with, the first size for another; EINVAL for another format."""
        self._may("set_format")
        sizes = self.nearest_size(fourcc, size)
        if direction is not Direction.OUTPUT or not sizes:
            raise _refusal(errno.EINVAL)
        given = size if size in sizes else sizes[0]
        size_bytes = picture_bytes("YUYV" if fourcc == "YUYV" else "MJPG", given)
        self._format = Format(fourcc, given, given[0] * 2 if fourcc == "YUYV" else 0, size_bytes)
        return self._format

    def connect(self) -> None:
        """Let ``host_plug`` go on."""
        self._may("connect")
        with self._changed:
            self.is_connected = True
            self._changed.notify_all()

    def speed(self) -> Speed:
        """Of the last plug."""
        return self._speed

    def wait(self, limit_s: float) -> bool:
        """Wait until there is an event, or ``wake`` is called."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._is_woken or self.failures, limit_s)
            is_ready = bool(self._events) or self._is_woken
            self._is_woken = False
            return is_ready

    def wake(self) -> None:
        """Get a thread out of ``wait``."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def events(self) -> list[HostEvent]:
        """All that happened."""
        self._may("events")
        with self._changed:
            found = list(self._events)
            self._events.clear()
            return found

    def respond(self, answer: bytes | None) -> None:
        """Hand the answer to ``host_ask``."""
        self._may("respond")
        with self._changed:
            self.responses.append(answer)
            self._changed.notify_all()

    def allocate(self, buffers: int) -> int:
        """Make buffers."""
        self._may("allocate")
        self._memory = [np.zeros(self._format.size_bytes, np.uint8) for _ in range(buffers)]
        return buffers

    def memory(self, index: int) -> Plane:
        """A buffer."""
        return self._memory[index]

    def queue(self, index: int, used_bytes: int) -> None:
        """Hand a picture to the host, which takes it at once while it streams."""
        self._may("queue")
        if used_bytes > self._memory[index].size:
            raise _refusal(errno.EINVAL)
        with self._changed:
            self._queued.append((index, used_bytes))
            self._deliver()

    def dequeue(self) -> int | None:
        """A buffer that the host took."""
        self._may("dequeue")
        return self._done.popleft() if self._done else None

    def start(self) -> None:
        """Let the host take pictures."""
        self._may("start")
        with self._changed:
            self.is_streaming = True
            self._deliver()
            self._changed.notify_all()

    def stop(self) -> None:
        """Throw away what is queued."""
        with self._changed:
            self.is_streaming = False
            self._queued.clear()
            self._done.clear()
            self._memory.clear()
            self.failures.pop("queue", None)
            self._changed.notify_all()
        self._may("stop")

    def close(self) -> None:
        """Let the node go."""
        with self._changed:
            self.is_open = self.is_connected = self.is_streaming = False
            self._changed.notify_all()

    def _may(self, method: str) -> None:
        if method in self.failures:
            raise _refusal(self.failures[method])

    def _deliver(self) -> None:
        while self._queued and self.is_streaming and self.takes_pictures:
            index, used = self._queued.popleft()
            self.pictures.append(
                (self._format.fourcc, self._format.size, self._memory[index][:used].tobytes())
            )
            self._done.append(index)
            self._changed.notify_all()

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, _PATIENCE_S):
                raise TimeoutError("the camera did not do its part")


def _refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))

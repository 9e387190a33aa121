"""The video node of a USB gadget: pictures out, a host's requests in, answers back.

A :class:`GadgetNode` does what the kernel's UVC function does and raises OSError as it does.
:class:`UVCGadgetNode` is the real one; :mod:`scrim.core.gadget_node_fake` has one with a host at the other
end, without a kernel.
"""

import contextlib
import ctypes
import mmap
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import videodev2 as v4l2

from scrim.core.videodev2 import Capability, Direction, Format, VideoNode, control
from scrim.frame import Plane
from scrim.uvc import FUNCTION_NAME
from scrim.uvc.offers import Speed
from scrim.uvc.requests import MAX_DATA_BYTES, SETUP_BYTES

GADGET_DRIVER = "g_uvc"
"""What the kernel's UVC function answers to QUERYCAP."""

_SYSFS = Path("/sys/class/video4linux")
_SPEEDS = {
    "full-speed": Speed.FULL,
    "high-speed": Speed.HIGH,
    "super-speed": Speed.SUPER,
    "super-speed-plus": Speed.SUPER_PLUS,
}
_MOST_EVENTS = 32
"""Fetched at once; the kernel keeps two of each kind."""


class EventKind(IntEnum):
    """What the kernel tells of the host (g_uvc.h)."""

    CONNECT = v4l2.V4L2_EVENT_PRIVATE_START
    DISCONNECT = v4l2.V4L2_EVENT_PRIVATE_START + 1
    STREAM_ON = v4l2.V4L2_EVENT_PRIVATE_START + 2
    STREAM_OFF = v4l2.V4L2_EVENT_PRIVATE_START + 3
    SETUP = v4l2.V4L2_EVENT_PRIVATE_START + 4
    DATA = v4l2.V4L2_EVENT_PRIVATE_START + 5


@dataclass(frozen=True, slots=True)
class HostEvent:
    """One thing that the host did.

    Attributes:
        kind: what.
        data: of SETUP the packet, of DATA the bytes that came; else empty.
        speed: of the bus at CONNECT.
    """

    kind: EventKind
    data: bytes = b""
    speed: Speed = Speed.UNKNOWN


class GadgetNode(Protocol):
    """An open node of a UVC gadget. Every method raises OSError when the kernel refuses."""

    def capability(self) -> Capability:
        """Who is there and what it can."""

    def formats(self, direction: Direction) -> list[str]:
        """FourCCs that the gadget was set up with, in the order in which hosts count them."""

    def nearest_size(self, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:
        """The sizes of a format, in the order in which hosts count them."""

    def set_format(self, direction: Direction, fourcc: str, size: tuple[int, int]) -> Format:
        """Say what pictures will come."""

    def connect(self) -> None:
        """Show the camera to the host; its requests come as events from now on."""

    def speed(self) -> Speed:
        """Of the bus at present; UNKNOWN without a host."""

    def wait(self, limit_s: float) -> bool:
        """Wait until there is an event, or ``wake`` is called; False when the time ran out."""

    def wake(self) -> None:
        """Get a thread out of ``wait``. From any thread."""

    def events(self) -> list[HostEvent]:
        """Fetch all that happened, the oldest first."""

    def respond(self, answer: bytes | None) -> None:
        """Answer the last SETUP: these bytes; or, where the host sends data, take as many. None refuses."""

    def allocate(self, buffers: int) -> int:
        """Map buffers for pictures of the format that was set; how many there are."""

    def memory(self, index: int) -> Plane:
        """A buffer, shape (bytes,), to be written while it is not queued; until ``stop``."""

    def queue(self, index: int, used_bytes: int) -> None:
        """Send a buffer's first bytes as one picture. ENODEV: the host is gone."""

    def dequeue(self) -> int | None:
        """A buffer that was sent or thrown away; None while all are under way."""

    def start(self) -> None:
        """Start sending what is queued; the host's request to start is granted by it."""

    def stop(self) -> None:
        """Stop sending and let the buffers go."""

    def close(self) -> None:
        """Let the node go; the host sees the camera vanish."""


GadgetOpener = Callable[[str], GadgetNode]
"""Opens the node at a path; raises OSError."""


class UVCGadgetNode:
    """A real node.

    Args:
        path: such as ``/dev/video0``.
        sysfs: where the kernel tells of video nodes.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, sysfs: Path = _SYSFS) -> None:
        self._node = VideoNode(path)
        self._device = sysfs / Path(path).name / "device"
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._node.fileno(), select.POLLPRI)
        self._poll.register(self._wake_fd, select.POLLIN)
        self._mapped: list[mmap.mmap] = []
        self._memory: list[Plane] = []
        self.capability = self._node.capability
        self.formats = self._node.formats
        self.nearest_size = self._node.nearest_size
        self.set_format = self._node.set_format

    def connect(self) -> None:
        """Show the camera to the host."""
        for kind in EventKind:
            self._ioctl(v4l2.VIDIOC_SUBSCRIBE_EVENT, v4l2.v4l2_event_subscription(type=kind))

    def speed(self) -> Speed:
        """Of the bus at present; UNKNOWN without a host."""
        for file in self._device.glob("../udc/*/current_speed"):
            with contextlib.suppress(OSError):
                return _SPEEDS.get(file.read_text(encoding="ascii", errors="replace").strip(), Speed.UNKNOWN)
        return Speed.UNKNOWN

    def wait(self, limit_s: float) -> bool:
        """Wait until there is an event, or ``wake`` is called; False when the time ran out."""
        ready = dict(self._poll.poll(limit_s * 1000))
        if self._wake_fd in ready:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake_fd)
        return bool(ready)

    def wake(self) -> None:
        """Get a thread out of ``wait``."""
        os.eventfd_write(self._wake_fd, 1)

    def events(self) -> list[HostEvent]:
        """Fetch all that happened, the oldest first."""
        found: list[HostEvent] = []
        event = v4l2.v4l2_event()
        while len(found) < _MOST_EVENTS:
            try:
                self._ioctl(v4l2.VIDIOC_DQEVENT, event)
            except FileNotFoundError:
                break
            found.append(_host_event(event.type, bytes(event.u.data)))
        return found

    def respond(self, answer: bytes | None) -> None:
        """Answer the last SETUP."""
        data = answer or b""
        length = -1 if answer is None else len(data)
        response = _RequestData(length, (ctypes.c_uint8 * MAX_DATA_BYTES)(*data[:MAX_DATA_BYTES]))
        self._ioctl(_SEND_RESPONSE, response)

    def allocate(self, buffers: int) -> int:
        """Map buffers for pictures of the format that was set; how many there are."""
        count = self._request(buffers)
        for index in range(count):
            buffer = _buffer(index)
            self._ioctl(v4l2.VIDIOC_QUERYBUF, buffer)
            offset = int(buffer.m.offset)
            mapped = mmap.mmap(self._node.fileno(), buffer.length, mmap.MAP_SHARED, offset=offset)
            self._mapped.append(mapped)
            self._memory.append(np.frombuffer(mapped, np.uint8))
        return count

    def memory(self, index: int) -> Plane:
        """A buffer, shape (bytes,), to be written while it is not queued."""
        return self._memory[index]

    def queue(self, index: int, used_bytes: int) -> None:
        """Send a buffer's first bytes as one picture."""
        self._ioctl(v4l2.VIDIOC_QBUF, _buffer(index, used_bytes))

    def dequeue(self) -> int | None:
        """A buffer that was sent or thrown away; None while all are under way."""
        buffer = _buffer(0)
        try:
            self._ioctl(v4l2.VIDIOC_DQBUF, buffer)
        except BlockingIOError:
            return None
        return int(buffer.index)

    def start(self) -> None:
        """Start sending what is queued."""
        self._ioctl(v4l2.VIDIOC_STREAMON, ctypes.c_int(Direction.OUTPUT))

    def stop(self) -> None:
        """Stop sending and let the buffers go."""
        try:
            self._ioctl(v4l2.VIDIOC_STREAMOFF, ctypes.c_int(Direction.OUTPUT))
        finally:
            self._unmap()
        self._request(0)

    def close(self) -> None:
        """Let the node go."""
        self._unmap()
        if self._wake_fd >= 0:
            os.close(self._wake_fd)
            self._wake_fd = -1
        self._node.close()

    def _request(self, buffers: int) -> int:
        request = v4l2.v4l2_requestbuffers(count=buffers, type=Direction.OUTPUT, memory=v4l2.V4L2_MEMORY_MMAP)
        self._ioctl(v4l2.VIDIOC_REQBUFS, request)
        return int(request.count)

    def _unmap(self) -> None:
        self._memory.clear()
        for mapped in self._mapped:
            # Where somebody still looks at the memory it goes when they do.
            with contextlib.suppress(BufferError):
                mapped.close()
        self._mapped.clear()

    def _ioctl(self, request: int, argument: Any) -> None:  # noqa: ANN401  (any ctypes structure)
        control(self._node.fileno(), request, argument)


def find_gadget(sysfs: Path = _SYSFS) -> str | None:
    """Path of the node of ``scrim gadget up``, or of another UVC gadget; None when none is set up.

    Only a gadget's node has the attribute ``function_name``: no node needs to be opened to find it.
    """
    found = sorted(
        (_function_name(file) != FUNCTION_NAME, file) for file in sysfs.glob("video*/function_name")
    )
    return f"/dev/{found[0][1].parent.name}" if found else None


def _function_name(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _host_event(kind: int, data: bytes) -> HostEvent:
    match kind:
        case EventKind.SETUP:
            return HostEvent(EventKind.SETUP, data[:SETUP_BYTES])
        case EventKind.DATA:
            length = int.from_bytes(data[:4], "little", signed=True)
            return HostEvent(EventKind.DATA, data[4 : 4 + max(0, min(length, MAX_DATA_BYTES))])
        case EventKind.CONNECT:
            number = int.from_bytes(data[:4], "little")
            return HostEvent(
                EventKind.CONNECT, speed=Speed(number) if number in _SPEED_NUMBERS else Speed.UNKNOWN
            )
        case _:
            return HostEvent(EventKind(kind))


def _buffer(index: int, used_bytes: int = 0) -> Any:  # noqa: ANN401  (videodev2 has no types)
    return v4l2.v4l2_buffer(
        index=index,
        type=Direction.OUTPUT,
        memory=v4l2.V4L2_MEMORY_MMAP,
        bytesused=used_bytes,
        field=v4l2.V4L2_FIELD_NONE,
    )


class _RequestData(ctypes.Structure):
    """``struct uvc_request_data``."""

    _fields_ = (("length", ctypes.c_int32), ("data", ctypes.c_uint8 * MAX_DATA_BYTES))


_SEND_RESPONSE = 1 << 30 | ctypes.sizeof(_RequestData) << 16 | ord("U") << 8 | 1
"""``UVCIOC_SEND_RESPONSE``: _IOW('U', 1, struct uvc_request_data)."""

_SPEED_NUMBERS = frozenset(Speed)

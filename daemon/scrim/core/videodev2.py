"""Video4Linux2 nodes: the one place that makes ioctls.

A :class:`Node` does what the driver does and raises OSError as the driver does; what an error means to a
person is told by :mod:`scrim.core.node_errors`. :class:`VideoNode` is the real one;
:mod:`scrim.core.videodev2_fake` has some without a kernel.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import videodev2 as v4l2

from scrim.core import loopback, node_offers
from scrim.core.node_controls import Control, controls_of, set_control
from scrim.core.node_offers import fourcc_number, fourcc_text
from scrim.frame import Plane

LOOPBACK_DRIVER = "v4l2 loopback"
"""What v4l2loopback answers to QUERYCAP."""


class Direction(IntEnum):
    """Which way pictures go, as V4L2's buffer types number it."""

    CAPTURE = v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE
    OUTPUT = v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT


@dataclass(frozen=True, slots=True)
class Capability:
    """QUERYCAP's answer.

    Attributes:
        driver: such as ``uvcvideo``.
        card: what the device calls itself.
        flags: ``V4L2_CAP_*`` of this node.
    """

    driver: str
    card: str
    flags: int

    @property
    def captures(self) -> bool:
        """Whether it is a camera that needs nothing but a format to stream."""
        wanted = v4l2.V4L2_CAP_VIDEO_CAPTURE | v4l2.V4L2_CAP_STREAMING
        return self.flags & wanted == wanted and not self.flags & v4l2.V4L2_CAP_IO_MC

    @property
    def takes_output(self) -> bool:
        """Whether pictures can be written to it."""
        return bool(self.flags & v4l2.V4L2_CAP_VIDEO_OUTPUT)


@dataclass(frozen=True, slots=True)
class Format:
    """S_FMT's answer: what the driver made of the wish.

    Attributes:
        fourcc: pixel format, such as ``YUYV``.
        size: (width, height) in pixels.
        stride: bytes from one row to the next; 0 for compressed formats.
        size_bytes: the most a picture takes.
    """

    fourcc: str
    size: tuple[int, int]
    stride: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Filled:
    """One captured picture, in the driver's memory until its buffer is queued again.

    Attributes:
        index: of the buffer.
        data: shape (bytes used,), read-only.
        pts_ns: when it was taken, ns of CLOCK_MONOTONIC; None when the driver uses another clock.
        damaged: the driver says that the data are not to be trusted.
    """

    index: int
    data: Plane
    pts_ns: int | None
    damaged: bool


class Node(Protocol):
    """An open video node. Every method raises OSError when the driver refuses."""

    def capability(self) -> Capability:
        """Who is there and what it can."""

    def formats(self, direction: Direction) -> list[str]:
        """FourCCs, in the driver's order."""

    def nearest_size(self, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:
        """The sizes offered for ``fourcc``; of a range, the one nearest to ``wanted``; none when not told."""

    def highest_rate(self, fourcc: str, size: tuple[int, int]) -> float:
        """The most frames per second offered; 0 when not told."""

    def set_format(self, direction: Direction, fourcc: str, size: tuple[int, int]) -> Format:
        """Ask for a format; the answer may differ from the wish."""

    def set_frame_rate(self, direction: Direction, frame_rate: float) -> float:
        """Ask for a frame rate; the answer is what it will be."""

    def controls(self) -> list[Control]:
        """What can be turned, in the driver's order."""

    def set_control(self, number: int, value: int) -> None:
        """Give a control a value."""

    def start(self, buffers: int) -> None:
        """Map buffers, queue them all, start streaming."""

    def ready(self, limit_s: float) -> bool:
        """Wait until a picture or an error can be fetched; False when none came in time."""

    def dequeue(self) -> Filled:
        """Fetch the oldest picture."""

    def queue(self, index: int) -> None:
        """Give a buffer back; arrays that look at it are not to be used any more."""

    def claim_output(self) -> None:
        """Start streaming to it, without buffers: pictures are written."""

    def write(self, data: Plane, limit_s: float) -> int:
        """Write one picture at once, waiting up to ``limit_s`` for room; the bytes taken, 0 when in vain."""

    def show_when_silent(self, picture: Plane, given: Format, after_ms: int) -> None:
        """Have a loopback device show ``picture``, in its format, when nothing was written for so long."""

    def tell_of_readers(self) -> bool:
        """Ask a loopback device to tell who reads it; whether it does so."""

    def readers(self) -> int | None:
        """How many read, as it told since the last time; None where it told nothing."""

    def stop(self) -> None:
        """Stop streaming and let the buffers go."""

    def close(self) -> None:
        """Let the node go."""


NodeOpener = Callable[[str], Node]
"""Opens the node at a path; raises OSError."""


class VideoNode:
    """A real node.

    Args:
        path: such as ``/dev/video0``.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._maps: list[mmap.mmap] = []
        self._arrays: list[Plane] = []

    def capability(self) -> Capability:
        """Who is there and what it can."""
        answer = v4l2.v4l2_capability()
        self._ioctl(v4l2.VIDIOC_QUERYCAP, answer)
        has_own = answer.capabilities & v4l2.V4L2_CAP_DEVICE_CAPS
        flags = answer.device_caps if has_own else answer.capabilities
        return Capability(_text(answer.driver), _text(answer.card), int(flags))

    def formats(self, direction: Direction) -> list[str]:
        """FourCCs, in the driver's order."""
        return node_offers.formats(self._ioctl, direction)

    def nearest_size(self, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:
        """The sizes offered for ``fourcc``; of a range, the one nearest to ``wanted``; none when not told."""
        return node_offers.nearest_size(self._ioctl, fourcc, wanted)

    def highest_rate(self, fourcc: str, size: tuple[int, int]) -> float:
        """The most frames per second offered; 0 when not told."""
        return node_offers.highest_rate(self._ioctl, fourcc, size)

    def set_format(self, direction: Direction, fourcc: str, size: tuple[int, int]) -> Format:
        """Ask for a format; the answer may differ from the wish."""
        wish = v4l2.v4l2_format(type=direction)
        pix = wish.fmt.pix
        pix.width, pix.height = size
        pix.pixelformat = fourcc_number(fourcc)
        pix.field = v4l2.V4L2_FIELD_NONE
        if direction is Direction.OUTPUT:
            pix.bytesperline = size[0] * (2 if fourcc == "YUYV" else 1)
            pix.sizeimage = size[0] * size[1] * (4 if fourcc == "YUYV" else 3) // 2
            pix.colorspace = v4l2.V4L2_COLORSPACE_SRGB
        self._ioctl(v4l2.VIDIOC_S_FMT, wish)
        return Format(
            fourcc_text(pix.pixelformat),
            (int(pix.width), int(pix.height)),
            int(pix.bytesperline),
            int(pix.sizeimage),
        )

    def set_frame_rate(self, direction: Direction, frame_rate: float) -> float:
        """Ask for a frame rate; the answer is what it will be, the wish where the driver has no say."""
        wish = v4l2.v4l2_streamparm(type=direction)
        try:
            self._ioctl(v4l2.VIDIOC_G_PARM, wish)
        except OSError as error:
            if error.errno == errno.ENOTTY:
                return frame_rate
            raise
        part = wish.parm.capture if direction is Direction.CAPTURE else wish.parm.output
        interval = part.timeperframe
        if part.capability & v4l2.V4L2_CAP_TIMEPERFRAME:
            interval.numerator, interval.denominator = 1000, round(frame_rate * 1000)
            self._ioctl(v4l2.VIDIOC_S_PARM, wish)
        return interval.denominator / interval.numerator if interval.numerator else frame_rate

    def controls(self) -> list[Control]:
        """What can be turned, in the driver's order."""
        return controls_of(self._ioctl)

    def set_control(self, number: int, value: int) -> None:
        """Give a control a value."""
        set_control(self._ioctl, number, value)

    def start(self, buffers: int) -> None:
        """Map buffers, queue them all, start streaming."""
        request = v4l2.v4l2_requestbuffers(
            count=buffers, type=Direction.CAPTURE, memory=v4l2.V4L2_MEMORY_MMAP
        )
        self._ioctl(v4l2.VIDIOC_REQBUFS, request)
        for index in range(request.count):
            buffer = self._buffer(index)
            self._ioctl(v4l2.VIDIOC_QUERYBUF, buffer)
            mapped = mmap.mmap(
                self._fd, buffer.length, mmap.MAP_SHARED, mmap.PROT_READ, offset=int(buffer.m.offset)
            )
            self._maps.append(mapped)
            self._arrays.append(np.frombuffer(mapped, np.uint8))
            self.queue(index)
        self._ioctl(v4l2.VIDIOC_STREAMON, ctypes.c_int(Direction.CAPTURE))

    def ready(self, limit_s: float) -> bool:
        """Wait until a picture or an error can be fetched; False when none came in time."""
        return bool(self._poll(select.POLLIN, limit_s))

    def dequeue(self) -> Filled:
        """Fetch the oldest picture."""
        buffer = self._buffer(0)
        self._ioctl(v4l2.VIDIOC_DQBUF, buffer)
        clock = buffer.flags & v4l2.V4L2_BUF_FLAG_TIMESTAMP_MASK
        stamp = buffer.timestamp
        pts_ns = int(stamp.tv_sec) * 1_000_000_000 + int(stamp.tv_usec) * 1_000
        return Filled(
            int(buffer.index),
            self._arrays[buffer.index][: buffer.bytesused],
            pts_ns if clock == v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC else None,
            bool(buffer.flags & v4l2.V4L2_BUF_FLAG_ERROR),
        )

    def queue(self, index: int) -> None:
        """Give a buffer back; arrays that look at it are not to be used any more."""
        self._ioctl(v4l2.VIDIOC_QBUF, self._buffer(index))

    def claim_output(self) -> None:
        """Start streaming to it, without buffers: pictures are written."""
        self._ioctl(v4l2.VIDIOC_STREAMON, ctypes.c_int(Direction.OUTPUT))

    def write(self, data: Plane, limit_s: float) -> int:
        """Write one picture at once, waiting up to ``limit_s`` for room; the bytes taken, 0 when in vain."""
        try:
            return os.write(self._fd, data.data)
        except BlockingIOError:
            pass
        self._poll(select.POLLOUT, limit_s)
        try:
            return os.write(self._fd, data.data)
        except BlockingIOError:
            return 0

    def show_when_silent(self, picture: Plane, given: Format, after_ms: int) -> None:
        """Have a loopback device show ``picture``, in its format, when nothing was written for so long."""
        self.set_control(loopback.TIMEOUT_IMAGE, 1)
        provider = VideoNode(self._path)
        try:
            provider.set_format(Direction.OUTPUT, given.fourcc, given.size)
            loopback.provide_image(provider._ioctl, provider.fileno(), picture)
        finally:
            provider.close()
        self.set_control(loopback.TIMEOUT_MS, after_ms)

    def tell_of_readers(self) -> bool:
        """Ask a loopback device to tell who reads it; whether it does so."""
        return loopback.subscribe(self._ioctl)

    def readers(self) -> int | None:
        """How many read, as it told since the last time; None where it told nothing."""
        return loopback.newest(self._ioctl)

    def stop(self) -> None:
        """Stop streaming and let the buffers go."""
        self._arrays.clear()
        try:
            self._ioctl(v4l2.VIDIOC_STREAMOFF, ctypes.c_int(Direction.CAPTURE))
        finally:
            for mapped in self._maps:
                _unmap(mapped)
            self._maps.clear()

    def close(self) -> None:
        """Let the node go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def fileno(self) -> int:
        """The file descriptor; -1 after ``close``."""
        return self._fd

    def _ioctl(self, request: int, argument: Any) -> None:  # noqa: ANN401  (any ctypes structure)
        control(self._fd, request, argument)

    def _buffer(self, index: int) -> Any:  # noqa: ANN401  (videodev2 has no types)
        return v4l2.v4l2_buffer(index=index, type=Direction.CAPTURE, memory=v4l2.V4L2_MEMORY_MMAP)

    def _poll(self, events: int, limit_s: float) -> int:
        poll = select.poll()
        poll.register(self._fd, events)
        return sum(event for _, event in poll.poll(limit_s * 1000))


def control(fd: int, request: int, argument: Any) -> None:  # noqa: ANN401  (any ctypes structure)
    """Make an ioctl, again when a signal interrupts it; raises OSError."""
    while True:
        try:
            fcntl.ioctl(fd, request, argument)
        except InterruptedError:
            continue
        return


def _unmap(mapped: mmap.mmap) -> None:
    try:
        mapped.close()
    except BufferError:
        # Somebody still looks at a picture of a camera that is gone; the memory goes when they do.
        return


def _text(characters: Any) -> str:  # noqa: ANN401  (a ctypes array)
    return bytes(characters).split(b"\0", 1)[0].decode("utf-8", "replace")

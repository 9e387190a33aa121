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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import videodev2 as v4l2

from scrim.core import loopback_events
from scrim.core.node_controls import Control, controls_of, set_control
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

    def write(self, data: Plane, limit_s: float) -> int:
        """Write one picture at once, waiting up to ``limit_s`` for room; the bytes taken, 0 when in vain."""

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
        descriptions = self._enumerate(
            v4l2.VIDIOC_ENUM_FMT, lambda index: v4l2.v4l2_fmtdesc(index=index, type=direction)
        )
        return [fourcc_text(description.pixelformat) for description in descriptions]

    def nearest_size(self, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:
        """The sizes offered for ``fourcc``; of a range, the one nearest to ``wanted``; none when not told."""
        offers = self._enumerate(
            ENUM_FRAMESIZES, lambda index: FrameSizeOffer(index=index, pixel_format=fourcc_number(fourcc))
        )
        sizes = []
        for offer in offers:
            if offer.type == v4l2.V4L2_FRMSIZE_TYPE_DISCRETE:
                sizes.append((int(offer.u.discrete.width), int(offer.u.discrete.height)))
                continue
            steps = offer.u.stepwise
            width = _on_step(wanted[0], steps.min_width, steps.max_width, steps.step_width)
            height = _on_step(wanted[1], steps.min_height, steps.max_height, steps.step_height)
            return [(width, height)]
        return sizes

    def highest_rate(self, fourcc: str, size: tuple[int, int]) -> float:
        """The most frames per second offered; 0 when not told."""
        number = fourcc_number(fourcc)
        offers = self._enumerate(
            ENUM_FRAMEINTERVALS,
            lambda index: FrameIntervalOffer(index=index, pixel_format=number, width=size[0], height=size[1]),
        )
        rates = [0.0]
        for offer in offers:
            discrete = offer.type == v4l2.V4L2_FRMIVAL_TYPE_DISCRETE
            shortest = offer.u.discrete if discrete else offer.u.stepwise.min
            if shortest.numerator:
                rates.append(shortest.denominator / shortest.numerator)
            if not discrete:
                break
        return max(rates)

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

    def tell_of_readers(self) -> bool:
        """Ask a loopback device to tell who reads it; whether it does so."""
        return loopback_events.subscribe(self._ioctl)

    def readers(self) -> int | None:
        """How many read, as it told since the last time; None where it told nothing."""
        return loopback_events.newest(self._ioctl)

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

    def _enumerate(self, request: int, make: Callable[[int], Any]) -> Iterator[Any]:
        """Ask with index 0, 1, ... until the driver has no more; nothing when it cannot be asked."""
        for index in range(1024):
            offer = make(index)
            try:
                self._ioctl(request, offer)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
                    return
                raise
            yield offer

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


def fourcc_number(fourcc: str) -> int:
    """The number V4L2 knows a pixel format by."""
    return int.from_bytes(fourcc.encode("ascii"), "little")


def fourcc_text(number: int) -> str:
    """The four characters of a pixel format's number; characters that are none become ``?``."""
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in int(number).to_bytes(4, "little"))


def _text(characters: Any) -> str:  # noqa: ANN401  (a ctypes array)
    return bytes(characters).split(b"\0", 1)[0].decode("utf-8", "replace")


def _on_step(wanted: int, lowest: int, highest: int, step: int) -> int:
    inside = min(max(wanted, lowest), highest)
    return int(lowest + (inside - lowest) // max(step, 1) * max(step, 1))


# The two enumerations that the PyPI package videodev2 leaves out, laid out as the kernel documents them.


class _SizeOffers(ctypes.Union):
    _fields_ = (("discrete", v4l2.v4l2_frmsize_discrete), ("stepwise", v4l2.v4l2_frmsize_stepwise))


class FrameSizeOffer(ctypes.Structure):
    """``struct v4l2_frmsizeenum``."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("u", _SizeOffers),
        ("reserved", ctypes.c_uint32 * 2),
    )


class _IntervalOffers(ctypes.Union):
    _fields_ = (("discrete", v4l2.v4l2_fract), ("stepwise", v4l2.v4l2_frmival_stepwise))


class FrameIntervalOffer(ctypes.Structure):
    """``struct v4l2_frmivalenum``."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("u", _IntervalOffers),
        ("reserved", ctypes.c_uint32 * 2),
    )


def _read_write(number: int, structure: type[ctypes.Structure]) -> int:
    """The ioctl number of a V4L2 request that is read and written: _IOWR('V', number, structure)."""
    return 3 << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


ENUM_FRAMESIZES = _read_write(74, FrameSizeOffer)
ENUM_FRAMEINTERVALS = _read_write(75, FrameIntervalOffer)

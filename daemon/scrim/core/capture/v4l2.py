"""Cameras that are V4L2 nodes: most USB cameras, and anything that behaves like one."""

import contextlib
import time
from dataclasses import dataclass

from scrim.core.capture.buffers import Buffers, capture_time_ns
from scrim.core.capture.convert import CONVERTERS, COST, Converter
from scrim.core.capture.pace import READ_LIMIT_S
from scrim.core.node_errors import explain
from scrim.core.videodev2 import Direction, Filled, Format, Node, NodeOpener, VideoNode
from scrim.errors import SourceError
from scrim.frame import MAX_SIDE_PX, Caps, Frame

DRIVER_BUFFERS = 4
"""Pictures the driver may have under way."""

_RATE_TOLERANCE = 0.99
"""29.97 pictures a second will do where 30 were wanted."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way a camera can deliver.

    Attributes:
        fourcc: pixel format, one there is a converter for.
        size: (width, height) in pixels.
        frame_rate: the most it can, 0 when it does not say.
    """

    fourcc: str
    size: tuple[int, int]
    frame_rate: float


def choose(offers: list[Offer], caps: Caps) -> Offer:
    """The offer that comes nearest to ``caps``.

    The size decides first: the wanted one, else the smallest that covers it, else the largest. Then the frame
    rate: one that is high enough, else the highest. Then what the conversion costs.
    """

    def rank(offer: Offer) -> tuple[float, ...]:
        width, height = offer.size
        covers = width >= caps.width and height >= caps.height
        excess = width * height if covers else -width * height
        enough = not offer.frame_rate or offer.frame_rate >= caps.frame_rate * _RATE_TOLERANCE
        missing = 0.0 if enough else caps.frame_rate - offer.frame_rate
        return float(not covers), excess, missing, COST[offer.fourcc]

    return min(offers, key=rank)


class V4L2Camera:
    """A V4L2 capture node, streamed through buffers mapped from the driver.

    A camera that offers the wanted size delivers it; another delivers the nearest it has (see ``choose``),
    and ``open`` says which. When the reader is slow the newest picture is taken, the older ones are dropped.

    Args:
        device: path of the node; a name below ``/dev/v4l/by-id`` survives replugging.
        caps: what is wanted.
        open_node: opens the node; a fake in tests.
    """

    def __init__(self, device: str, caps: Caps, open_node: NodeOpener = VideoNode) -> None:
        self._device = device
        self._caps = caps
        self._open_node = open_node
        self._node: Node | None = None
        self._convert: Converter | None = None
        self._buffers = Buffers()
        self._damaged = 0

    @property
    def dropped(self) -> int:
        """Pictures thrown away because the reader was slow."""
        return self._buffers.dropped

    @property
    def damaged(self) -> int:
        """Pictures thrown away because they did not arrive whole."""
        return self._damaged

    def open(self) -> Caps:
        """Choose a format and start streaming.

        Raises:
            SourceError: there is no such camera, it is in use, or it has no format scrim can read.
        """
        self.close()
        try:
            self._node = self._open_node(self._device)
            return self._start(self._node)
        except OSError as error:
            self.close()
            raise SourceError(explain(self._device, error)) from error
        except SourceError:
            self.close()
            raise

    def read(self) -> Frame | None:
        """The newest picture; None when none came whole within READ_LIMIT_S.

        Raises:
            SourceError: the camera is gone, or was never opened.
        """
        if self._node is None or self._convert is None:
            raise SourceError(f"{self._device}: read before open")
        end = time.monotonic() + READ_LIMIT_S
        try:
            while (left_s := end - time.monotonic()) > 0:
                filled = self._newest(self._node, left_s)
                if filled is None:
                    return None
                frame = self._take(self._convert, filled)
                self._node.queue(filled.index)
                if frame is not None:
                    return frame
        except OSError as error:
            raise SourceError(explain(self._device, error)) from error
        return None

    def close(self) -> None:
        """Stop streaming and let the node go."""
        node, self._node = self._node, None
        if node is not None:
            # A camera that was pulled out refuses to be stopped.
            with contextlib.suppress(OSError):
                node.stop()
            node.close()

    def _start(self, node: Node) -> Caps:
        capability = node.capability()
        if not capability.captures:
            raise SourceError(
                f"{self._device}: {capability.card or capability.driver} is not a camera that streams; "
                "see `v4l2-ctl --list-devices` for the node that is"
            )
        wanted = choose(self._offers(node), self._caps)
        given = node.set_format(Direction.CAPTURE, wanted.fourcc, wanted.size)
        frame_rate = node.set_frame_rate(Direction.CAPTURE, self._caps.frame_rate)
        self._convert = self._converter(given)
        self._buffers.prepare(given.size)
        node.start(DRIVER_BUFFERS)
        return Caps(*given.size, frame_rate)

    def _offers(self, node: Node) -> list[Offer]:
        offered = node.formats(Direction.CAPTURE)
        usable = [fourcc for fourcc in offered if fourcc in CONVERTERS]
        if not usable:
            raise SourceError(
                f"{self._device}: delivers {', '.join(offered) or 'nothing'}; "
                f"scrim reads {', '.join(CONVERTERS)}: choose another camera"
            )
        return [
            Offer(fourcc, size, node.highest_rate(fourcc, size))
            for fourcc in usable
            for size in node.nearest_size(fourcc, self._caps.size) or [self._caps.size]
        ]

    def _converter(self, given: Format) -> Converter:
        width, height = given.size
        known = given.fourcc in CONVERTERS
        if not known or width % 2 or height % 2 or not 2 <= min(given.size) <= max(given.size) <= MAX_SIDE_PX:
            raise SourceError(
                f"{self._device}: the driver answered with {given.fourcc} at {width}x{height}; "
                f"allowed are {', '.join(CONVERTERS)} at even sizes up to {MAX_SIDE_PX}: ask for another size"
            )
        try:
            return CONVERTERS[given.fourcc](given.size, given.stride)
        except ValueError as error:
            raise SourceError(f"{self._device}: {given.fourcc} at {width}x{height}: {error}") from error

    def _newest(self, node: Node, limit_s: float) -> Filled | None:
        """The newest picture the driver has, waiting for one; the older ones go back to it."""
        if not node.ready(limit_s):
            return None
        newest = node.dequeue()
        while node.ready(0):
            node.queue(newest.index)
            self._buffers.dropped += 1
            newest = node.dequeue()
        return newest

    def _take(self, convert: Converter, filled: Filled) -> Frame | None:
        """A frame of the picture; None, counted, when it is damaged or there is no buffer for it."""
        if filled.damaged or not filled.data.size:
            self._damaged += 1
            return None
        i420 = self._buffers.lease()
        if i420 is None:
            self._buffers.dropped += 1
            return None
        try:
            convert(filled.data, i420)
        except ValueError:
            self._damaged += 1
            return None
        return self._buffers.frame(i420, capture_time_ns(filled.pts_ns))

"""Cameras that are V4L2 nodes: most USB cameras, and anything that behaves like one."""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from scrim.core.capture import camera_controls
from scrim.core.capture.base import CameraDetails
from scrim.core.capture.buffers import Buffers, capture_time_ns
from scrim.core.capture.camera_controls import Wishes
from scrim.core.capture.convert import CONVERTERS, Converter
from scrim.core.capture.pace import READ_LIMIT_S
from scrim.core.capture.stable_name import Comeback, stable_name
from scrim.core.capture.v4l2_offers import Offer, choose, offers_of
from scrim.core.node_errors import explain
from scrim.core.videodev2 import Capability, Direction, Filled, Format, Node, NodeOpener, VideoNode
from scrim.errors import SourceError
from scrim.frame import MAX_SIDE_PX, Caps, Frame

logger = logging.getLogger(__name__)

DRIVER_BUFFERS = 4
"""Pictures the driver may have under way."""

RESTART_AFTER_S = 4.0
"""A camera that delivers nothing for so long is stopped and started; every third time it is opened anew."""

_REOPEN_EVERY = 3

_NO_WISHES: Wishes = MappingProxyType({})


class V4L2Camera:
    """A V4L2 capture node, streamed through buffers mapped from the driver.

    A camera that offers the wanted size delivers it; another delivers the nearest it has (see
    :func:`scrim.core.capture.v4l2_offers.choose`), and ``open`` says which. When the reader is slow the
    newest picture is taken, the older ones are dropped. Once it was opened, a camera is only ever looked for
    under its stable name: what has become /dev/video0 after replugging may be another one.

    Args:
        device: path of the node.
        caps: what is wanted.
        open_node: opens the node; a fake in tests.
        wishes: values of controls.
        name_of: tells a device's stable name.
        clock_s: monotonic clock.
    """

    def __init__(
        self,
        device: str,
        caps: Caps,
        open_node: NodeOpener = VideoNode,
        wishes: Wishes = _NO_WISHES,
        name_of: Callable[[str], str | None] = stable_name,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._caps = caps
        self._wishes = wishes
        self._open_node = open_node
        self._name_of = name_of
        self._clock_s = clock_s
        self._name: str | None = None
        self._node: Node | None = None
        self._convert: Converter | None = None
        self._buffers = Buffers()
        self._damaged = 0
        self._newest_s = 0.0
        self._restarts = 0
        self._given: Caps | None = None
        self._comeback: Comeback | None = None
        self._details: CameraDetails | None = None
        self._told: list[str] = []

    @property
    def dropped(self) -> int:
        """Pictures thrown away because the reader was slow."""
        return self._buffers.dropped

    @property
    def damaged(self) -> int:
        """Pictures thrown away because they did not arrive whole."""
        return self._damaged

    @property
    def place(self) -> str:
        """Where it is looked for: its stable name once that is known, else the path that was given."""
        return self._name or self._device

    @property
    def details(self) -> CameraDetails | None:
        """What was found at the last ``open``; None before."""
        return replace(self._details, place=self.place) if self._details is not None else None

    def open(self) -> Caps:
        """Choose a format and start streaming.

        Raises:
            SourceError: there is no such camera, it is in use, or it has no format scrim can read.
        """
        self.close()
        self._comeback = Comeback(self.place)
        try:
            self._node = self._open_node(self.place)
            caps = self._start(self._node)
        except OSError as error:
            self.close()
            raise SourceError(explain(self.place, error)) from error
        except SourceError:
            self.close()
            raise
        self._given = caps
        self._remember_name()
        return caps

    def read(self) -> Frame | None:
        """The newest picture; None when none came whole within READ_LIMIT_S.

        A camera that has been silent for some seconds is stopped and started, or opened anew.

        Raises:
            SourceError: the camera is gone, is not as it was, or was never opened.
        """
        if self._node is None or self._convert is None:
            raise SourceError(f"{self.place}: read before open")
        try:
            frame = self._read(self._node, self._convert)
            if frame is None and self._clock_s() - self._newest_s > RESTART_AFTER_S:
                self._restart(self._node)
        except OSError as error:
            self._comeback = Comeback(self.place)
            raise SourceError(explain(self.place, error)) from error
        return frame

    def has_returned(self) -> bool:
        """Whether the device was replugged since it failed, so that it is worth an attempt at once."""
        return self._comeback is not None and self._comeback.has_happened()

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
                f"{self.place}: {capability.card or capability.driver} is not a camera that streams; "
                "see `v4l2-ctl --list-devices` for the node that is"
            )
        wanted = choose(self._offers(node), self._caps)
        given = node.set_format(Direction.CAPTURE, wanted.fourcc, wanted.size)
        frame_rate = node.set_frame_rate(Direction.CAPTURE, self._caps.frame_rate)
        self._convert = self._converter(given)
        self._buffers.prepare(given.size)
        self._describe(node, capability, Offer(given.fourcc, given.size, frame_rate))
        node.start(DRIVER_BUFFERS)
        self._newest_s = self._clock_s()
        return Caps(*given.size, frame_rate)

    def _restart(self, node: Node) -> None:
        self._restarts += 1
        if self._restarts % _REOPEN_EVERY == 0:
            self._reopen()
            return
        logger.info("%s: silent for %g s, stopped and started", self.place, RESTART_AFTER_S)
        node.stop()
        node.start(DRIVER_BUFFERS)
        self._newest_s = self._clock_s()

    def _reopen(self) -> None:
        logger.info("%s: still silent, opened anew", self.place)
        before = self._given
        if self.open() != before:
            raise SourceError(f"{self.place}: delivers {self._given} now, not {before}; it is opened again")

    def _describe(self, node: Node, capability: Capability, delivers: Offer) -> None:
        """Set the controls, and note what the camera is."""
        refused = camera_controls.apply(node, self._wishes)
        if refused != self._told:
            for line in refused:
                logger.warning("%s", line)
            self._told = refused
        values = {
            control.name: control.value
            for control in node.controls()
            if control.is_of_cameras and control.value is not None
        }
        self._details = CameraDetails(capability.card, self.place, str(delivers), values, tuple(refused))

    def _remember_name(self) -> None:
        """Look up the stable name; udev may make it a moment after the node."""
        if self._name is None:
            self._name = self._name_of(self._device)
            if self._name not in (None, self._device):
                logger.info("%s: is %s, and is found by that name from now on", self._device, self._name)

    def _read(self, node: Node, convert: Converter) -> Frame | None:
        end = time.monotonic() + READ_LIMIT_S
        while (left_s := end - time.monotonic()) > 0:
            filled = self._newest(node, left_s)
            if filled is None:
                return None
            frame = self._take(convert, filled)
            node.queue(filled.index)
            if frame is not None:
                if frame.sequence == 0:
                    self._remember_name()
                return frame
        return None

    def _offers(self, node: Node) -> list[Offer]:
        offers = offers_of(node, self._caps.size)
        if not offers:
            offered = ", ".join(node.formats(Direction.CAPTURE)) or "nothing"
            raise SourceError(
                f"{self.place}: delivers {offered}; "
                f"scrim reads {', '.join(CONVERTERS)}: choose another camera"
            )
        return offers

    def _converter(self, given: Format) -> Converter:
        width, height = given.size
        known = given.fourcc in CONVERTERS
        if not known or width % 2 or height % 2 or not 2 <= min(given.size) <= max(given.size) <= MAX_SIDE_PX:
            raise SourceError(
                f"{self.place}: the driver answered with {given.fourcc} at {width}x{height}; "
                f"allowed are {', '.join(CONVERTERS)} at even sizes up to {MAX_SIDE_PX}: ask for another size"
            )
        try:
            return CONVERTERS[given.fourcc](given.size, given.stride)
        except ValueError as error:
            raise SourceError(f"{self.place}: {given.fourcc} at {width}x{height}: {error}") from error

    def _newest(self, node: Node, limit_s: float) -> Filled | None:
        """The newest picture the driver has, waiting for one; the older ones go back to it."""
        if not node.ready(limit_s):
            return None
        newest = node.dequeue()
        while node.ready(0):
            node.queue(newest.index)
            if _is_whole(newest):
                self._buffers.dropped += 1
            else:
                self._damaged += 1
            newest = node.dequeue()
        self._newest_s, self._restarts = self._clock_s(), 0
        return newest

    def _take(self, convert: Converter, filled: Filled) -> Frame | None:
        """A frame of the picture; None, counted, when it is damaged or there is no buffer for it."""
        if not _is_whole(filled):
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


def _is_whole(filled: Filled) -> bool:
    """As far as the driver says."""
    return not filled.damaged and filled.data.size > 0

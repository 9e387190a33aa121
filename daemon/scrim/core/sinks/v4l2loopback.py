"""Webcams made of software: the v4l2loopback kernel module."""

import contextlib
import errno
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

from scrim.core.loopback import TIMEOUT_MS
from scrim.core.node_errors import explain, holders
from scrim.core.sinks.accept import accept
from scrim.core.sinks.pack import Packer, make_packer
from scrim.core.sinks.readers import OpenCount
from scrim.core.videodev2 import LOOPBACK_DRIVER, Direction, Format, Node, NodeOpener, VideoNode
from scrim.errors import SinkError
from scrim.frame import Caps, Plane, SafeFrame

FOURCCS = {"I420": "YU12", "YUYV": "YUYV", "NV12": "NV12"}
"""What a person writes, and what V4L2 calls it, in the order in which they are tried.

I420 comes first: browsers take it as it is, and all else that was tried takes it; it needs no conversion,
where YUYV takes 0.15 ms at 1280x720 on x86-64, and the reader's time to undo it.
"""

SILENCE_MS = 1000
"""When nothing was written for so long the device shows the placeholder by itself, from 0.13 on."""

WRITE_LIMIT_S = 0.5
"""A device that takes no picture for so long is given up."""

logger = logging.getLogger(__name__)

_MODULE_VERSION = Path("/sys/module/v4l2loopback/version")
_RELOAD = "`sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback`"


class V4L2LoopbackSink:
    """Writes pictures into a v4l2loopback device, from which programs read as from a camera.

    The caps of the first ``open`` hold for the life of the sink: a program that reads keeps its format while
    scrim or its camera come and go.

    Args:
        device: path of the node.
        open_node: opens the node; a fake in tests.
        module_version: where the kernel tells the module's version.
        wanted: one of ``FOURCCS``; None takes the first that the device takes.
        count_open: how many other programs have it open; asked where the device does not tell who reads.
    """

    def __init__(
        self,
        device: str,
        open_node: NodeOpener = VideoNode,
        module_version: Path = _MODULE_VERSION,
        wanted: str | None = None,
        count_open: Callable[[], int | None] | None = None,
    ) -> None:
        self._device = device
        self._formats = (FOURCCS[wanted],) if wanted is not None else tuple(FOURCCS.values())
        self._count_open = count_open or OpenCount(device)
        self._told: int | None = None
        self._open_node = open_node
        self._module_version = module_version
        self._node: Node | None = None
        self._pack: Packer | None = None
        self._caps: Caps | None = None
        self._fixed: Caps | None = None
        self._given: Format | None = None
        self._is_to_be_shown = False

    @property
    def consumers(self) -> int | None:
        """How many programs read; None while nobody can tell. From any thread.

        v4l2loopback tells from 0.13 on; before, whoever has the device open counts.
        """
        return self._count_open() if self._told is None else self._told

    def open(self, caps: Caps) -> None:
        """Set the device's format.

        Raises:
            SinkError: there is no such device, it is none of v4l2loopback's, it refuses every format, or
                ``caps`` are not those of the first time.
        """
        if self._fixed not in (None, caps):
            raise SinkError(f"{self._device}: opened for {self._fixed}, and so it stays; not for {caps}")
        self.close()
        try:
            self._start(caps)
        except OSError as error:
            self.close()
            raise SinkError(self._explain(error)) from error
        except SinkError:
            self.close()
            raise
        self._caps = self._fixed = caps

    def write(self, frame: SafeFrame) -> None:
        """Deliver one frame, waiting up to 0.5 s for the device to have room.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            SinkError: it is of another size, the device is not open, is gone, or takes no pictures.
        """
        safe = accept(frame, self._caps, f"v4l2loopback:{self._device}")
        assert self._node is not None  # noqa: S101  (caps are only set with both)
        assert self._pack is not None  # noqa: S101
        try:
            packed = self._pack(safe.i420)
            if safe.origin == "placeholder" and self._is_to_be_shown:
                self._show_when_silent(self._node, packed)
            self._write(self._node, packed)
            if self._told is not None and (told := self._node.readers()) is not None:
                self._told = told
        except OSError as error:
            raise SinkError(self._explain(error)) from error

    def close(self) -> None:
        """Let the device go. Programs that read it wait for the next picture."""
        node, self._node = self._node, None
        is_silent = self._told is not None and not self._is_to_be_shown
        self._caps = self._told = None
        self._is_to_be_shown = False
        if node is not None:
            if is_silent:
                # The last picture is the placeholder that says goodbye: it is to stay.
                with contextlib.suppress(OSError):
                    node.set_control(TIMEOUT_MS, 0)
            node.close()

    def _show_when_silent(self, node: Node, picture: Plane) -> None:
        """A reader must not look at the last picture for ever when scrim is killed."""
        self._is_to_be_shown = False
        assert self._given is not None  # noqa: S101  (there is one where there is a node)
        try:
            node.show_when_silent(picture, self._given, SILENCE_MS)
        except OSError as error:
            logger.info("%s: shows no placeholder by itself: %s", self._device, error)

    def _start(self, caps: Caps) -> None:
        self._node = self._open_node(self._device)
        self._check(self._node)
        self._told = 0 if self._node.tell_of_readers() else None
        answer = self._agree(self._node, caps)
        if answer is None and self._told is None:
            self._node = self._unstuck(self._node)
            answer = self._agree(self._node, caps)
        if answer is None or not _fits(answer, caps):
            raise SinkError(self._refusal(caps, answer))
        if self._told is None:
            _claim(self._node)
        # A device of which the rate cannot be set says 30 to its readers, and works.
        with contextlib.suppress(OSError):
            self._node.set_frame_rate(Direction.OUTPUT, caps.frame_rate)
        self._pack = make_packer(answer.fourcc, caps.size)
        self._given, self._is_to_be_shown = answer, self._told is not None

    def _unstuck(self, node: Node) -> Node:
        """The node, opened again, free of the fault of versions before 0.13.

        One that was fed by ``write`` alone and asked who it is afterwards believes that it is neither camera
        nor output. It comes to its senses when somebody who claimed it as an output closes it.
        """
        _claim(node)
        node.close()
        again = self._open_node(self._device)
        again.capability()
        return again

    def _check(self, node: Node) -> None:
        capability = node.capability()
        # A loopback that is fed, or stuck, calls itself a camera; what it is shows when its format is set.
        if not capability.takes_output and capability.driver != LOOPBACK_DRIVER:
            raise SinkError(
                f"{self._device}: {capability.card or capability.driver} is not a v4l2loopback device; "
                "see `v4l2-ctl --list-devices`, and `sudo modprobe v4l2loopback video_nr=10 exclusive_caps=1`"
            )

    def _agree(self, node: Node, caps: Caps) -> Format | None:
        """The format that was set; else one that the device insists on; None when it refuses all."""
        answer = None
        for fourcc in self._formats:
            answer = _ask(node, fourcc, caps) or answer
            if answer is not None and _fits(answer, caps):
                break
        return answer

    def _refusal(self, caps: Caps, answer: Format | None) -> str:
        """Why no format can be set, and the mend."""
        by = ", ".join(holders(self._device)) or "no program that this user can see"
        if answer is not None:
            width, height = answer.size
            return (
                f"{self._device}: stays at {answer.fourcc} {width}x{height}, and will not be {caps}; "
                f"open in {by}; stop that, or set camera.width = {width} and camera.height = {height}"
            )
        version = self._version()
        text = (
            f"{self._device}: refuses {', '.join(self._formats)} at {caps}; "
            f"v4l2loopback {version or 'of unknown version'}, open in {by}. "
            "If another program feeds it, stop that one, or load the module with one more device"
        )
        if self._told is None and _sticks(version):
            text += (
                ". If none does: before 0.13, with exclusive_caps=1, it sticks like this after a program "
                f"looked at it while nothing fed it; stop the programs that have it open, then {_RELOAD}, "
                "or install 0.15, which does not have this fault"
            )
        return text + ". A size above the module's max_width and max_height is refused too"

    def _version(self) -> str:
        """Of the loaded module; empty when the kernel does not tell."""
        try:
            return self._module_version.read_text(encoding="ascii", errors="replace").strip()[:20]
        except OSError:
            return ""

    def _write(self, node: Node, data: Plane) -> None:
        end = time.monotonic() + WRITE_LIMIT_S
        while True:
            taken = node.write(data, max(0.0, end - time.monotonic()))
            if taken == data.size:
                return
            if taken:
                # The device takes whole pictures: the rest would be shown as the top of the next.
                raise SinkError(
                    f"{self._device}: took {taken} of {data.size} bytes of a picture; another program "
                    f"changed its format. Stop that program, or {_RELOAD}"
                )
            if time.monotonic() >= end:
                raise SinkError(
                    f"{self._device}: takes no picture for {WRITE_LIMIT_S} s; stop the program that reads it"
                )

    def _explain(self, error: OSError) -> str:
        if error.errno == errno.ENOENT:
            return (
                f"{self._device}: no such device; `sudo modprobe v4l2loopback video_nr=10 exclusive_caps=1 "
                "card_label=Scrim` makes /dev/video10 (package v4l2loopback-dkms)"
            )
        return explain(self._device, error)


def _fits(answer: Format, caps: Caps) -> bool:
    """Whether scrim can write it. A device that is being read keeps the format it has: any such will do."""
    return answer.size == caps.size and answer.fourcc in FOURCCS.values()


def _claim(node: Node) -> None:
    """Say that this one feeds it, so that it may be fed again afterwards: before 0.13 it forgets."""
    with contextlib.suppress(OSError):
        node.claim_output()


def _ask(node: Node, fourcc: str, caps: Caps) -> Format | None:
    """What the device makes of a format; None when it refuses.

    Raises:
        OSError: it is gone, or another program feeds it.
    """
    try:
        return node.set_format(Direction.OUTPUT, fourcc, caps.size)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return None


def _sticks(version: str) -> bool:
    """Whether this version of v4l2loopback may have the fault; one that does not tell may."""
    parts = re.match(r"(\d+)\.(\d+)", version)
    return parts is None or (int(parts[1]), int(parts[2])) < (0, 13)

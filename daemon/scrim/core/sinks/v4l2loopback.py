"""Webcams made of software: the v4l2loopback kernel module."""

import contextlib
import errno
import re
import time
from pathlib import Path

from scrim.core.node_errors import explain, holders
from scrim.core.sinks.accept import accept
from scrim.core.sinks.pack import Packer, make_packer
from scrim.core.videodev2 import LOOPBACK_DRIVER, Direction, Node, NodeOpener, VideoNode
from scrim.errors import SinkError
from scrim.frame import Caps, Plane, SafeFrame

PREFERENCE = ("YU12", "YUYV", "NV12")
"""Formats in the order they are tried; the first needs no conversion."""

WRITE_LIMIT_S = 0.5
"""A device that takes no picture for so long is given up."""

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
    """

    def __init__(
        self, device: str, open_node: NodeOpener = VideoNode, module_version: Path = _MODULE_VERSION
    ) -> None:
        self._device = device
        self._open_node = open_node
        self._module_version = module_version
        self._node: Node | None = None
        self._pack: Packer | None = None
        self._caps: Caps | None = None
        self._fixed: Caps | None = None

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
            self._node = self._open_node(self._device)
            self._check(self._node)
            self._pack = self._set_format(self._node, caps)
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
            self._write(self._node, self._pack(safe.i420))
        except OSError as error:
            raise SinkError(self._explain(error)) from error

    def close(self) -> None:
        """Let the device go. Programs that read it wait for the next picture."""
        node, self._node = self._node, None
        self._caps = None
        if node is not None:
            node.close()

    def _check(self, node: Node) -> None:
        capability = node.capability()
        # A loopback that is fed, or stuck, calls itself a camera; what it is shows when its format is set.
        if not capability.takes_output and capability.driver != LOOPBACK_DRIVER:
            raise SinkError(
                f"{self._device}: {capability.card or capability.driver} is not a v4l2loopback device; "
                "see `v4l2-ctl --list-devices`, and `sudo modprobe v4l2loopback video_nr=10 exclusive_caps=1`"
            )

    def _set_format(self, node: Node, caps: Caps) -> Packer:
        for fourcc in PREFERENCE:
            try:
                given = node.set_format(Direction.OUTPUT, fourcc, caps.size)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                continue
            if given.fourcc == fourcc and given.size == caps.size:
                # A device of which the rate cannot be set says 30 to its readers, and works.
                with contextlib.suppress(OSError):
                    node.set_frame_rate(Direction.OUTPUT, caps.frame_rate)
                return make_packer(fourcc, caps.size)
        raise SinkError(self._refusal(caps))

    def _refusal(self, caps: Caps) -> str:
        """Why no format can be set, and the mend."""
        version = self._version()
        by = ", ".join(holders(self._device)) or "no program that this user can see"
        text = (
            f"{self._device}: refuses {', '.join(PREFERENCE)} at {caps}; "
            f"v4l2loopback {version or 'of unknown version'}, open in {by}. "
            "If another program feeds it, stop that one, or load the module with one more device"
        )
        if _sticks(version):
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


def _sticks(version: str) -> bool:
    """Whether this version of v4l2loopback may have the fault; one that does not tell may."""
    parts = re.match(r"(\d+)\.(\d+)", version)
    return parts is None or (int(parts[1]), int(parts[2])) < (0, 13)

"""The board as a USB webcam."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from scrim.config.reading import wish_of
from scrim.core.gadget_node import GADGET_DRIVER, GadgetNode, GadgetOpener, UVCGadgetNode, find_gadget
from scrim.core.node_errors import explain, holders
from scrim.core.sinks.accept import accept
from scrim.core.sinks.uvc_host import UsbHost
from scrim.core.sinks.uvc_picture import Still
from scrim.core.videodev2 import Direction
from scrim.errors import SinkError
from scrim.frame import Caps, SafeFrame
from scrim.uvc.controls import Levels, LoneShutter, Shutter
from scrim.uvc.conversation import Conversation
from scrim.uvc.offers import Offers, Speed, offers_at

if TYPE_CHECKING:
    from scrim.config import GadgetSettings

NAME = "uvc_gadget:"

_SET_UP = "`sudo systemctl restart scrim-gadget`, or `sudo scrim gadget up`"


class UVCGadgetSink:
    """Lets a USB host see the board as a webcam, while the sink is open.

    Each stream begins with the placeholder: a copy of the last that was written, or black.

    Args:
        settings: what is offered; the gadget must have been set up with the same.
        shutter: the camera's privacy, as far as a host has a say.
        open_node: opens the gadget's node; a fake in tests.
        find: where that node is; None when there is none.
    """

    def __init__(
        self,
        settings: "GadgetSettings",
        shutter: Shutter | None = None,
        open_node: GadgetOpener = UVCGadgetNode,
        find: Callable[[], str | None] = find_gadget,
    ) -> None:
        self._settings = settings
        self._shutter = shutter or LoneShutter()
        self._open_node = open_node
        self._find = find
        self._levels = Levels()
        self._caps: Caps | None = None
        self._still: Still | None = None
        self._host: UsbHost | None = None
        self._path = ""

    @property
    def consumers(self) -> int:
        """1 while a host takes pictures, 0 while none does or it sleeps."""
        host = self._host
        return int(host is not None and host.is_watching)

    def open(self, caps: Caps) -> None:
        """Show the camera to the host.

        Raises:
            SinkError: no gadget is set up, it was set up with other formats, or another program serves it.
        """
        self.close()
        node = self._opened()
        try:
            node.connect()
        except OSError as error:
            node.close()
            raise SinkError(self._explain(error)) from error
        self._still = Still.blank(caps.size)
        talk = Conversation(wish_of(self._settings), self._levels, self._shutter)
        self._host = UsbHost(node, talk, self._levels, self._settings.quality, self._still)
        self._caps = caps

    def write(self, frame: SafeFrame) -> None:
        """Send one frame, if the host wants one now.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            SinkError: it is of another size, the sink is not open, or the gadget is gone.
        """
        safe = accept(frame, self._caps, NAME)
        assert self._host is not None  # noqa: S101  (caps are only set with all three)
        assert self._still is not None  # noqa: S101
        if self._host.fault is not None:
            raise SinkError(self._explain(self._host.fault))
        if safe.origin == "placeholder":
            self._still.become(safe)
        self._host.send(safe)

    def look(self) -> str:
        """Whether the sink could be opened, found out without showing the camera to the host.

        Returns:
            Path of the gadget's node.

        Raises:
            SinkError: no gadget is set up, or it was set up with other formats.
        """
        self._opened().close()
        return self._path

    def close(self) -> None:
        """Let the camera vanish from the host."""
        host, self._host = self._host, None
        self._caps = None
        if host is not None:
            host.close()

    def _opened(self) -> GadgetNode:
        """The gadget's node, checked, not yet connected.

        Raises:
            SinkError: there is none, or not the one that the settings mean.
        """
        path = self._find()
        if path is None:
            raise SinkError(f"{NAME} no USB gadget is set up; {_SET_UP}; `scrim gadget status` says more")
        self._path = path
        try:
            node = self._open_node(path)
        except OSError as error:
            raise SinkError(self._explain(error)) from error
        try:
            self._check(node)
        except OSError as error:
            node.close()
            raise SinkError(self._explain(error)) from error
        except SinkError:
            node.close()
            raise
        return node

    def _check(self, node: GadgetNode) -> None:
        """Whether this is the gadget that the settings mean.

        Raises:
            SinkError: it is not.
        """
        driver = node.capability().driver
        if driver != GADGET_DRIVER:
            raise SinkError(f"{NAME} {self._path} belongs to {driver}, not to a USB gadget; {_SET_UP}")
        wanted = _shape_of(offers_at(Speed.HIGH, wish_of(self._settings)))
        have = {fourcc: node.nearest_size(fourcc, (0, 0)) for fourcc in node.formats(Direction.OUTPUT)}
        # Kernels before 6.2 do not tell.
        if have and list(have.items()) != list(wanted.items()):
            raise SinkError(
                f"{NAME} the gadget was set up with {_listed(have)}, "
                f"the settings say {_listed(wanted)}; {_SET_UP}"
            )

    def _explain(self, error: OSError) -> str:
        match error.errno:
            case errno.EBUSY:
                by = ", ".join(holders(self._path)) or "another program"
                return f"{NAME} {self._path} is served by {by}; stop it"
            case errno.ENODEV | errno.ENOENT | errno.ENXIO:
                return f"{NAME} the gadget was taken down; {_SET_UP}"
            case _:
                return f"{NAME} {explain(self._path, error)}"


def _shape_of(offers: Offers) -> dict[str, list[tuple[int, int]]]:
    return {offer.fourcc: [frame.size for frame in offer.frames] for offer in offers.formats}


def _listed(shape: dict[str, list[tuple[int, int]]]) -> str:
    return "; ".join(
        f"{fourcc} {', '.join(f'{width}x{height}' for width, height in sizes)}"
        for fourcc, sizes in shape.items()
    )

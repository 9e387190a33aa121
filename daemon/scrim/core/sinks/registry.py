"""Which sink a URL means."""

import importlib
import re
from typing import TYPE_CHECKING, Any, cast

from scrim.core.sinks.base import Sink
from scrim.errors import SinkError

if TYPE_CHECKING:
    from scrim.config import GadgetSettings
    from scrim.uvc.controls import Shutter

SINKS = {
    "v4l2loopback": "scrim.core.sinks.v4l2loopback:V4L2LoopbackSink",
    "uvc_gadget": "scrim.core.sinks.uvc_gadget:UVCGadgetSink",
    "file": "scrim.core.sinks.file:VideoFileSink",
    "images": "scrim.core.sinks.file:ImageFolderSink",
    "memory": "scrim.core.sinks.memory:MemorySink",
}
"""Scheme to ``module:class``; imported only when chosen."""

_LOOPBACK = r"(/dev/[^?]+)(?:\?format=(I420|YUYV|NV12))?"

FORMS = (
    "v4l2loopback:/dev/video10 (with ?format=I420, YUYV or NV12 behind it, if need be), uvc_gadget:, "
    "file:/path/out.mp4, images:/path/folder, memory:"
)
"""What a person may write."""


def make_sink(url: str, gadget: "GadgetSettings | None" = None, shutter: "Shutter | None" = None) -> Sink:
    """The sink ``url`` means, not yet opened.

    Args:
        url: one of ``FORMS``.
        gadget: for ``uvc_gadget:``; None means the default.
        shutter: the camera's privacy, where a USB host may have a say.

    Raises:
        SinkError: ``url`` means nothing.
    """
    scheme, _, rest = url.partition(":")
    match scheme:
        case "v4l2loopback" if found := re.fullmatch(_LOOPBACK, rest):
            return _make(scheme, found[1], wanted=found[2])
        case "file" | "images" if rest:
            return _make(scheme, rest)
        case "uvc_gadget" if not rest:
            return _make(scheme, gadget or _default_gadget(), shutter)
        case "memory" if not rest:
            return _make(scheme)
        case _:
            raise SinkError(f"sink = {url!r}: no such sink; allowed are {FORMS}")


def _default_gadget() -> "GadgetSettings":
    from scrim.config import GadgetSettings

    return GadgetSettings()


def _make(scheme: str, *arguments: Any, **named: Any) -> Sink:  # noqa: ANN401  (each sink has its own)
    module, _, name = SINKS[scheme].partition(":")
    return cast("Sink", getattr(importlib.import_module(module), name)(*arguments, **named))

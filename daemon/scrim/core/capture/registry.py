"""Which source a URL means."""

import importlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from scrim.core.capture.base import Source
from scrim.core.capture.stable_name import BY_ID
from scrim.errors import SourceError
from scrim.frame import Caps

if TYPE_CHECKING:
    from scrim.core.capture.camera_controls import Wishes
    from scrim.core.videodev2 import NodeOpener

_NO_WISHES: "Wishes" = MappingProxyType({})

SOURCES = {
    "test": "scrim.core.capture.test:TestPattern",
    "demo": "scrim.core.capture.demo:Demo",
    "file": "scrim.core.capture.file:VideoFile",
    "v4l2": "scrim.core.capture.v4l2:V4L2Camera",
    "picamera": "scrim.core.capture.picamera:PiCamera",
}
"""Scheme to ``module:class``; imported only when chosen. ``auto`` chooses one of them."""

FORMS = "auto, demo:, test:, v4l2:/dev/video0, picamera:0, file:/clip.mp4 (or a picture, or a folder of them)"
"""What a person may write."""

NOT_CAMERAS = frozenset(
    {"v4l2 loopback", "bcm2835-codec", "bcm2835-isp", "pispbe", "rp1-cfe", "rpi-hevc-dec", "rpivid", "unicam"}
)
"""Drivers whose nodes capture without being a camera one can read: loopbacks, and the parts of a Pi's ISP."""

_DEV = Path("/dev")


def make_source(
    url: str,
    caps: Caps,
    *,
    loop: bool = True,
    pace: bool = True,
    controls: "Wishes" = _NO_WISHES,
    model_size: tuple[int, int] | None = None,
) -> Source:
    """The source ``url`` means, not yet opened.

    Args:
        url: see ``FORMS``.
        caps: what is wanted of it.
        loop: start a file again at its end.
        pace: deliver at the frame rate; False delivers files and drawn pictures as fast as they are read.
        controls: what to turn on a camera.
        model_size: (width, height) in pixels of the model's picture, for cameras that can make it themselves.

    Raises:
        SourceError: ``url`` means nothing.
    """
    scheme, _, rest = url.partition(":")
    match scheme:
        case "auto" if not rest:
            camera = find_camera()
            return make_source(camera, caps, loop=loop, pace=pace, controls=controls, model_size=model_size)
        case "test" | "demo" if not rest:
            return _make(scheme, caps, pace)
        case "file" if rest:
            return _make_file(Path(rest), caps, loop=loop, pace=pace)
        case "v4l2" if rest.startswith("/dev/"):
            return _make(scheme, rest, caps, wishes=controls)
        case "picamera" if rest.isdecimal() and len(rest) < 3:
            return _make(scheme, int(rest), caps, small_size=model_size, wishes=controls)
        case _:
            raise SourceError(f"source = {url!r}: no such source; allowed are {FORMS}")


def find_camera(
    candidates: Iterable[str] | None = None,
    open_node: "NodeOpener | None" = None,
    has_pi_camera: Callable[[], bool] | None = None,
) -> str:
    """The URL of the camera ``auto`` means: a Pi camera, else the first V4L2 camera, else the demo.

    Args:
        candidates: paths of nodes to try in order; those of this machine when None.
        open_node: opens a node; a real one when None.
        has_pi_camera: says whether there is a Pi camera; asks picamera2 when None.
    """
    if (has_pi_camera or _has_pi_camera)():
        return "picamera:0"
    from scrim.core.videodev2 import VideoNode

    for path in candidate_nodes() if candidates is None else candidates:
        if _is_camera(path, open_node or VideoNode):
            return f"v4l2:{path}"
    return "demo:"


def candidate_nodes(by_id: Path = BY_ID, dev: Path = _DEV) -> list[str]:
    """Every video node once, by its stable name where it has one, else by its number."""
    named = sorted(by_id.iterdir()) if by_id.is_dir() else []
    numbered = sorted(dev.glob("video[0-9]*"), key=lambda path: int(re.sub(r"\D", "", path.name)))
    seen: set[Path] = set()
    found = []
    for path in [*named, *numbered]:
        node = path.resolve()
        if node not in seen:
            seen.add(node)
            found.append(str(path))
    return found


def _is_camera(path: str, open_node: "NodeOpener") -> bool:
    try:
        node = open_node(path)
    except OSError:
        return False
    try:
        capability = node.capability()
    except OSError:
        return False
    finally:
        node.close()
    return capability.captures and capability.driver not in NOT_CAMERAS


def _has_pi_camera() -> bool:
    from scrim.core.capture.picamera import has_camera

    return has_camera()


def _make_file(path: Path, caps: Caps, *, loop: bool, pace: bool) -> Source:
    from scrim.core.capture.stills import IMAGE_SUFFIXES, ImageFolder

    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFolder(path, caps.size, loop, pace, caps.frame_rate)
    return _make("file", path, caps.size, loop, "clip" if pace else "fast")


def _make(scheme: str, *arguments: Any, **named: Any) -> Source:  # noqa: ANN401  (each source has its own)
    module, _, name = SOURCES[scheme].partition(":")
    return cast("Source", getattr(importlib.import_module(module), name)(*arguments, **named))

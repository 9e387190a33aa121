"""GStreamer's bindings, and the plugins that are loaded: a short list, so that nothing else ever runs here.

Import this only where :func:`scrim.gateway.rtsp.child.main.main` made sure that the bindings are there.
"""

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import gi

from scrim.gateway.rtsp.child.encoders import PLUGINS, PUBLISHING

for _name in ("Gst", "GstAllocators", "GstRtsp", "GstRtspServer", "GstVideo"):
    gi.require_version(_name, "1.0")

from gi.repository import (  # noqa: E402
    Gio,
    GLib,
    Gst,
    GstAllocators,
    GstRtsp,
    GstRtspServer,
    GstVideo,
)

__all__ = [
    "PLUGINS",
    "PUBLISHING",
    "GLib",
    "Gio",
    "Gst",
    "GstAllocators",
    "GstRtsp",
    "GstRtspServer",
    "GstVideo",
]


def start() -> None:
    """Initialise GStreamer without its registry: it scans no folder, and writes no cache."""
    Gst.init(None)


def load(plugins: dict[str, str]) -> set[str]:
    """Load plugins by name; the packages of those that are not there."""
    return {package for name, package in plugins.items() if not load_plugin(name)}


def load_plugin(name: str) -> bool:
    """Load one plugin; whether it is there and works. Does nothing the second time."""
    path = plugin_path(name)
    if path is None:
        return False
    try:
        return Gst.Plugin.load_file(str(path)) is not None
    except GLib.Error:
        return False


def plugin_path(name: str) -> Path | None:
    """Where the distribution puts a plugin; None where it is not there."""
    paths = (folder / f"libgst{name}.so" for folder in _folders())
    return next(filter(Path.exists, paths), None)


def _folders() -> Iterator[Path]:
    if named := os.environ.get("SCRIM_GST_PLUGINS"):
        yield Path(named)
        return
    machine = sysconfig.get_config_var("MULTIARCH") or ""
    for library in (f"/usr/lib/{machine}", "/usr/lib64", "/usr/lib"):
        yield Path(library) / "gstreamer-1.0"

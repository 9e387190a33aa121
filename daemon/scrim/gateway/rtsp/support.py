"""Whether this machine can stream by RTSP: which Python has GStreamer's bindings, which encoder there is."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scrim.gateway.rtsp.child.encoders import BINDINGS

SYSTEM_PYTHON = "/usr/bin/python3"
LAUNCH = Path(__file__).parent / "child" / "launch.py"

_PROBE_S = 90.0
"""Its first look at all of GStreamer's plugins takes a small board that is busy long."""

_KEPT_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "GI_TYPELIB_PATH", "GST_DEBUG", "SCRIM_GST_PLUGINS")


@dataclass(frozen=True, slots=True)
class Support:
    """What was found.

    Attributes:
        missing: Debian's packages to install; empty when it can run.
        gstreamer: its version in words; empty when it cannot run.
        encoders: that can be used here, best first.
        can_publish: whether ``rtsp.publish_url`` can be used.
    """

    missing: tuple[str, ...]
    gstreamer: str = ""
    encoders: tuple[str, ...] = ()
    can_publish: bool = False


def interpreter() -> str:
    """A Python that has GStreamer's bindings, if any has: this one, else the system's."""
    return sys.executable if importlib.util.find_spec("gi") else SYSTEM_PYTHON


def command(*arguments: str) -> list[str]:
    """The child's command line."""
    return [interpreter(), "-I", str(LAUNCH), *arguments]


def environment() -> dict[str, str]:
    """What the child may know of the environment; GStreamer is to scan, fork and write nothing."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {
        "MALLOC_ARENA_MAX": "1",  # 2 MB less, and pictures' memory goes back when the last client leaves
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "65536",
        "GST_REGISTRY_DISABLE": "yes",
        "GST_PLUGIN_SYSTEM_PATH_1_0": "",
        "GST_PLUGIN_PATH_1_0": "",
        "GIO_USE_VFS": "local",
        "GIO_USE_PROXY_RESOLVER": "dummy",
        "GSETTINGS_BACKEND": "memory",
    }


def install(packages: Iterable[str]) -> str:
    """The command that installs them, for people."""
    return f"sudo apt install --no-install-recommends {' '.join(packages)}"


def probe(encoder: str = "auto", *, is_publishing: bool = False) -> Support:
    """Ask a child what it can do. Takes about 0.2 s.

    Args:
        encoder: as ``rtsp.encoder``.
        is_publishing: what that needs counts as missing where it is not there.
    """
    try:
        answer = subprocess.run(
            command("probe", encoder, "publish" if is_publishing else "serve"),
            env=environment(),
            capture_output=True,
            timeout=_PROBE_S,
            check=True,
        )
        found = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return Support(missing=BINDINGS)  # there may not even be a Python to ask
    if found["missing"]:
        return Support(missing=tuple(found["missing"]))
    return Support((), found["gstreamer"], tuple(found["encoders"]), found["can_publish"])

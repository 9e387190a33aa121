"""Skips what this machine cannot run, and says why; a folder for sockets."""

from functools import cache
from pathlib import Path

import pytest

from scrim.gateway.rtsp.support import Support, probe

from .players import FFMPEG, GST_LAUNCH


@cache
def _support() -> Support:
    return probe()


@pytest.fixture
def support() -> Support:
    """What GStreamer can do here."""
    found = _support()
    if found.missing:
        pytest.skip(f"no GStreamer: apt install --no-install-recommends {' '.join(found.missing)}")
    return found


@pytest.fixture
def players(support: Support) -> None:
    """ffmpeg and GStreamer, to play the stream with."""
    for program, package in ((FFMPEG, "ffmpeg"), (GST_LAUNCH, "gstreamer1.0-tools")):
        if program is None:
            pytest.skip(f"nothing to play with: apt install {package}")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the core listens."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    return folder / "core.sock"

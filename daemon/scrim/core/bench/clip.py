"""Footage for a benchmark: a few dozen raw frames in a file, mapped by every worker."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scrim.core.capture.base import EndOfStream, Source
from scrim.core.capture.demo import Demo
from scrim.core.capture.file import VideoFile
from scrim.core.capture.scale import Scaled
from scrim.errors import SourceError
from scrim.frame import Caps, Frame, Planes

FRAMES = 48
"""How many frames are kept; they are played forwards and backwards, so that nothing jumps."""


def write_clip(path: Path, size: tuple[int, int], clip: Path | None) -> int:
    """Write frames of one size into ``path``, raw I420, one after the other.

    Args:
        path: the file to make.
        size: (width, height) in pixels, both even.
        clip: a video; None means the demo.

    Returns:
        How many frames were written, at most ``FRAMES``.

    Raises:
        SourceError: the video cannot be read or is empty.
    """
    source: Source = (
        Scaled(VideoFile(clip, loop=False, pace="fast"), size) if clip else Demo(Caps(*size, 30), pace=False)
    )
    written = 0
    source.open()
    try:
        with path.open("wb") as file:
            for frame in _frames(source):
                for plane in frame.planes:
                    file.write(np.ascontiguousarray(plane).data)
                written += 1
    finally:
        source.close()
    if not written:
        raise SourceError(f"{clip}: has no frames to measure on")
    return written


def _frames(source: Source) -> Iterator[Frame]:
    left = FRAMES
    while left:
        try:
            frame = source.read()
        except EndOfStream:
            return
        if frame is not None:
            left -= 1
            yield frame


def read_clip(path: Path, size: tuple[int, int]) -> list[Frame]:
    """Map what ``write_clip`` wrote; in playing order, there and back."""
    width, height = size
    rows = height * 3 // 2
    raw = np.memmap(path, np.uint8, "r").reshape(-1, rows, width)
    planes = [Planes.of(np.asarray(i420)) for i420 in raw]
    order = [*range(len(planes)), *range(len(planes) - 2, 0, -1)]
    return [Frame(planes[index], at * 33_333_333, at) for at, index in enumerate(order)]

"""Video files as cameras."""

import os
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scrim.core.capture.base import EndOfStream
from scrim.core.capture.buffers import Buffers
from scrim.core.capture.fit import Fitter
from scrim.core.capture.pace import Pace
from scrim.errors import SourceError
from scrim.frame import Caps, Frame

_USUAL_RATE = 30.0
"""Frames per second of a clip that does not say."""


class VideoFile:
    """A video file, decoded by OpenCV's FFmpeg.

    A file that breaks off ends where it breaks off.

    Args:
        path: the file; anything FFmpeg reads.
        size: (width, height) in pixels wanted, both even; cropped to its aspect and scaled. None keeps the
            clip's own size, without the last row or column where they are odd.
        loop: start again at the end.
        pace: ``clip`` delivers at the clip's frame rate and skips what nobody takes, ``fast`` delivers every
            frame as soon as it is read.
    """

    def __init__(
        self,
        path: Path | str,
        size: tuple[int, int] | None = None,
        loop: bool = False,
        pace: Literal["clip", "fast"] = "clip",
    ) -> None:
        self._path = Path(path)
        self._size = size
        self._loop = loop
        self._paced = pace == "clip"
        self._capture: Any = None
        self._pace: Pace | None = None
        self._fitter: Fitter | None = None
        self._bgr: NDArray[np.uint8] | None = None
        self._buffers = Buffers()
        self._played = 0

    @property
    def dropped(self) -> int:
        """Frames skipped because no buffer was free."""
        return self._buffers.dropped

    @property
    def frame_count(self) -> int | None:
        """Frames the open file says it has, which may be an estimate; None when it does not say."""
        import cv2

        count = round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if self._capture is not None else 0
        return count if count > 0 else None

    def open(self) -> Caps:
        """Open the file and look at its first frame.

        Raises:
            SourceError: there is no such file, or no video in it.
        """
        import cv2

        self.close()
        self._rewind()
        width, height = (
            round(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        frame_rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        if not 0 < frame_rate <= 1000:
            frame_rate = _USUAL_RATE
        try:
            self._fitter = Fitter((width, height), self._size, str(self._path))
        except SourceError:
            self.close()
            raise
        self._bgr = np.empty((height, width, 3), np.uint8)
        self._buffers.prepare(self._fitter.size)
        self._pace = Pace(frame_rate, wanted=self._paced)
        return Caps(*self._fitter.size, frame_rate)

    def read(self) -> Frame | None:
        """The next frame when it is due; None when it is not, or no buffer is free, for READ_LIMIT_S.

        Raises:
            SourceError: not one frame of the file can be read.
            EndOfStream: that was the last frame, and ``loop`` is False.
        """
        if self._capture is None or self._pace is None or self._fitter is None:
            raise SourceError(f"{self._path}: read before open")
        i420 = self._pace.next_buffer(self._buffers, self._advance)
        if i420 is None:
            return None
        self._advance()
        whole, bgr = self._capture.retrieve(self._bgr)
        if not whole or self._bgr is None or bgr.shape != self._bgr.shape:
            raise SourceError(f"{self._path}: frame {self._played} is damaged")
        pts_ns = time.monotonic_ns()
        self._fitter(bgr, i420)
        return self._buffers.frame(i420, pts_ns)

    def close(self) -> None:
        """Let the file go."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
        self._bgr = None

    def _advance(self) -> None:
        """Go to the next frame, starting again when that is wanted."""
        if self._capture.grab():
            self._played += 1
            return
        if not self._played:
            raise SourceError(f"{self._path}: no frame can be read; the file is damaged")
        if not self._loop:
            raise EndOfStream(f"{self._path}: ended after {self._played} frames")
        self._rewind()
        self._advance()

    def _rewind(self) -> None:
        """Open the file anew: seeking to the start does not work in every container."""
        import cv2

        if self._capture is not None:
            self._capture.release()
        # An absolute path: FFmpeg takes other spellings for URLs, OpenCV for numbered pictures.
        self._capture = cv2.VideoCapture(str(_checked(self._path)), cv2.CAP_FFMPEG)
        self._played = 0
        if not self._capture.isOpened():
            self.close()
            raise SourceError(f"{self._path}: not a video, or damaged; see `ffprobe` for what is in it")


def _checked(path: Path) -> Path:
    """The absolute path of a file that can be read."""
    if path.is_dir():
        raise SourceError(f"{path}: a folder; a video file is wanted")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: no permission; let the user read this file")
    return path.resolve()

"""Files as sinks: a video, or a folder of pictures."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scrim.core.sinks.accept import accept
from scrim.errors import SinkError
from scrim.frame import Caps, SafeFrame

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "FFV1"}
"""File suffix to the codec's FourCC: MPEG-4 part 2, Motion JPEG, and FFV1, lossless after the
conversion to RGB."""


class VideoFileSink:
    """Writes a video; its frame rate is that of the caps, whatever the frames' times.

    Args:
        path: ends in .mp4, .avi or .mkv; a file that is there is replaced.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._caps: Caps | None = None
        self._writer: Any = None
        self._bgr: NDArray[np.uint8] | None = None

    def open(self, caps: Caps) -> None:
        """Start the file.

        Raises:
            SinkError: the suffix is unknown, or the file cannot be written.
        """
        self.close()
        self._writer = _new_writer(self._path, caps, is_color=True)
        self._bgr = np.empty((caps.height, caps.width, 3), np.uint8)
        self._caps = caps

    def write(self, frame: SafeFrame) -> None:
        """Append a frame.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            SinkError: it is of another size, or the sink is not open.
        """
        safe = accept(frame, self._caps, f"file:{self._path}")
        import cv2

        cv2.cvtColor(np.asarray(safe.i420), cv2.COLOR_YUV2BGR_I420, dst=self._bgr)
        self._writer.write(self._bgr)

    def close(self) -> None:
        """Finish the file."""
        writer, self._writer = self._writer, None
        self._caps = None
        if writer is not None:
            writer.release()


class ImageFolderSink:
    """Writes each frame as a PNG named by its number: 00000000.png, 00000001.png, ...

    Args:
        folder: is made when it is not there; pictures in it are replaced.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._caps: Caps | None = None
        self._bgr: NDArray[np.uint8] | None = None
        self._count = 0

    def open(self, caps: Caps) -> None:
        """Make the folder.

        Raises:
            SinkError: it cannot be made or written to.
        """
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"{self._folder}: {error.strerror}; the folder above must be there and writable"
            ) from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise SinkError(f"{self._folder}: not writable; let the user write to this folder")
        self._bgr = np.empty((caps.height, caps.width, 3), np.uint8)
        self._caps = caps
        self._count = 0

    def write(self, frame: SafeFrame) -> None:
        """Write a picture.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            SinkError: it is of another size, the sink is not open, or the disk takes no more.
        """
        safe = accept(frame, self._caps, f"images:{self._folder}")
        import cv2

        cv2.cvtColor(np.asarray(safe.i420), cv2.COLOR_YUV2BGR_I420, dst=self._bgr)
        path = self._folder / f"{self._count:08d}.png"
        _, png = cv2.imencode(".png", np.asarray(self._bgr))
        try:
            path.write_bytes(png.data)
        except OSError as error:
            raise SinkError(f"{path}: {error.strerror}; make room, or choose another folder") from error
        self._count += 1

    def close(self) -> None:
        """Take no more."""
        self._caps = None


@contextmanager
def open_writer(
    path: Path, caps: Caps, *, is_color: bool = True
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Write a video of pictures that are not frames, such as mattes.

    Args:
        path: ends in .mp4, .avi or .mkv.
        caps: size and frame rate.
        is_color: pictures are BGR, (height, width, 3); otherwise gray, (height, width).

    Yields:
        A function that appends a picture.

    Raises:
        SinkError: the file cannot be written.
    """
    writer = _new_writer(path, caps, is_color=is_color)
    try:
        yield writer.write
    finally:
        writer.release()


def _new_writer(path: Path, caps: Caps, *, is_color: bool) -> Any:  # noqa: ANN401  (cv2 has no types)
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise SinkError(f"{path}: {path.suffix or 'no suffix'}; allowed are {', '.join(CODECS)}")
    _check_writable(path)
    import cv2

    fourcc = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(
        str(path.absolute()), cv2.CAP_FFMPEG, fourcc, caps.frame_rate, caps.size, is_color
    )
    if not writer.isOpened():
        raise SinkError(f"{path}: OpenCV cannot write {codec} at {caps}; try another suffix or size")
    return writer


def _check_writable(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise SinkError(f"{path}: there is no folder {folder}; make it first")
    if path.is_dir():
        raise SinkError(f"{path}: a folder; the name of a file is wanted")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise SinkError(f"{path}: not writable; let the user write there")

"""Everything that scrim shows, read as people read it, and searched for the room."""

import contextlib
import http.client
import shutil
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import simplejpeg

from scrim.detector import THRESHOLD, Detector
from scrim.errors import LocalError
from scrim.frame import Plane
from scrim.local.feed import FeedReader

_PAUSE_S = 0.25
"""Before an output that was lost is tried again."""

_SNAPSHOT_S = 2.0
_MOST_HEADER_BYTES = 65536


class Output(ABC):
    """Reads one output in a thread of its own, for as long as there is any, and again when it is back.

    Args:
        name: of the output.
        size: (width, height) in pixels.
        key: of the code that the room carries.
        evidence: folder for a picture in which the room was found.

    Attributes:
        pictures: that were searched.
        flagged: pictures in which the room was found.
        highest: the highest score of any block.
        newest_s: when the last picture came, on the monotonic clock.
    """

    def __init__(self, name: str, size: tuple[int, int], key: str, evidence: Path) -> None:
        self.name = name
        self.pictures = self.flagged = self.flagged_blocks = 0
        self.highest = float("-inf")
        self.newest_s = float("-inf")
        self._size = size
        self._evidence = evidence
        self._detector = Detector(size, key)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {name}")

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        self._thread.join()

    def forget(self) -> None:
        """Begin to count anew."""
        self.pictures = self.flagged = self.flagged_blocks = 0
        self.highest = float("-inf")

    @abstractmethod
    def lumas(self) -> Iterator[Plane | None]:
        """Luma of each picture, None now and then; ends or raises OSError or LocalError when it is lost."""

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError, LocalError, http.client.HTTPException, ValueError):
                for luma in self.lumas():
                    if luma is not None:
                        self._judge(luma)
                    if self._stopping.is_set():
                        break
            self._stopping.wait(_PAUSE_S)

    def _judge(self, luma: Plane) -> None:
        scores = self._detector.blocks(luma)
        self.newest_s = time.monotonic()
        self.pictures += 1
        self.highest = max(self.highest, float(scores.max()))
        flagged = int((scores > THRESHOLD).sum())
        if flagged:
            self.flagged += 1
            self.flagged_blocks += flagged
            if self.flagged <= 10:
                path = self._evidence / f"{self.name}-{self.flagged}-{flagged}-blocks.npy"
                np.save(path, luma)


class Feed(Output):
    """The ring of shared memory; also says what is shown, and when.

    Args:
        socket: of the core.
        size: see :class:`Output`.
        key: likewise.
        evidence: likewise.

    Attributes:
        live_s: when a picture of the camera came last.
        live_pts_s: when it was taken.
    """

    def __init__(self, socket: Path, size: tuple[int, int], key: str, evidence: Path) -> None:
        super().__init__("feed", size, key, evidence)
        self._socket = socket
        self.live_s = self.live_pts_s = float("-inf")

    def lumas(self) -> Iterator[Plane | None]:
        """See :class:`Output`."""
        with FeedReader(self._socket, 2.0) as feed:
            while True:
                picture = feed.wait(0.5)
                if picture is None:
                    yield None
                    continue
                if picture.origin != "placeholder":
                    self.live_s, self.live_pts_s = time.monotonic(), picture.pts_ns / 1e9
                yield picture.planes.y


class Preview(Output):
    """The page's live picture."""

    def __init__(self, port: int, size: tuple[int, int], key: str, evidence: Path) -> None:
        super().__init__("preview", size, key, evidence)
        self._port = port

    def lumas(self) -> Iterator[Plane | None]:
        """See :class:`Output`."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=3)
        with contextlib.closing(connection):
            connection.request("GET", "/preview.mjpg")
            stream = connection.getresponse()
            while jpeg := _next_part(stream):
                yield _luma(jpeg, self._size)


class Snapshots(Output):
    """Stills of the page."""

    def __init__(self, port: int, size: tuple[int, int], key: str, evidence: Path) -> None:
        super().__init__("snapshot", size, key, evidence)
        self._port = port

    def lumas(self) -> Iterator[Plane | None]:
        """See :class:`Output`."""
        while not self._stopping.wait(_SNAPSHOT_S):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=3)
            with contextlib.closing(connection):
                connection.request("GET", "/snapshot.jpg")
                answer = connection.getresponse()
                body = answer.read()
            yield _luma(body, self._size) if answer.status == 200 else None


class Stream(Output):
    """The RTSP stream, played by ffmpeg."""

    def __init__(self, port: int, size: tuple[int, int], key: str, evidence: Path) -> None:
        super().__init__("rtsp", size, key, evidence)
        self._port = port

    def lumas(self) -> Iterator[Plane | None]:
        """See :class:`Output`."""
        width, height = self._size
        fast = ["-flags", "low_delay", "-probesize", "100000", "-analyzeduration", "200000"]
        url = f"rtsp://127.0.0.1:{self._port}/scrim"
        source = ["-rtsp_transport", "tcp", "-timeout", "5000000", "-i", url]
        raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough", "-"]
        command = ["ffmpeg", "-v", "quiet", "-threads", "1", *fast, *source, *raw]
        player = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        watch = threading.Thread(target=self._end_with_us, args=(player,))
        watch.start()
        try:
            assert player.stdout is not None  # noqa: S101  (it is a pipe)
            while len(data := player.stdout.read(width * height)) == width * height:
                yield np.frombuffer(data, np.uint8).reshape(height, width)
        finally:
            player.kill()
            player.wait()
            watch.join()

    def _end_with_us(self, player: "subprocess.Popen[bytes]") -> None:
        while player.poll() is None and not self._stopping.wait(0.2):
            pass
        player.kill()


def can_play() -> bool:
    """Whether there is a program that plays RTSP."""
    return shutil.which("ffmpeg") is not None


def _next_part(stream: http.client.HTTPResponse) -> bytes:
    """The next JPEG of a multipart stream; empty at its end."""
    length = 0
    for _ in range(64):
        line = stream.readline(_MOST_HEADER_BYTES)
        if not line:
            return b""
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        elif line == b"\r\n" and length:
            return stream.read(length)
    return b""


def _luma(jpeg: bytes, size: tuple[int, int]) -> Plane | None:
    luma = simplejpeg.decode_jpeg(jpeg, "GRAY")[..., 0]
    return np.ascontiguousarray(luma) if luma.shape[::-1] == size else None

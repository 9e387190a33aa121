"""Programs that play the stream: ffmpeg and GStreamer, as people run them."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np

from scrim.frame import Plane

from .coded import is_numbered, number_in

FFMPEG, GST_LAUNCH = shutil.which("ffmpeg"), shutil.which("gst-launch-1.0")


@dataclass
class Player:
    """A program that plays; its pictures are read as they come."""

    process: asyncio.subprocess.Process
    size: tuple[int, int]
    picture_bytes: int
    began_ns: int = field(default_factory=time.monotonic_ns)

    async def picture(self) -> Plane:
        """Luma of the next picture."""
        assert self.process.stdout is not None
        width, height = self.size
        data = await self.process.stdout.readexactly(self.picture_bytes)
        return np.frombuffer(data, np.uint8, width * height).reshape(height, width)

    async def number(self) -> int:
        """The number in the next picture that has one."""
        while not is_numbered(luma := await self.picture()):
            pass
        return number_in(luma)

    async def placeholder(self) -> Plane:
        """The next picture that has none."""
        while is_numbered(luma := await self.picture()):
            pass
        return luma


@contextlib.asynccontextmanager
async def playing(url: str, size: tuple[int, int], kind: str = "ffmpeg tcp") -> AsyncIterator[Player]:
    """Play ``url``; ``kind`` is ``ffmpeg`` or ``gst``, and ``tcp`` or ``udp``."""
    program, transport = kind.split()
    width, height = size
    command = _ffmpeg(url, transport) if program == "ffmpeg" else _gst(url, transport)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    player = Player(process, size, width * height * 3 // 2)
    try:
        yield player
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # wait() waits for ever where more was played than read


def _ffmpeg(url: str, transport: str) -> list[str]:
    fast = ["-flags", "low_delay", "-probesize", "100000", "-analyzeduration", "200000"]
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-"]
    assert FFMPEG is not None
    return [FFMPEG, "-v", "error", *fast, "-rtsp_transport", transport, "-i", url, *raw]


def _gst(url: str, transport: str) -> list[str]:
    assert GST_LAUNCH is not None
    source = [
        "rtspsrc",
        f"location={url}",
        "latency=0",
        f"protocols={transport}",
        "timeout=0",
        "tcp-timeout=0",
    ]
    decode = ["rtph264depay", "!", "h264parse", "!", "openh264dec", "!", "video/x-raw,format=I420"]
    return [GST_LAUNCH, "-q", *source, "!", *decode, "!", "fdsink", "fd=1", "sync=false"]

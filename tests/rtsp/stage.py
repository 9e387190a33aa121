"""A core without a camera that shows numbered pictures, and the gateway's part that streams them."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scrim.core.composite.door import seal
from scrim.core.sinks.feed import FeedSink
from scrim.errors import LocalError
from scrim.frame import Caps, Plane
from scrim.gateway.rtsp.part import RtspPart
from scrim.gateway.rtsp.plan import Plan, PublishPlan, ServePlan
from scrim.local.feed import FeedWriter
from scrim.local.server import LocalServer

from .coded import numbered

SIZE = (320, 240)
FRAME_RATE_HZ = 30.0
PATIENCE_S = 180.0


class FeedCore:
    """Plays numbered pictures into a real feed, from ``start`` to ``stop``, as often as wanted."""

    def __init__(self, path: Path, size: tuple[int, int] = SIZE, *, is_noisy: bool = False) -> None:
        self.path = path
        self.size = size
        self.number = 0
        self.taken_ns: dict[int, int] = {}
        self.is_hushed = False
        self.repeats = 0
        self.feed = FeedWriter()
        self._noise = np.random.default_rng(1) if is_noisy else None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        raise LocalError(f"no method {method}")

    @property
    def subscribers(self) -> int:
        return self.feed.subscribers

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def _play(self) -> None:
        sink = FeedSink(self.feed)
        with LocalServer(self.path, self, self.feed):
            sink.open(Caps(*self.size, FRAME_RATE_HZ))
            while not self._stop.wait(1 / FRAME_RATE_HZ):
                if not self.is_hushed:
                    self._show(sink)
        sink.close()

    def picture(self) -> Plane:
        """What is shown under the present number."""
        picture = numbered(self.size, self.number)
        if self._noise is not None:
            lower = picture[self.size[1] // 2 : self.size[1]]
            lower[:] = self._noise.integers(16, 235, lower.shape, np.uint8)
        return picture

    def _show(self, sink: FeedSink) -> None:
        self.number += 1
        picture, now_ns = self.picture(), time.monotonic_ns()
        picture.flags.writeable = False
        self.taken_ns[self.number] = now_ns
        for _ in range(1 + self.repeats):
            sink.write(seal(picture, now_ns, self.number, "effect", 1))
            time.sleep(0.005 * self.repeats)


@contextlib.contextmanager
def core_at(path: Path, size: tuple[int, int] = SIZE, *, is_noisy: bool = False) -> Iterator[FeedCore]:
    """A core that plays; noise takes all the bits that the stream may have."""
    core = FeedCore(path, size, is_noisy=is_noisy)
    core.start()
    try:
        yield core
    finally:
        core.stop()


def plan(
    *,
    password: str = "",
    encoder: str = "auto",
    host: str = "127.0.0.1",
    publish: PublishPlan | None = None,
    is_serving: bool = True,
    size: tuple[int, int] = SIZE,
    key_frame_interval_s: float = 2.0,
    bit_rate_kbps: int = 1500,
) -> Plan:
    serve = ServePlan(host, 0, "/scrim", "viewer", password) if is_serving else None
    return Plan(*size, FRAME_RATE_HZ, bit_rate_kbps, key_frame_interval_s, encoder, serve, publish)


@contextlib.asynccontextmanager
async def streaming(path: Path, what: Plan) -> AsyncIterator[RtspPart]:
    """A part that runs, ready for clients."""
    part = RtspPart(path, what)
    running = asyncio.create_task(part.run())
    try:
        await until(lambda: part.figures or running.done())
        assert not running.done(), "the part ended: is GStreamer there?"
        yield part
    finally:
        running.cancel()
        await asyncio.wait({running})


@contextlib.asynccontextmanager
async def served(path: Path, what: Plan | None = None) -> AsyncIterator[tuple[FeedCore, RtspPart]]:
    """A core, and a part that streams it, for no longer than a test may take."""
    what = what or plan()
    with core_at(path, (what.width, what.height)) as core:
        async with asyncio.timeout(PATIENCE_S), streaming(path, what) as part:
            yield core, part


async def until(condition: Callable[[], object], deadline_s: float = PATIENCE_S) -> float:
    """Poll until it holds; the seconds that it took."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.02)
    return loop.time() - began_s


async def fresh_figures(part: RtspPart) -> Any:
    """Those that the streaming process counted after this was asked; it tells them every second."""
    for _ in range(2):
        told = part.figures
        await until(lambda told=told: part.figures is not told)  # type: ignore[misc]
    return part.figures

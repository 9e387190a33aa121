"""A core without a camera that shows numbered pictures, and the gateway's part that streams them."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from scrim.core.composite.door import seal
from scrim.core.sinks.feed import FeedSink
from scrim.errors import LocalError
from scrim.frame import Caps
from scrim.gateway.rtsp.part import RtspPart
from scrim.gateway.rtsp.plan import Plan, PublishPlan, ServePlan
from scrim.local.feed import FeedWriter
from scrim.local.server import LocalServer

from .coded import numbered

SIZE = (320, 240)
PATIENCE_S = 30.0


class FeedCore:
    """Plays numbered pictures into a real feed, from ``start`` to ``stop``, as often as wanted."""

    def __init__(self, path: Path, size: tuple[int, int] = SIZE, frame_rate: float = 30.0) -> None:
        self.path = path
        self.size = size
        self.number = 0
        self.revision = 1
        self.taken_ns: dict[int, int] = {}
        self.revisions: dict[int, int] = {}
        self.feed = FeedWriter()
        self._frame_rate = frame_rate
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

    def hush(self) -> None:
        """Send nothing any more, and stay."""
        self._hushed.set()

    def _play(self) -> None:
        self._hushed = threading.Event()
        sink = FeedSink(self.feed)
        with LocalServer(self.path, self, self.feed):
            sink.open(Caps(*self.size, self._frame_rate))
            while not self._stop.wait(1 / self._frame_rate):
                if not self._hushed.is_set():
                    self._show(sink)
        sink.close()

    def _show(self, sink: FeedSink) -> None:
        self.number += 1
        picture, now_ns = numbered(self.size, self.number), time.monotonic_ns()
        picture.flags.writeable = False
        self.taken_ns[self.number] = now_ns
        self.revisions[self.number] = self.revision
        sink.write(seal(picture, now_ns, self.number, "effect", self.revision))


@contextlib.contextmanager
def core_at(path: Path, size: tuple[int, int] = SIZE) -> Iterator[FeedCore]:
    """A core that plays."""
    core = FeedCore(path, size)
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
) -> Plan:
    serve = ServePlan(host, 0, "/scrim", "viewer", password) if is_serving else None
    return Plan(*size, 30.0, 1500, key_frame_interval_s, encoder, serve, publish)


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
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def until(condition: Callable[[], object], deadline_s: float = PATIENCE_S) -> float:
    """Poll until it holds; the seconds that it took."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.02)
    return loop.time() - began_s

"""The frame feed: only whole, safe frames, and nobody can make the writer wait."""

import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.waiting import until

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.sinks.feed import FeedSink
from scrim.errors import LocalError, SinkError
from scrim.frame import Caps, Frame, Plane, Planes
from scrim.local.client import Client
from scrim.local.feed import FeedReader, FeedWriter
from scrim.local.ring import HEADER, SLOT, RingReader, RingWriter
from scrim.local.server import LocalServer

SIZE = (128, 96)
REASONS = tuple(Reason)


class Silent:
    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {}


@pytest.fixture
def painter() -> PlaceholderPainter:
    return PlaceholderPainter(SIZE)


@pytest.fixture
def writer() -> Iterator[FeedWriter]:
    writer = FeedWriter()
    yield writer
    writer.close()


@pytest.fixture
def server(tmp_path: Path, writer: FeedWriter) -> Iterator[LocalServer]:
    with LocalServer(tmp_path / "run" / "core.sock", Silent(), writer) as server:
        yield server


@pytest.fixture
def ring() -> Iterator[RingWriter]:
    ring = RingWriter(SIZE)
    yield ring
    ring.close()


def pixels(planes: Planes) -> Plane:
    return np.concatenate([plane.ravel() for plane in planes])


# The ring


def test_a_reader_gets_the_frame_as_it_was_written(ring: RingWriter, painter: PlaceholderPainter) -> None:
    reader = RingReader(ring.fd)
    frame = painter.paint(Reason.STARTING, revision=7)
    ring.write(frame)
    picture = reader.read()
    assert picture is not None
    assert (picture.pts_ns, picture.sequence, picture.origin) == (frame.pts_ns, -1, "placeholder")
    assert picture.revision == 7
    np.testing.assert_array_equal(pixels(picture.planes), frame.i420.ravel())


def test_a_frame_is_read_once_and_the_newest_wins(ring: RingWriter, painter: PlaceholderPainter) -> None:
    reader = RingReader(ring.fd)
    assert reader.read() is None
    for revision in range(11):
        ring.write(painter.paint(Reason.STARTING, revision))
    picture = reader.read()
    assert picture is not None
    assert picture.revision == 10
    assert reader.read() is None


def test_the_reader_owns_its_planes(ring: RingWriter, painter: PlaceholderPainter) -> None:
    reader = RingReader(ring.fd)
    ring.write(painter.paint(Reason.STARTING, 1))
    picture = reader.read()
    assert picture is not None
    before = pixels(picture.planes).copy()
    for _ in range(8):
        ring.write(painter.paint(Reason.CAMERA_LOST, 2))
    np.testing.assert_array_equal(pixels(picture.planes), before)


class Interrupted(RingReader):
    """Lets the writer write while a frame is being copied."""

    def __init__(self, fd: int, meanwhile: Callable[[], None]) -> None:
        super().__init__(fd)
        self.meanwhile = meanwhile
        self.copies = 0

    def _copy_pixels(self, at: int) -> None:
        super()._copy_pixels(at)
        self.copies += 1
        self.meanwhile()


def test_a_torn_read_is_noticed_and_tried_again(ring: RingWriter, painter: PlaceholderPainter) -> None:
    revisions = iter(range(2, 10))

    def overtake_once() -> None:
        if reader.copies == 1:
            for _ in range(4):
                ring.write(painter.paint(Reason.CAMERA_LOST, next(revisions)))

    reader = Interrupted(ring.fd, overtake_once)
    ring.write(painter.paint(Reason.STARTING, 1))
    picture = reader.read()
    assert reader.copies == 2
    assert picture is not None
    assert picture.revision == 5


def test_a_reader_that_is_always_overtaken_gives_up(ring: RingWriter, painter: PlaceholderPainter) -> None:
    def overtake() -> None:
        for _ in range(4):
            ring.write(painter.paint(Reason.CAMERA_LOST, 1))

    reader = Interrupted(ring.fd, overtake)
    ring.write(painter.paint(Reason.STARTING, 0))
    assert reader.read() is None
    assert reader.copies == 8


def test_a_slot_that_is_being_written_is_not_read(ring: RingWriter, painter: PlaceholderPainter) -> None:
    reader = RingReader(ring.fd)
    ring.write(painter.paint(Reason.STARTING, 1))
    ring._heads[0]["lock"] += 1
    assert reader.read() is None
    ring._heads[0]["lock"] += 1
    assert reader.read() is not None


def test_no_frame_is_ever_mixed_with_another(ring: RingWriter, painter: PlaceholderPainter) -> None:
    whole = {reason: painter.paint(reason, 0).i420.ravel().copy() for reason in REASONS}
    stop = threading.Event()

    def write() -> None:
        revision = 0
        while not stop.is_set():
            revision += 1
            ring.write(painter.paint(REASONS[revision % len(REASONS)], revision))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        reader, seen, last = RingReader(ring.fd), 0, 0
        deadline_s = time.monotonic() + 180
        while seen < 200 and time.monotonic() < deadline_s:
            picture = reader.read()
            if picture is not None:
                reason = REASONS[picture.revision % len(REASONS)]
                np.testing.assert_array_equal(pixels(picture.planes), whole[reason])
                assert picture.revision > last
                seen, last = seen + 1, picture.revision
        assert seen == 200
    finally:
        stop.set()
        writing.join()


def test_only_safe_frames_are_written(
    ring: RingWriter, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    safe = painter.paint(Reason.STARTING, 1)
    raw = Frame(safe.planes, 0, 0)
    sink = FeedSink(writer)
    sink.open(Caps(*SIZE, 30))
    for write in (ring.write, writer.write, sink.write):
        for thing in (raw, safe.i420, None):
            with pytest.raises(TypeError, match="safe frames"):
                write(thing)  # type: ignore[arg-type]


def test_nobody_else_can_write_resize_or_unseal(ring: RingWriter) -> None:
    size_bytes = os.fstat(ring.fd).st_size
    with pytest.raises(PermissionError):
        mmap.mmap(ring.fd, size_bytes)
    for change in (
        lambda: os.write(ring.fd, b"x"),
        lambda: os.ftruncate(ring.fd, 0),
        lambda: os.ftruncate(ring.fd, size_bytes * 2),
        lambda: fcntl.fcntl(ring.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
    ):
        with pytest.raises(PermissionError):
            change()
    with Path(f"/proc/self/fd/{ring.fd}").open("r+b", buffering=0) as again, pytest.raises(PermissionError):
        os.write(again.fileno(), b"x")


def forged(total_bytes: int, seals: int = 0x1F & ~fcntl.F_SEAL_WRITE, **header: Any) -> int:
    """A memfd with a header of our making."""
    fd = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
    fields = {"magic": b"scrmfeed", "version": 1, "width": 128, "height": 96, "slots": 4} | header
    value = np.zeros((), HEADER)
    for name, content in fields.items():
        value[name] = content
    os.write(fd, value.tobytes())
    os.ftruncate(fd, total_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


RING_BYTES = 4096 + 4 * 20480


def test_the_forger_can_make_a_good_ring() -> None:
    fd = forged(RING_BYTES)
    assert RingReader(fd).size == SIZE
    os.close(fd)


@pytest.mark.parametrize(
    "forgery",
    [
        {"magic": b"scrmfood"},
        {"version": 2},
        {"width": 0},
        {"width": 127},
        {"width": 129},
        {"width": 1 << 31},
        {"height": 1 << 20},
        {"slots": 2},
        {"slots": 1 << 30},
        {"total_bytes": RING_BYTES - 1},
        {"total_bytes": RING_BYTES + 4096},
        {"total_bytes": 8},
        {"seals": fcntl.F_SEAL_GROW},
        {"seals": 0},
    ],
    ids=str,
)
def test_memory_that_is_no_feed_is_refused(forgery: dict[str, Any]) -> None:
    fd = forged(**({"total_bytes": RING_BYTES} | forgery))
    try:
        with pytest.raises(LocalError, match="feed"):
            RingReader(fd)
    finally:
        os.close(fd)


def test_something_that_is_no_memfd_is_refused() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(LocalError, match="sealed"):
            RingReader(reading)
    finally:
        os.close(reading)
        os.close(writing)


def test_an_unknown_origin_is_refused(ring: RingWriter, painter: PlaceholderPainter) -> None:
    ring.write(painter.paint(Reason.STARTING, 1))
    ring._heads[0]["origin"] = 99
    with pytest.raises(LocalError, match="origin"):
        RingReader(ring.fd).read()


def test_heads_are_one_cache_line() -> None:
    assert (HEADER.itemsize, SLOT.itemsize) == (64, 64)


# Over the socket


def test_a_subscriber_gets_frames(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    writer.open(SIZE)
    with FeedReader(server.path) as feed:
        writer.write(painter.paint(Reason.STARTING, 3))
        picture = feed.wait(180)
    assert picture is not None
    assert picture.revision == 3


def test_nothing_is_copied_without_a_subscriber(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    writer.open(SIZE)
    writer.write(painter.paint(Reason.STARTING, 1))
    with FeedReader(server.path) as feed:
        assert feed.wait(0.02) is None
        writer.write(painter.paint(Reason.STARTING, 2))
        picture = feed.wait(180)
    assert picture is not None
    assert picture.revision == 2
    until(lambda: writer.subscribers == 0)


def test_a_late_subscriber_never_sees_what_the_last_one_saw(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    writer.open(SIZE)
    with FeedReader(server.path) as feed:
        writer.write(painter.paint(Reason.STARTING, 1))
        assert feed.wait(180) is not None
    until(lambda: writer.subscribers == 0)
    with FeedReader(server.path) as feed:
        assert feed.wait(0.02) is None


def test_a_new_size_is_a_new_ring(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    with FeedReader(server.path) as feed:
        for size in (SIZE, (64, 64), SIZE):
            frame = PlaceholderPainter(size).paint(Reason.STARTING, 1)
            writer.write(frame)
            picture = feed.wait(180)
            assert picture is not None
            assert picture.planes.size == size


def test_subscribers_outlive_the_sink_being_closed_and_opened(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    sink = FeedSink(writer)
    with FeedReader(server.path) as feed:
        for revision in range(3):
            sink.open(Caps(*SIZE, 30))
            sink.write(painter.paint(Reason.STARTING, revision))
            picture = feed.wait(180)
            assert picture is not None
            assert picture.revision == revision
            sink.close()
            sink.close()
            with pytest.raises(SinkError):
                sink.write(painter.paint(Reason.STARTING, revision))


def test_a_subscriber_that_never_reads_does_not_stop_the_writer(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    writer.open(SIZE)
    with FeedReader(server.path) as deaf, FeedReader(server.path) as feed:
        os.set_blocking(deaf.filenos[1], True)  # what a hostile reader can do to its end
        frame = painter.paint(Reason.STARTING, 1)
        for _ in range(70_000):  # more than a pipe holds
            writer.write(frame)
        assert feed.wait(180) is not None


def test_a_subscriber_that_dies_is_forgotten(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    writer.open(SIZE)
    feed = FeedReader(server.path)
    assert writer.subscribers == 1
    feed.close()
    feed.close()
    for _ in range(3):
        writer.write(painter.paint(Reason.STARTING, 1))
    until(lambda: writer.subscribers == 0)


def test_the_reader_says_when_the_core_is_gone(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "core.sock", Silent(), FeedWriter())
    server.start()
    with FeedReader(server.path) as feed:
        server.close()
        with pytest.raises(LocalError):
            feed.wait(180)


def test_a_core_without_a_feed_says_so(tmp_path: Path) -> None:
    with (
        LocalServer(tmp_path / "core.sock", Silent()) as server,
        pytest.raises(LocalError, match="offers none"),
    ):
        FeedReader(server.path)


def test_a_snapshot_is_one_safe_frame(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    writer.open(SIZE)
    stop = threading.Event()

    def play() -> None:
        while not stop.wait(0.005):
            writer.write(painter.paint(Reason.STARTING, 5))

    playing = threading.Thread(target=play)
    playing.start()
    try:
        with Client(server.path, timeout_s=180) as client:
            picture = client.preview()
    finally:
        stop.set()
        playing.join()
    assert picture is not None
    assert picture.origin == "placeholder"


def test_descriptors_do_not_leak(
    server: LocalServer, writer: FeedWriter, painter: PlaceholderPainter
) -> None:
    def round_trip() -> None:
        with FeedReader(server.path) as feed:
            writer.write(painter.paint(Reason.STARTING, 1))
            feed.wait(180)
        until(lambda: writer.subscribers == 0 and server.clients == 0)

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    round_trip()
    before = descriptors()
    for _ in range(10):
        round_trip()
    until(lambda: descriptors() <= before)  # the server's thread may just be closing the last one

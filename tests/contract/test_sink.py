"""What every sink keeps to, whatever it delivers to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from scrim.config import GadgetSettings
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.gadget_node import EventKind, HostEvent
from scrim.core.gadget_node_fake import FakeGadgetNode
from scrim.core.sinks.base import Sink
from scrim.core.sinks.file import ImageFolderSink, VideoFileSink
from scrim.core.sinks.memory import MemorySink
from scrim.core.sinks.uvc_gadget import UVCGadgetSink
from scrim.core.sinks.v4l2loopback import V4L2LoopbackSink
from scrim.core.videodev2_fake import FakeLoopback
from scrim.errors import SinkError
from scrim.frame import Caps, Frame, Planes, SafeFrame
from scrim.uvc.offers import Speed, offers_at

CAPS = Caps(96, 64, 25)

BACKENDS: dict[str, Callable[[Path], Sink]] = {
    "memory": lambda _: MemorySink(),
    "mp4": lambda folder: VideoFileSink(folder / "out.mp4"),
    "avi": lambda folder: VideoFileSink(folder / "out.avi"),
    "mkv": lambda folder: VideoFileSink(folder / "out.mkv"),
    "images": lambda folder: ImageFolderSink(folder / "out"),
    "loopback-yu12": lambda _: V4L2LoopbackSink("/dev/video9", lambda _: FakeLoopback()),
    "loopback-yuyv": lambda _: V4L2LoopbackSink("/dev/video9", lambda _: FakeLoopback(("YUYV",))),
    "loopback-nv12": lambda _: V4L2LoopbackSink("/dev/video9", lambda _: FakeLoopback(("NV12",))),
    "gadget-idle": lambda _: gadget(),
    "gadget-mjpg": lambda _: gadget("MJPG"),
    "gadget-yuyv": lambda _: gadget("YUYV"),
}


def gadget(streams: str | None = None) -> Sink:
    """A USB gadget whose host is away, or takes pictures."""
    settings = GadgetSettings(sizes=("128x64",), formats=("YUYV", "MJPG") if streams == "YUYV" else ("MJPG",))

    def node(_: str) -> FakeGadgetNode:
        made = FakeGadgetNode(offers_at(Speed.HIGH, settings.wish))
        if streams:
            made.host_event(HostEvent(EventKind.CONNECT, speed=Speed.HIGH), HostEvent(EventKind.STREAM_ON))
        return made

    return UVCGadgetSink(settings, open_node=node, find=lambda: "/dev/video9")


@pytest.fixture(params=BACKENDS)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    made = BACKENDS[request.param](tmp_path)
    yield made
    made.close()


def safe(size: tuple[int, int] = CAPS.size) -> SafeFrame:
    return PlaceholderPainter(size).paint(Reason.STARTING, 1)


def test_it_takes_safe_frames(sink: Sink) -> None:
    sink.open(CAPS)
    for _ in range(3):
        sink.write(safe())


def test_it_takes_nothing_else(sink: Sink) -> None:
    sink.open(CAPS)
    i420 = np.zeros((96, 96), np.uint8)
    raw = Frame(Planes.of(i420), 0, 0)
    for other in (raw, i420, Planes.of(i420), None, b"picture"):
        with pytest.raises(TypeError, match="SafeFrame"):
            sink.write(other)  # type: ignore[arg-type]


def test_it_refuses_frames_of_another_size(sink: Sink) -> None:
    sink.open(CAPS)
    with pytest.raises(SinkError, match="64x96"):
        sink.write(safe((64, 96)))


def test_it_must_be_open(sink: Sink) -> None:
    with pytest.raises(SinkError, match="before open"):
        sink.write(safe())
    sink.open(CAPS)
    sink.close()
    sink.close()
    with pytest.raises(SinkError, match="before open"):
        sink.write(safe())


def test_it_may_be_opened_again(sink: Sink) -> None:
    for _ in range(2):
        sink.open(CAPS)
        sink.write(safe())
        sink.close()


def test_it_does_not_keep_the_frame(sink: Sink) -> None:
    sink.open(CAPS)
    frame = safe()
    before = frame.i420.copy()
    sink.write(frame)
    assert np.array_equal(frame.i420, before)
    if isinstance(sink, MemorySink):
        assert not np.shares_memory(sink.frames[0].i420, frame.i420)

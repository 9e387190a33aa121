"""What every source keeps to: drawn, from a file, from a V4L2 node, from picamera2."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.core.capture.base import Source
from scrim.core.capture.demo import Demo
from scrim.core.capture.file import VideoFile
from scrim.core.capture.pace import READ_LIMIT_S
from scrim.core.capture.picamera import PiCamera
from scrim.core.capture.picamera_fake import FakePicamera2Module
from scrim.core.capture.stills import ImageFolder
from scrim.core.capture.test import TestPattern
from scrim.core.capture.v4l2 import V4L2Camera
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.sinks.file import ImageFolderSink, VideoFileSink
from scrim.core.videodev2 import Format
from scrim.core.videodev2_fake import FakeCamera
from scrim.errors import SourceError
from scrim.frame import Caps, Frame

CAPS = Caps(96, 64, 100)
MORE_THAN_ANY_POOL = 40

Make = Callable[[Path], Source]


def yu12(given: Format, number: int) -> bytes:
    width, height = given.size
    return bytes([number % 256]) * (width * height) + bytes([100]) * (width * height // 2)


def v4l2(_: Path) -> Source:
    return V4L2Camera("/dev/video9", CAPS, lambda _: FakeCamera({"YU12": {CAPS.size: 100.0}}, yu12))


def clip(folder: Path, **how: object) -> Source:
    path = folder / "clip.mkv"
    sink = VideoFileSink(path)
    sink.open(CAPS)
    for reason in Reason:
        sink.write(PlaceholderPainter(CAPS.size).paint(reason, 1))
    sink.close()
    return VideoFile(path, loop=True, **how)  # type: ignore[arg-type]


def stills(folder: Path) -> Source:
    sink = ImageFolderSink(folder / "stills")
    sink.open(CAPS)
    for reason in Reason:
        sink.write(PlaceholderPainter(CAPS.size).paint(reason, 1))
    return ImageFolder(folder / "stills", loop=True, frame_rate=100)


BACKENDS: dict[str, Make] = {
    "test": lambda _: TestPattern(CAPS),
    "test-unpaced": lambda _: TestPattern(CAPS, pace=False),
    "demo": lambda _: Demo(CAPS),
    "demo-unpaced": lambda _: Demo(CAPS, pace=False),
    "file": clip,
    "file-fast": lambda folder: clip(folder, pace="fast"),
    "file-scaled": lambda folder: clip(folder, size=(48, 48)),
    "stills": stills,
    "v4l2": v4l2,
    "picamera": lambda _: PiCamera(0, CAPS, FakePicamera2Module()),
}


@pytest.fixture(params=BACKENDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    made = BACKENDS[request.param](tmp_path)
    yield made
    made.close()


def read(source: Source) -> Frame:
    frame = source.read()
    assert frame is not None
    return frame


def test_every_frame_has_the_size_open_told(source: Source) -> None:
    caps = source.open()
    for _ in range(3):
        frame = read(source)
        assert frame.size == caps.size
        assert frame.planes.y.shape == (caps.height, caps.width)
        assert frame.planes.u.shape == frame.planes.v.shape == (caps.height // 2, caps.width // 2)
        assert frame.planes.y.dtype == np.uint8


def test_sequence_counts_up_by_one_also_when_opened_again(source: Source) -> None:
    numbers = []
    for _ in range(2):
        source.open()
        numbers += [read(source).sequence for _ in range(3)]
        source.close()
    assert numbers == list(range(numbers[0], numbers[0] + 6))


def test_times_are_of_the_monotonic_clock_and_rise(source: Source) -> None:
    before = time.monotonic_ns()
    source.open()
    times = [read(source).pts_ns for _ in range(4)]
    assert times == sorted(times)
    assert before <= times[0]
    assert times[-1] <= time.monotonic_ns()


def test_a_frame_does_not_change_while_it_is_held(source: Source) -> None:
    source.open()
    held = read(source)
    before = [plane.copy() for plane in held.planes]
    for _ in range(MORE_THAN_ANY_POOL):
        read(source)
    for plane, copy in zip(held.planes, before, strict=True):
        assert np.array_equal(plane, copy)


@pytest.mark.parametrize("source", ["test", "file", "file-fast", "stills", "v4l2", "picamera"], indirect=True)
def test_with_every_buffer_out_it_waits_a_moment_and_never_allocates(source: Source) -> None:
    source.open()
    held = []
    start = time.monotonic()
    while (frame := source.read()) is not None:
        held.append(frame)
        assert len(held) < MORE_THAN_ANY_POOL
        start = time.monotonic()
    assert time.monotonic() - start >= 0.9 * READ_LIMIT_S
    del held, frame
    read(source)


def test_no_wait_is_longer_than_half_of_what_closing_may_take() -> None:
    assert READ_LIMIT_S <= 0.05


def test_reading_a_closed_source_is_an_error(source: Source) -> None:
    with pytest.raises(SourceError, match="before open"):
        source.read()
    source.open()
    source.close()
    source.close()
    with pytest.raises(SourceError, match="before open"):
        source.read()


def test_the_chroma_is_where_it_belongs(tmp_path: Path) -> None:
    """Red must stay red through a picture's way from a file into planes."""
    cv2.imwrite(str(tmp_path / "red.png"), np.full((64, 96, 3), (0, 0, 255), np.uint8))
    source = ImageFolder(tmp_path / "red.png")
    source.open()
    planes = read(source).planes
    assert planes.v.min() > 200
    assert planes.u.max() < 110

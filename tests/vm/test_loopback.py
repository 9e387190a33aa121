"""The webcam of software: what programs read from it, who counts as a reader, what it does without scrim."""

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.chromium import CHROMIUM

from scrim.core.capture.room import room_picture
from scrim.core.capture.v4l2 import V4L2Camera
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.composite.replace import color_picture
from scrim.core.demand import LINGER_S
from scrim.core.sinks.pack import make_packer
from scrim.core.sinks.v4l2loopback import FOURCCS, SILENCE_MS, V4L2LoopbackSink
from scrim.core.videodev2 import Direction, VideoNode
from scrim.detector import THRESHOLD, CodedBackground, Detector
from scrim.errors import SinkError
from scrim.frame import Caps, Planes, SafeFrame
from scrim.local.status import SinkStatus, Status

from .browser import seen_by_chromium
from .usb import PATIENCE_S, run, until
from .video import COLOR, SIZE, Core, Loopback, Reader, Vivid

WIDTH, HEIGHT = SIZE
CAPS = Caps(*SIZE, 30)
NODE = str(Loopback.node)
SINK = f"v4l2loopback:{NODE}"
OUTPUT = (f"camera.width={WIDTH}", f"camera.height={HEIGHT}", f"sinks=['{SINK}']")
REPLACED = ("effect=color", f"color={COLOR}")
GREEN = (0, 255, 0)
KEY = "tests/vm"
TRIES = 5
"""Where the feeder stops for a second, the device shows its own placeholder."""

Measured = Callable[[str, list[float]], None]
Within = Callable[[float], float]

FEEDER = """
import sys, time
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.sinks.v4l2loopback import V4L2LoopbackSink
from scrim.frame import Caps
width, height = int(sys.argv[2]), int(sys.argv[3])
sink = V4L2LoopbackSink(sys.argv[1], wanted=sys.argv[4] or None)
sink.open(Caps(width, height, 30))
frame = PlaceholderPainter((width, height)).paint(Reason.PRIVACY, 1)
while True:
    sink.write(frame)
    time.sleep(1 / 30)
"""


def placeholder(reason: Reason = Reason.PRIVACY) -> SafeFrame:
    return PlaceholderPainter(SIZE).paint(reason, 1)


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    made = Loopback()
    yield made
    made.remove()


@pytest.fixture
def old_loopback() -> Iterator[Loopback]:
    made = Loopback(is_old=True)
    yield made
    made.remove()


@pytest.fixture
def vivid() -> Iterator[Vivid]:
    made = Vivid()
    yield made
    made.remove()


@contextlib.contextmanager
def fed(wanted: str = "") -> Iterator[None]:
    """Somebody writes a placeholder 30 times a second, through scrim's sink, in another process."""
    feeder = subprocess.Popen([sys.executable, "-c", FEEDER, NODE, str(WIDTH), str(HEIGHT), wanted])
    try:
        words = ("guest", "v4l2-ctl", "-d", NODE, "--get-fmt-video")
        until(lambda: "Pixel Format" in run(*words, is_checked=False), what="a format")
        yield
    finally:
        feeder.terminate()
        feeder.wait()


def by_v4l2_ctl(file: Path) -> None:
    run(
        "guest",
        "v4l2-ctl",
        "-d",
        NODE,
        "--stream-mmap",
        "--stream-count=5",
        f"--stream-to={file}",
    )


def by_ffmpeg(file: Path) -> None:
    words = ("ffmpeg", "-loglevel", "error", "-f", "v4l2", "-i", NODE, "-frames:v", "5", "-c", "copy")
    run(*words, "-f", "rawvideo", file)


def by_gstreamer(file: Path) -> None:
    run(
        "gst-launch-1.0",
        "-q",
        "v4l2src",
        f"device={NODE}",
        "num-buffers=5",
        "!",
        "filesink",
        f"location={file}",
    )


def by_opencv(file: Path) -> None:
    capture = cv2.VideoCapture(NODE, cv2.CAP_V4L2)
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    frames = [capture.read()[1] for _ in range(5)]
    capture.release()
    file.write_bytes(b"".join(frame.tobytes() for frame in frames))


@pytest.fixture(scope="class", params=FOURCCS)
def written(request: pytest.FixtureRequest) -> Iterator[bytes]:
    """The picture that is in the device all the while, in one format."""
    device = Loopback()
    try:
        with fed(request.param):
            yield make_packer(FOURCCS[request.param], SIZE)(placeholder().i420).tobytes()
    finally:
        device.remove()


class TestPrograms:
    @pytest.mark.parametrize("read", [by_v4l2_ctl, by_ffmpeg, by_gstreamer, by_opencv])
    def test_every_format_is_read_byte_for_byte(
        self, written: bytes, tmp_path: Path, read: Callable[[Path], None]
    ) -> None:
        got = b""
        for _ in range(TRIES):
            read(tmp_path / "read")
            got = (tmp_path / "read").read_bytes()
            assert len(got) == 5 * len(written)
            if got == 5 * written:
                break
        assert got == 5 * written


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium")
@pytest.mark.parametrize(
    "wanted", ["I420", *(pytest.param(other, marks=pytest.mark.long_only) for other in ("YUYV", "NV12"))]
)
def test_a_page_in_chromium_sees_it_as_a_camera(loopback: Loopback, tmp_path: Path, wanted: str) -> None:
    sink = f"sinks=['{SINK}?format={wanted}']"
    with Core(tmp_path, "camera.source=test:", *OUTPUT, sink, *REPLACED) as core:
        core.until_live()
        seen = seen_by_chromium(tmp_path / "chromium", SIZE, GREEN)
    assert seen["label"].startswith("Scrim")
    assert (seen["width"], seen["height"]) == SIZE
    for pixel in ("corner", "middle"):
        assert max(abs(have - want) for have, want in zip(seen[pixel], GREEN, strict=True)) < 12, seen


def sink_of(status: Status | None) -> SinkStatus:
    assert status is not None
    return next(sink for sink in status["sinks"] if sink["name"].startswith(SINK))


class TestReaders:
    def test_they_are_counted_as_the_device_tells(self, loopback: Loopback, tmp_path: Path) -> None:
        with Core(tmp_path, "camera.source=test:", *OUTPUT, *REPLACED) as core:
            core.until_live()
            assert sink_of(core.status())["consumers"] == 0
            with Reader(loopback.node):
                core.until(lambda status: sink_of(status)["consumers"] == 1, what="the reader")
            core.until(lambda status: sink_of(status)["consumers"] == 0, what="its end")
            with contextlib.closing(VideoNode(NODE)) as looker:
                looker.capability()
                time.sleep(0.5)
                assert sink_of(core.status())["consumers"] == 0, "one who only looks reads nothing"

    def test_a_second_one_is_told_that_it_is_in_use(self, loopback: Loopback) -> None:
        with fed(), Reader(loopback.node) as reader:
            reader.after(0, "placeholder")
            with pytest.raises(OSError, match="busy"):
                Reader(loopback.node)
            assert reader.errors == []

    def test_before_0_13_whoever_has_it_open_counts(self, old_loopback: Loopback, tmp_path: Path) -> None:
        with Core(tmp_path, "camera.source=test:", *OUTPUT, *REPLACED) as core:
            core.until_live()
            core.until(lambda status: sink_of(status)["consumers"] == 0, what="nobody")
            with Reader(old_loopback.node) as one, Reader(old_loopback.node) as another:
                core.until(lambda status: sink_of(status)["consumers"] == 1, what="this process")
                for reader in (one, another):
                    reader.after(0, "live")
            core.until(lambda status: sink_of(status)["consumers"] == 0, what="its end")

    def test_nobody_is_counted_by_one_who_may_not_look(self, old_loopback: Loopback) -> None:
        code = f"from scrim.core.node_errors import count_holders; print(count_holders('{NODE}'))"
        words = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code)
        assert run(*words).split()[-1] == "None"


@pytest.mark.cycles(short=1, long=50)
@pytest.mark.parametrize("is_old", [False, True], ids=["0.15", "0.12.7"])
def test_the_camera_is_open_only_while_somebody_watches(
    vivid: Vivid, tmp_path: Path, cycles: int, is_old: bool, measured: Measured, within: Within
) -> None:
    loopback, alone_s, open_s, live_s = Loopback(is_old=is_old), [], [], []
    core = Core(tmp_path, f"camera.source=v4l2:{vivid.node}", "camera.on_demand=true", *OUTPUT, *REPLACED)
    with contextlib.ExitStack() as stack:
        stack.callback(loopback.remove)
        stack.enter_context(core)
        core.until(lambda status: status["camera"]["state"] == "idle", what="rest")
        for _ in range(cycles):
            assert not is_open(vivid, core), "the camera's light would be on"
            rested_s = time.monotonic()
            alone_s.append(opening_s(vivid))
            begun_s = time.monotonic()
            with Reader(loopback.node) as reader:
                until(lambda: is_open(vivid, core), what="the camera's opening")
                open_s.append(time.monotonic() - begun_s)
                live_s.append(reader.after(begun_s, "live"))
                assert reader.kinds() <= {"placeholder", "live"}
                old = {
                    (seen.kind, seen.written_s - rested_s) for seen in reader.seen if seen.written_s < begun_s
                }
                assert {kind for kind, _ in old} <= {"placeholder"}, f"kept from before, since rest: {old}"
                gone_s = time.monotonic()
            # One that comes again at once finds the camera still open.
            with Reader(loopback.node) as again:
                again.after(0, "live")
                is_there = is_open(vivid, core)
                left_s = time.monotonic()
                assert is_there or left_s - gone_s > LINGER_S / 2
            core.until(lambda status: status["camera"]["state"] == "idle", what="rest")
            # A core that was stopped may have seen only the one before.
            assert time.monotonic() - gone_s > LINGER_S - 2
    version = "0.12.7" if is_old else "0.15"
    measured(f"on demand, {version}: opening the camera alone", alone_s)
    measured(f"on demand, {version}: reader to open camera", open_s)
    measured(f"on demand, {version}: reader to live picture", live_s)
    assert statistics.median(open_s) <= within(1)
    assert statistics.median(live_s) <= within(2)


def opening_s(vivid: Vivid) -> float:
    """How long this machine takes, at this moment, to open the camera and see a picture."""
    begun_s = time.monotonic()
    camera = V4L2Camera(str(vivid.node), CAPS)
    camera.open()
    until(camera.read, what="a frame")
    camera.close()
    return time.monotonic() - begun_s


def is_open(vivid: Vivid, core: Core) -> bool:
    """Whether the core has the camera's node open."""
    descriptors = Path(f"/proc/{core.pid}/fd").iterdir()
    with contextlib.suppress(FileNotFoundError):
        return any(link.readlink() == vivid.node for link in descriptors)
    return is_open(vivid, core)


class TestWithoutScrim:
    def test_a_reader_sees_the_placeholder_soon_after_the_core_was_killed(
        self, loopback: Loopback, tmp_path: Path, within: Within
    ) -> None:
        with Core(tmp_path, "camera.source=test:", *OUTPUT, *REPLACED) as core:
            core.until_live()
            with Reader(loopback.node) as reader:
                reader.after(0, "live")
                core.kill()
                killed_s = time.monotonic()
                assert reader.after(killed_s, "placeholder") < within(SILENCE_MS / 1000 + 1)
                silent_s = max(killed_s + 0.2, reader.last("live"))
                reader.after(silent_s + 2 * SILENCE_MS / 1000, "placeholder")
                assert reader.kinds(silent_s) == {"placeholder"}
                assert reader.errors == []
                core.start()
                reader.after(core.started_s, "live")
                assert reader.errors == []

    def test_the_last_picture_of_a_core_that_was_stopped_stays(
        self, loopback: Loopback, tmp_path: Path
    ) -> None:
        core = Core(tmp_path, "camera.source=test:", *OUTPUT, *REPLACED)
        core.until_live()
        with Reader(loopback.node) as reader:
            reader.after(0, "live")
            core.stop()
            stopping = placeholder(Reason.STOPPING).i420[:HEIGHT].tobytes()
            until(lambda: reader.newest == stopping, what="its last picture")
            time.sleep(3 * SILENCE_MS / 1000)
            assert reader.newest == stopping
            assert reader.errors == []

    def test_the_old_device_does_not_stick_between_two_runs(self, old_loopback: Loopback) -> None:
        sink = V4L2LoopbackSink(NODE)
        for _ in range(3):
            sink.open(CAPS)
            sink.write(placeholder())
            sink.close()
            run("guest", "v4l2-ctl", "-d", NODE, "--all", is_checked=False)

    def test_the_old_device_is_freed_where_another_program_left_it_stuck(
        self, old_loopback: Loopback
    ) -> None:
        leave_stuck()
        with pytest.raises(OSError, match="Invalid argument"):
            leave_stuck()
        sink = V4L2LoopbackSink(NODE)
        sink.open(CAPS)
        sink.write(placeholder())
        with Reader(old_loopback.node) as reader:
            sink.write(placeholder())
            reader.after(0, "placeholder")
        sink.close()

    def test_a_stuck_device_that_cannot_be_freed_is_diagnosed_with_the_mend(
        self, old_loopback: Loopback
    ) -> None:
        leave_stuck()
        with pytest.raises(SinkError) as refused:
            V4L2LoopbackSink(NODE, Unfreeable).open(CAPS)
        text = str(refused.value)
        assert "before 0.13, with exclusive_caps=1, it sticks" in text
        mend = "modprobe -r v4l2loopback && sudo modprobe v4l2loopback"
        assert mend in text
        old_loopback.remove()
        Loopback(is_old=True)
        sink = V4L2LoopbackSink(NODE, Unfreeable)
        sink.open(CAPS)
        sink.write(placeholder())
        sink.close()


class Unfreeable(VideoNode):
    """A node on which the claim is refused."""

    def claim_output(self) -> None:
        raise OSError(22, "Invalid argument")


def leave_stuck() -> None:
    """Feed the device as a program does that only writes."""
    with contextlib.closing(VideoNode(NODE)) as node:
        node.capability()
        node.set_format(Direction.OUTPUT, "YU12", SIZE)
        node.write(placeholder().i420.reshape(-1), 0.1)


class TestFormat:
    def test_a_reader_keeps_its_format_over_a_restart_that_wants_another(
        self, loopback: Loopback, tmp_path: Path
    ) -> None:
        with Core(tmp_path, "camera.source=test:", *OUTPUT, *REPLACED) as core:
            core.until_live()
            with Reader(loopback.node) as reader:
                reader.after(0, "live")
                core.kill()
                other = tmp_path / "other"
                other.mkdir()
                sink = f"sinks=['{SINK}?format=YUYV']"
                with Core(other, "camera.source=test:", *OUTPUT, sink, *REPLACED) as second:
                    reader.after(second.started_s, "live")
                    assert reader.errors == []

    def test_another_size_is_refused_while_somebody_reads(self, loopback: Loopback) -> None:
        with contextlib.ExitStack() as feeding:
            feeding.enter_context(fed())
            with Reader(loopback.node) as reader:
                reader.after(0, "placeholder")
                with pytest.raises(SinkError, match="If another program feeds it, stop that one"):
                    V4L2LoopbackSink(NODE).open(Caps(1280, 720, 30))
                feeding.close()
                with pytest.raises(SinkError, match="stays at YU12 640x360, and will not be 1280x720@30"):
                    V4L2LoopbackSink(NODE).open(Caps(1280, 720, 30))
                assert reader.errors == []


@pytest.fixture
def coded_room(tmp_path: Path) -> Path:
    """A film of a room whose every block carries a code that a detector finds."""
    room = room_picture(SIZE).copy()
    planes = Planes.of(room)
    planes.y[:] = CodedBackground(SIZE, KEY).mark(np.array(planes.y))
    file = tmp_path / "room.mkv"
    words = [
        "ffmpeg",
        "-loglevel",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
        "-s",
        f"{WIDTH}x{HEIGHT}",
    ]
    words += ["-r", "30", "-i", "-", "-c:v", "ffv1", str(file)]
    subprocess.run(words, input=room.tobytes() * 30, check=True)
    return file


def received(count: int) -> list[bytes]:
    """Pictures as a program reads them."""
    with contextlib.closing(VideoNode(NODE)) as node:
        node.set_format(Direction.CAPTURE, "YU12", SIZE)
        node.start(4)
        pictures = []
        deadline_s = time.monotonic() + PATIENCE_S
        while len(pictures) < count and time.monotonic() < deadline_s:
            if node.ready(1):
                filled = node.dequeue()
                pictures.append(filled.data.tobytes())
                node.queue(filled.index)
        node.stop()
    return pictures


@pytest.mark.parametrize("effect", ["raw", "color", "blur"])
def test_the_room_is_nowhere_in_what_a_reader_gets(
    loopback: Loopback, tmp_path: Path, coded_room: Path, effect: str
) -> None:
    raw = ("effect=off", "privacy.allow_raw=true")
    settings = {"raw": raw, "color": REPLACED, "blur": ("effect=blur", "strength=high")}[effect]
    with Core(tmp_path, f"camera.source=file:{coded_room}", *OUTPUT, *settings) as core:
        core.until_live()
        pictures = received(60)
    detector = Detector(SIZE, KEY)
    worst = [
        float(detector.blocks(np.frombuffer(one, np.uint8).reshape(-1, WIDTH)[:HEIGHT]).max())
        for one in pictures
    ]
    assert len(worst) == 60
    if effect == "raw":
        assert max(worst) > THRESHOLD, "the detector does not see the room where it shows"
    else:
        assert max(worst) < THRESHOLD


def test_colours_are_what_they_should_be(loopback: Loopback, tmp_path: Path) -> None:
    with Core(tmp_path, "camera.source=test:", *OUTPUT, *REPLACED) as core:
        core.until_live()
        until(shows_its_color, what="the colour")


def shows_its_color() -> bool:
    """A core that has no time shows the placeholder for a moment."""
    picture = np.frombuffer(received(3)[-1], np.uint8).reshape(-1, WIDTH)
    return bool(np.abs(picture.astype(int) - color_picture(COLOR, SIZE)).mean() < 1)

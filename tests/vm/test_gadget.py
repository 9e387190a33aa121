"""The board as a webcam, end to end: configfs, the kernel's UVC function, and Linux as the host."""

import fcntl
import itertools
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.config import GadgetSettings
from scrim.core.capture.test import TestPattern
from scrim.core.capture.v4l2 import V4L2Camera
from scrim.errors import SinkError
from scrim.frame import Caps
from scrim.uvc.offers import UNIT_HZ, Speed, offers_at

from .usb import (
    MODULES,
    PATIENCE_S,
    Board,
    Cable,
    camera,
    camera_gone,
    gadget,
    program,
    run,
    until,
)

SETTINGS = GadgetSettings(packet_bytes=3072)
PACKETS = "gadget.packet_bytes=3072"
CAPS = Caps(1280, 720, 30)
MODES = [
    (offer.fourcc, frame.size, round(UNIT_HZ / interval))
    for offer in offers_at(Speed.HIGH, SETTINGS.wish).formats
    for frame in offer.frames
    for interval in frame.intervals
]
TRIES = 5
"""A stream begins with the placeholder, and stays with it while this process has no time for the next."""

USBDEVFS_RESET = ord("U") << 8 | 20


@pytest.fixture(scope="module", autouse=True)
def drivers() -> Iterator[None]:
    run("modprobe", "-a", *MODULES)
    yield
    gadget("down")
    # udev may still look at the node that went last.
    run("guest", "udevadm", "settle")
    run("modprobe", "-r", *reversed(MODULES))


@pytest.fixture(scope="module")
def is_up(drivers: None) -> None:
    gadget("up", PACKETS)


@pytest.fixture
def board(is_up: None) -> Iterator[Board]:
    with Board(SETTINGS, CAPS) as made:
        yield made
    camera_gone()


@pytest.fixture(scope="class")
def lasting_board(is_up: None) -> Iterator[Board]:
    """One for many tests that leave it as it was."""
    with Board(SETTINGS, CAPS) as made:
        yield made
    camera_gone()


def stream(node: Path, fourcc: str, size: tuple[int, int], rate: int, count: int, file: Path) -> str:
    """Let v4l2-ctl take some pictures."""
    form = f"width={size[0]},height={size[1]},pixelformat={fourcc}"
    return run(
        "v4l2-ctl",
        f"--device={node}",
        f"--set-fmt-video={form}",
        f"--set-parm={rate}",
        "--get-parm",
        "--get-fmt-video",
        "--stream-mmap",
        f"--stream-count={count}",
        f"--stream-to={file}",
    )


def jpegs(data: bytes) -> list[bytes]:
    """The pictures in a file of JPEGs one behind the other."""
    return [b"\xff\xd8\xff" + part for part in data.split(b"\xff\xd8\xff")[1:]]


def luma(fourcc: str, size: tuple[int, int], data: bytes) -> list[np.ndarray]:
    """Each picture's luma, in JPEG's range or video's as it came."""
    width, height = size
    if fourcc == "YUYV":
        step = width * height * 2
        pictures = (data[place : place + step] for place in range(0, len(data) - step + 1, step))
        return [np.frombuffer(each, np.uint8)[0::2].reshape(height, width) for each in pictures]
    return [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_GRAYSCALE) for each in jpegs(data)]


def expected_luma(fourcc: str, size: tuple[int, int]) -> np.ndarray:
    """The test pattern's bars as a host gets them, without the moving parts."""
    source = TestPattern(CAPS, pace=False)
    source.open()
    frame = source.read()
    assert frame is not None
    y = frame.planes.y
    wide = min(CAPS.width, round(CAPS.height * size[0] / size[1]))
    left = (CAPS.width - wide) // 2
    small = cv2.resize(y[:, left : left + wide], size, interpolation=cv2.INTER_AREA).astype(np.float64)
    return np.clip((small - 16) * 255 / 219, 0, 255) if fourcc == "MJPG" else small


def control(node: Path, name: str) -> int:
    return int(run("v4l2-ctl", f"--device={node}", f"--get-ctrl={name}").split()[-1])


def set_control(node: Path, name: str, value: int) -> None:
    run("v4l2-ctl", f"--device={node}", f"--set-ctrl={name}={value}")


class TestOneBoard:
    """What a host finds and tries while nobody touches the cable."""

    def test_the_host_sees_a_webcam_of_our_name(self, lasting_board: Board) -> None:
        node = camera()
        device = (Path("/sys/class/video4linux") / node.name / "device").resolve().parent
        told = {name: (device / name).read_text().strip() for name in ("idVendor", "idProduct", "speed")}
        assert told == {"idVendor": "1d6b", "idProduct": "0104", "speed": "480"}
        assert (device / "product").read_text().strip() == "Scrim Camera"
        assert (device / "manufacturer").read_text().strip() == "scrim"
        assert re.fullmatch(r"[0-9a-f]{16}", (device / "serial").read_text().strip())
        assert [(device / name).read_text().strip() for name in ("bDeviceClass", "bDeviceSubClass")] == [
            "ef",
            "02",
        ]
        assert "Found UVC 1.10 device Scrim Camera (1d6b:0104)" in run("dmesg")

    def test_the_host_is_offered_what_the_settings_say(self, lasting_board: Board) -> None:
        told = run("v4l2-ctl", f"--device={camera()}", "--list-formats-ext")
        found = []
        fourcc, size = "", (0, 0)
        for line in told.splitlines():
            if form := re.search(r"\]: '(\w{4})'", line):
                fourcc = form[1]
            if form := re.search(r"Discrete (\d+)x(\d+)", line):
                size = int(form[1]), int(form[2])
            if form := re.search(r"\((\d+)\.000 fps\)", line):
                found.append((fourcc, size, int(form[1])))
        assert found == MODES

    @pytest.mark.parametrize(
        ("fourcc", "size", "rate"),
        MODES,
        ids=[f"{fourcc}-{size[0]}x{size[1]}-{rate}" for fourcc, size, rate in MODES],
    )
    def test_every_offer_streams_the_right_picture(
        self, fourcc: str, size: tuple[int, int], rate: int, lasting_board: Board, tmp_path: Path
    ) -> None:
        """The host's program gets this format, this size, this rate, and the picture that was sent."""
        file = tmp_path / "pictures"
        wanted, off = expected_luma(fourcc, size), 255.0
        for _ in range(TRIES):
            told = stream(camera(), fourcc, size, rate, 5, file)
            assert f"{rate}.000 (" in told
            assert f"{size[0]}/{size[1]}" in told
            pictures = luma(fourcc, size, file.read_bytes())
            assert len(pictures) == 5
            # The block and the counter move; the rest, four fifths of the picture, is what was drawn.
            off = float(np.quantile(np.abs(pictures[-1].astype(np.float64) - wanted), 0.8))
            if off <= 6:
                break
        assert off <= 6, f"{fourcc} {size}: off by {off:.1f}"

    def test_ffmpeg_takes_it_as_a_webcam(self, lasting_board: Board, tmp_path: Path) -> None:
        file = tmp_path / "out.mkv"
        run(
            *("ffmpeg", "-v", "error", "-f", "v4l2", "-input_format", "mjpeg", "-video_size", "1280x720"),
            *("-framerate", "15", "-i", camera(), "-frames:v", "10", "-c:v", "copy", file),
        )
        video = cv2.VideoCapture(str(file))
        frames = [video.read()[1] for _ in range(10)]
        assert all(frame is not None and frame.shape == (720, 1280, 3) for frame in frames)

    def test_gstreamer_takes_it_as_a_webcam(self, lasting_board: Board, tmp_path: Path) -> None:
        run(
            *("gst-launch-1.0", "-q", "v4l2src", f"device={camera()}", "num-buffers=10", "!"),
            *("video/x-raw,format=YUY2,width=640,height=360,framerate=15/1", "!"),
            *("filesink", f"location={tmp_path / 'out'}"),
        )
        assert (tmp_path / "out").stat().st_size == 10 * 640 * 360 * 2

    def test_the_kernels_own_judge_finds_no_fault(self, lasting_board: Board) -> None:
        """v4l2-compliance tries every ioctl and every control on the host's node."""
        told = run("guest", "v4l2-compliance", f"--device={camera()}", limit_s=600, is_checked=False)
        assert re.search(r"Failed: 0, Warnings: \d+", told), told[-3000:]

    @pytest.mark.parametrize(
        ("name", "lowest", "highest", "default"),
        [("brightness", -64, 64, 0), ("contrast", 0, 200, 100), ("zoom_absolute", 100, 300, 100)],
    )
    def test_a_control_is_read_and_set_by_the_host(
        self, name: str, lowest: int, highest: int, default: int, lasting_board: Board
    ) -> None:
        node = camera()
        listed = run("v4l2-ctl", f"--device={node}", "--list-ctrls")
        assert re.search(
            rf"{name} .*min={lowest} max={highest} step=1 default={default} value={default}", listed
        )
        for value in (lowest, highest, default):
            set_control(node, name, value)
            assert control(node, name) == value


def test_yuyv_arrives_byte_for_byte(is_up: None, tmp_path: Path) -> None:
    """A placeholder of the negotiated size comes out of the host's driver as it went into the sink."""
    with Board(SETTINGS, Caps(640, 480, 25)) as board:
        board.is_painting = True
        file = tmp_path / "pictures"
        from scrim.core.composite.placeholder import PlaceholderPainter, Reason
        from scrim.core.sinks.pack import ToYuyv

        wanted = ToYuyv((640, 480))(PlaceholderPainter((640, 480)).paint(Reason.NOBODY, 0).i420).tobytes()
        got = b""
        for _ in range(TRIES):
            stream(camera(), "YUYV", (640, 480), 25, 6, file)
            got = file.read_bytes()[-len(wanted) :]
            if got == wanted:
                break
    assert got == wanted
    camera_gone()


def test_brightness_and_zoom_change_what_the_host_sees(board: Board, tmp_path: Path) -> None:
    node, size = camera(), (640, 360)

    def seen() -> np.ndarray:
        stream(node, "YUYV", size, 15, 4, tmp_path / "pictures")
        return luma("YUYV", size, (tmp_path / "pictures").read_bytes())[-1].astype(int)

    def changes_are_seen() -> bool:
        plain = seen()
        set_control(node, "brightness", 40)
        brighter = seen()
        set_control(node, "brightness", 0)
        set_control(node, "zoom_absolute", 300)
        nearer = seen()
        set_control(node, "zoom_absolute", 100)
        # Seven bars from edge to edge; three times nearer there are three at most.
        edges = [np.count_nonzero(np.abs(np.diff(picture[30])) > 8) for picture in (plain, nearer)]
        return bool(25 < np.median(brighter - plain) <= 40 and edges[1] < edges[0])

    assert any(changes_are_seen() for _ in range(TRIES))


def test_the_privacy_control_shows_the_cameras_and_sets_the_hosts(board: Board) -> None:
    node = camera()
    assert control(node, "privacy") == 0
    board.shutter.is_private = True
    assert control(node, "privacy") == 1
    set_control(node, "privacy", 0)
    until(lambda: not board.shutter.is_private, what="the host's 0")
    set_control(node, "privacy", 1)
    until(lambda: board.shutter.is_private, what="the host's 1")


def watching(node: Path) -> "subprocess.Popen[str]":
    words = ["v4l2-ctl", f"--device={node}", "--set-fmt-video=pixelformat=MJPG", "--stream-mmap"]
    return program(*words)  # type: ignore[return-value]


@pytest.mark.cycles(short=3, long=50)
def test_a_cable_pulled_out_of_a_stream_is_survived(cycles: int, board: Board) -> None:
    cable = Cable()
    for _ in range(cycles):
        with watching(camera()) as host:
            until(lambda: board.sink.consumers, what="a stream")
            cable.pull()
            host.wait(PATIENCE_S)
        until(lambda: not board.sink.consumers, what="the stream's end")
        camera_gone()
        cable.push()
    camera()
    assert board.fault is None


@pytest.mark.cycles(short=2, long=50)
def test_a_host_that_resets_the_bus_gets_its_pictures_again(cycles: int, board: Board) -> None:
    """What a host does to a camera when it wakes from sleep without having kept its port powered."""
    for _ in range(cycles):
        with watching(camera()) as host:
            until(lambda: board.sink.consumers, what="a stream")
            reset(camera())
            host.wait(PATIENCE_S)
        assert len(luma("MJPG", (640, 360), take_jpegs(camera()))) == 5
    assert board.fault is None


def reset(node: Path) -> None:
    """Reset the camera from the host's side, as usbreset does."""
    device = (Path("/sys/class/video4linux") / node.name / "device").resolve().parent
    bus, number = (int((device / name).read_text()) for name in ("busnum", "devnum"))
    with Path(f"/dev/bus/usb/{bus:03}/{number:03}").open("wb", buffering=0) as file:
        fcntl.ioctl(file, USBDEVFS_RESET, 0)


def test_a_gadget_taken_down_under_a_stream_is_taken_up_again(is_up: None) -> None:
    """The kernel waits until the node is let go; the sink says so, and opens again when there is one."""
    with Board(SETTINGS, CAPS) as board:
        with watching(camera()) as host:
            until(lambda: board.sink.consumers, what="a stream")
            began_s = time.monotonic()
            gadget("down")
            assert time.monotonic() - began_s < PATIENCE_S
            host.wait(PATIENCE_S)
        until(lambda: board.fault, what="the sink's error")
        assert "taken down" in str(board.fault)
    with pytest.raises(SinkError, match="no USB gadget is set up"):
        Board(SETTINGS, CAPS).sink.open(CAPS)
    gadget("up", PACKETS)
    with Board(SETTINGS, CAPS):
        assert len(luma("MJPG", (640, 360), take_jpegs(camera()))) == 5
    camera_gone()


def take_jpegs(node: Path) -> bytes:
    file = Path("/tmp/five")
    stream(node, "MJPG", (640, 360), 15, 5, file)
    return file.read_bytes()


@pytest.mark.cycles(short=20, long=500)
@pytest.mark.patience(1200)
def test_a_host_starts_and_stops_as_often_as_it_likes(
    cycles: int,
    board: Board,
    measured: Callable[[str, list[float]], None],
    within: Callable[[float], float],
) -> None:
    """Each start brings a picture within a second; formats and sizes take turns."""
    node, took_s = str(camera()), list[float]()
    sizes = itertools.cycle([(1280, 720), (640, 360), (640, 480)])
    descriptors = None
    for number in range(cycles):
        host = V4L2Camera(node, Caps(*next(sizes), 30))
        began_s = time.monotonic()
        host.open()
        until(lambda host=host: host.read(), what="a picture")  # type: ignore[misc]
        took_s.append(time.monotonic() - began_s)
        host.close()
        until(lambda: not board.sink.consumers, what="the stream's end")
        if number == min(5, cycles - 1):
            descriptors = len(list(Path("/proc/self/fd").iterdir()))
    measured("usb: start to first picture", took_s)
    assert max(took_s) <= within(1.0)
    # One that is left at each start would be many more.
    assert len(list(Path("/proc/self/fd").iterdir())) <= (descriptors or 0) + 4
    assert board.fault is None


def test_the_first_picture_of_a_stream_is_the_placeholder(board: Board, tmp_path: Path) -> None:
    """The test pattern's white block and bright bars are not in it."""
    file = tmp_path / "picture"
    for _ in range(3):
        stream(camera(), "YUYV", (640, 360), 15, 1, file)
        [picture] = luma("YUYV", (640, 360), file.read_bytes())
        assert np.percentile(picture, 99.9) < 215
        until(lambda: not board.sink.consumers, what="the stream's end")


def test_another_program_cannot_serve_the_gadget_meanwhile(board: Board) -> None:
    with pytest.raises(SinkError, match=r"is served by .*; stop it"):
        Board(SETTINGS, CAPS).sink.open(CAPS)

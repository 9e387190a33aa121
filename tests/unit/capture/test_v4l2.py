"""The V4L2 camera: what it chooses, what it throws away, and what it says when something is wrong."""

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from scrim.core.capture.buffers import FRAMES_OUT
from scrim.core.capture.v4l2 import RESTART_AFTER_S, V4L2Camera
from scrim.core.capture.v4l2_offers import Offer, choose
from scrim.core.node_controls import Control
from scrim.core.videodev2 import Format
from scrim.core.videodev2_fake import FakeCamera, Sizes
from scrim.errors import SourceError
from scrim.frame import Caps

SIZE = (96, 64)
CAPS = Caps(*SIZE, 30)


def picture(given: Format, number: int) -> bytes:
    width, height = given.size
    match given.fourcc:
        case "MJPG":
            return bytes(
                simplejpeg.encode_jpeg(np.full((height, width, 3), number, np.uint8), 90, "BGR", "422")
            )
        case "YUYV":
            return bytes([number, 128] * (width * height))
        case _:
            return bytes([number]) * (width * height) + bytes([128]) * (width * height // 2)


def open_camera(sizes: Sizes | None = None) -> tuple[V4L2Camera, FakeCamera]:
    node = FakeCamera(sizes or {"YU12": {SIZE: 30.0}}, picture)
    camera = V4L2Camera("/dev/video9", CAPS, lambda _: node)
    camera.open()
    return camera, node


@pytest.mark.parametrize(
    ("offers", "best"),
    [
        ({"MJPG": {(1280, 720): 30}, "YUYV": {(1280, 720): 10}}, ("MJPG", (1280, 720))),
        ({"MJPG": {(1280, 720): 30}, "YUYV": {(1280, 720): 30}}, ("YUYV", (1280, 720))),
        ({"MJPG": {(1280, 720): 30}, "NV12": {(640, 480): 30}}, ("MJPG", (1280, 720))),
        ({"YUYV": {(640, 480): 30, (1920, 1080): 5}}, ("YUYV", (1920, 1080))),
        ({"YUYV": {(640, 480): 30, (320, 240): 60}}, ("YUYV", (640, 480))),
        ({"YUYV": {(1280, 720): 10}, "MJPG": {(1280, 720): 15}}, ("MJPG", (1280, 720))),
        ({"YUYV": {(1280, 720): 0}, "MJPG": {(1280, 720): 30}}, ("YUYV", (1280, 720))),
        ({"MJPG": {(1280, 720): 29.97}, "YUYV": {(1280, 720): 29.97}}, ("YUYV", (1280, 720))),
        ({"YU12": {(2592, 1944): 30, (1296, 972): 30}}, ("YU12", (1296, 972))),
    ],
)
def test_size_then_rate_then_cost_decide(offers: Sizes, best: tuple[str, tuple[int, int]]) -> None:
    listed = [Offer(fourcc, size, rate) for fourcc, sizes in offers.items() for size, rate in sizes.items()]
    chosen = choose(listed, Caps(1280, 720, 30))
    assert (chosen.fourcc, chosen.size) == best


@pytest.mark.parametrize("fourcc", ["YU12", "YUYV", "MJPG"])
def test_pictures_arrive_in_every_format(fourcc: str) -> None:
    camera, _ = open_camera({fourcc: {SIZE: 30.0}})
    lumas = []
    for _ in range(3):
        frame = camera.read()
        assert frame is not None
        lumas.append(float(frame.planes.y.mean()))
    assert lumas == sorted(lumas)


def test_the_nearest_size_is_delivered_and_told() -> None:
    node = FakeCamera({"YUYV": {(640, 480): 15.0}}, picture)
    assert V4L2Camera("/dev/video9", CAPS, lambda _: node).open() == Caps(640, 480, 15)


def test_the_newest_of_several_waiting_pictures_is_taken() -> None:
    camera, node = open_camera()
    node.take(3)
    frame = camera.read()
    assert frame is not None
    assert frame.planes.y[0, 0] == 2
    assert camera.dropped == 2


def test_damaged_pictures_are_counted_not_shown() -> None:
    camera, node = open_camera()
    node.damaged = {0, 1}
    frame = next(filter(None, (camera.read() for _ in range(100))))
    assert frame.planes.y[0, 0] == 2
    assert (frame.sequence, camera.damaged) == (0, 2)


def test_a_damaged_picture_that_a_newer_one_displaced_counts_as_damaged() -> None:
    camera, node = open_camera()
    node.damaged = {1}
    node.take(3)
    frame = camera.read()
    assert frame is not None
    assert frame.planes.y[0, 0] == 2
    assert (camera.dropped, camera.damaged) == (1, 1)


def test_a_cut_jpeg_is_counted_not_shown() -> None:
    def cut(given: Format, number: int) -> bytes:
        whole = picture(given, number)
        return whole if number else whole[: len(whole) // 2]

    camera = V4L2Camera("/dev/video9", CAPS, lambda _: FakeCamera({"MJPG": {SIZE: 30.0}}, cut))
    camera.open()
    assert camera.read() is not None
    assert camera.damaged == 1


def test_a_camera_that_stalls_gives_none_within_a_second_and_goes_on() -> None:
    camera, node = open_camera()
    assert camera.read() is not None
    node.paused = True
    start = time.monotonic()
    assert camera.read() is None
    assert time.monotonic() - start < 30
    node.paused = False
    assert camera.read() is not None


@pytest.mark.parametrize("call", ["ready", "dequeue", "queue"])
def test_a_camera_that_is_pulled_out_is_an_error_and_can_be_closed(call: str) -> None:
    camera, node = open_camera()
    node.failures = {call: errno.ENODEV, "stop": errno.ENODEV}
    with pytest.raises(SourceError, match="the device is gone"):
        camera.read()
    camera.close()
    assert not node.is_open


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EBUSY, "in use by"),
        (errno.EACCES, "group video"),
        (errno.ENOENT, "no such device"),
        (errno.ENOSPC, "bandwidth"),
        (errno.EIO, "EIO"),
    ],
)
@pytest.mark.parametrize("where", ["capability", "set_format", "start"])
def test_refusals_name_the_device_and_the_mend_and_leave_nothing_open(
    number: int, says: str, where: str
) -> None:
    node = FakeCamera({"YU12": {SIZE: 30.0}}, picture)
    node.failures[where] = number
    with pytest.raises(SourceError, match=says) as refused:
        V4L2Camera("/dev/video9", CAPS, lambda _: node).open()
    assert "/dev/video9" in str(refused.value)
    assert not node.is_open


def test_a_node_that_is_no_camera_is_refused() -> None:
    node = FakeCamera({}, picture, flags=0)
    with pytest.raises(SourceError, match="not a camera"):
        V4L2Camera("/dev/video9", CAPS, lambda _: node).open()


def test_formats_nobody_can_read_are_named() -> None:
    node = FakeCamera({"H264": {SIZE: 30.0}, "GREY": {SIZE: 30.0}}, picture)
    with pytest.raises(SourceError, match="delivers H264, GREY; scrim reads YU12"):
        V4L2Camera("/dev/video9", CAPS, lambda _: node).open()


def test_an_odd_size_from_the_driver_is_refused() -> None:
    node = FakeCamera({"YU12": {(95, 63): 30.0}}, picture)
    with pytest.raises(SourceError, match="95x63"):
        V4L2Camera("/dev/video9", CAPS, lambda _: node).open()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/scrim-has-no-such-node"])
def test_the_real_node_refuses_what_is_no_video_device(path: str) -> None:
    with pytest.raises(SourceError, match=path):
        V4L2Camera(path, CAPS).open()


def test_a_file_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    with pytest.raises(SourceError, match="ENOTTY"):
        V4L2Camera(str(tmp_path / "video0"), CAPS).open()


class SilentCamera(FakeCamera):
    """Delivers nothing; ``starts`` counts how often it was asked to."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes, picture)
        self.starts = 0
        self.paused = True

    def start(self, buffers: int) -> None:
        super().start(buffers)
        self.starts += 1


def test_a_camera_that_stays_silent_is_stopped_and_started_and_at_last_opened_anew() -> None:
    now_s, nodes = [0.0], []

    def open_node(_: str) -> SilentCamera:
        nodes.append(SilentCamera({"YU12": {SIZE: 30.0}}))
        return nodes[-1]

    camera = V4L2Camera("/dev/video9", CAPS, open_node, clock_s=lambda: now_s[0])
    camera.open()
    starts = []
    for _ in range(8):
        now_s[0] += RESTART_AFTER_S * 0.6
        assert camera.read() is None
        starts.append([node.starts for node in nodes])
    assert starts == [[1], [2], [2], [3], [3], [3, 1], [3, 1], [3, 2]]
    nodes[-1].paused = False
    assert camera.read() is not None


def test_pictures_without_a_buffer_for_them_are_no_silence() -> None:
    now_s = [0.0]
    node = SilentCamera({"YU12": {SIZE: 30.0}})
    node.paused = False
    camera = V4L2Camera("/dev/video9", CAPS, lambda _: node, clock_s=lambda: now_s[0])
    camera.open()
    kept = [camera.read() for _ in range(FRAMES_OUT)]
    for _ in range(4):
        now_s[0] += RESTART_AFTER_S
        assert camera.read() is None
    assert node.starts == 1
    assert None not in kept


def test_a_camera_that_is_another_one_when_it_is_opened_anew_is_an_error() -> None:
    now_s = [0.0]
    sizes = [(96, 64), (128, 96)]
    camera = V4L2Camera(
        "/dev/video9",
        CAPS,
        lambda _: SilentCamera({"YU12": {sizes.pop(0): 30.0}}),
        clock_s=lambda: now_s[0],
    )
    camera.open()
    for _ in range(2):
        now_s[0] += RESTART_AFTER_S * 1.1
        assert camera.read() is None
    now_s[0] += RESTART_AFTER_S * 1.1
    with pytest.raises(SourceError, match="delivers 128x96@30 now, not 96x64@30"):
        camera.read()


def test_it_is_looked_for_by_its_stable_name_once_it_was_opened() -> None:
    opened: list[str] = []

    def open_node(path: str) -> FakeCamera:
        opened.append(path)
        return FakeCamera({"YU12": {SIZE: 30.0}}, picture)

    camera = V4L2Camera("/dev/video9", CAPS, open_node, name_of=lambda _: "/dev/v4l/by-id/usb-cam")
    camera.open()
    camera.close()
    camera.open()
    assert opened == ["/dev/video9", "/dev/v4l/by-id/usb-cam"]
    assert camera.place == "/dev/v4l/by-id/usb-cam"


def test_a_name_that_udev_makes_late_is_found_with_the_first_picture() -> None:
    names: Iterator[str | None] = iter([None, "/dev/v4l/by-id/usb-cam"])
    camera = V4L2Camera(
        "/dev/video9",
        CAPS,
        lambda _: FakeCamera({"YU12": {SIZE: 30.0}}, picture),
        name_of=lambda _: next(names),
    )
    camera.open()
    assert camera.place == "/dev/video9"
    assert camera.read() is not None
    assert camera.place == "/dev/v4l/by-id/usb-cam"


def test_its_return_is_noticed_after_it_was_pulled_out(tmp_path: Path) -> None:
    device = tmp_path / "video9"
    device.touch()
    node = FakeCamera({"YU12": {SIZE: 30.0}}, picture)
    camera = V4L2Camera(str(device), CAPS, lambda _: node)
    camera.open()
    node.failures["ready"] = errno.ENODEV
    with pytest.raises(SourceError):
        camera.read()
    assert not camera.has_returned()
    device.unlink()
    assert not camera.has_returned()
    device.touch()
    assert camera.has_returned()


def test_controls_are_set_and_told_and_what_is_refused_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gain = Control(0x980902, "gain", "integer", 10, 100, 10, 50, 50)
    node = FakeCamera({"YU12": {SIZE: 30.0}}, picture).with_controls(gain)
    camera = V4L2Camera("/dev/video9", CAPS, lambda _: node, {"gain": 20, "zoom": 1})
    assert camera.details is None
    for _ in range(2):
        camera.open()
    assert camera.read() is not None
    assert camera.details is not None
    assert camera.details.name == "Fake Camera"
    assert camera.details.delivers == "YU12 96x64@30"
    assert camera.details.controls == {"gain": 20}
    assert camera.details.refused[0].startswith("camera.controls.zoom = 1: the camera has no such control")
    assert caplog.text.count("camera.controls.zoom") == 1

"""V4L2 cameras: what the kernel's test camera offers, refuses and breaks."""

import errno
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from scrim.core.capture.v4l2 import V4L2Camera
from scrim.core.videodev2 import Direction, VideoNode
from scrim.errors import SourceError
from scrim.frame import Caps, Frame, Planes

from .usb import run, scrim, until
from .video import SIZE, Core, Loopback, Vivid

CAPS = Caps(*SIZE, 30)


@pytest.fixture(scope="module")
def lasting() -> Iterator[Vivid]:
    vivid = Vivid()
    yield vivid
    vivid.remove()


@pytest.fixture
def vivid(lasting: Vivid) -> Vivid:
    """The camera as it is at first, with a picture that stands still."""
    lasting.set("osd_text_mode", 2)
    lasting.set("percentage_of_dropped_buffers", 0)
    return lasting


class Only(VideoNode):
    """A node that offers one format of what it has."""

    fourcc = ""

    def formats(self, direction: Direction) -> list[str]:
        return [fourcc for fourcc in super().formats(direction) if fourcc == self.fourcc]


def frame_of(camera: V4L2Camera) -> Frame:
    return until(camera.read, what="a frame")


def picture(vivid: Vivid, fourcc: str) -> Planes:
    """What the camera shows when it delivers one format."""
    kind = type(f"Only{fourcc}", (Only,), {"fourcc": fourcc})
    camera = V4L2Camera(str(vivid.node), CAPS, kind)
    assert camera.open() == CAPS
    assert camera.details is not None
    assert camera.details.delivers == f"{fourcc} 640x360@30"
    frame = frame_of(camera)
    planes = Planes(*(np.array(plane) for plane in frame.planes))
    camera.close()
    return planes


def test_every_format_shows_the_same_picture(vivid: Vivid) -> None:
    vivid.set("test_pattern", 0)
    best = picture(vivid, "YU12")
    assert len(np.unique(best.y)) >= 6, "the bars of the test picture"
    for fourcc in ("NV12", "YUYV"):
        for plane, same in zip(picture(vivid, fourcc), best, strict=True):
            assert (np.abs(plane.astype(int) - same) <= 1).mean() > 0.98, fourcc


def test_the_cheapest_format_is_chosen(vivid: Vivid) -> None:
    camera = V4L2Camera(str(vivid.node), CAPS)
    camera.open()
    assert camera.details is not None
    assert camera.details.delivers.startswith("YU12 ")
    camera.close()


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (Caps(640, 480, 15), Caps(640, 480, 15)),
        (Caps(800, 600, 30), Caps(1280, 720, 30)),
        (Caps(320, 180, 60), Caps(320, 180, 60)),
    ],
)
def test_the_nearest_size_and_rate_are_taken(vivid: Vivid, wanted: Caps, given: Caps) -> None:
    camera = V4L2Camera(str(vivid.node), wanted)
    assert camera.open() == given
    assert frame_of(camera).size == given.size
    told = run("guest", "v4l2-ctl", "-d", vivid.node, "--get-parm")
    camera.close()
    assert f"Frames per second: {given.frame_rate}.000" in told


def delivers(camera: V4L2Camera, fourcc: str) -> bool:
    """Open it; where it delivers something else, or nothing yet, close it again."""
    try:
        camera.open()
    except SourceError:
        return False
    if camera.details is not None and camera.details.delivers.startswith(fourcc):
        return True
    camera.close()
    return False


def test_mjpg_of_a_driver_is_decoded(tmp_path: Path) -> None:
    loopback = Loopback("exclusive_caps=0")
    bars = "smptebars=size=640x360:rate=30"
    words = ["ffmpeg", "-loglevel", "error", "-re", "-f", "lavfi", "-i", bars, "-q:v", "2"]
    feeding = subprocess.Popen([*words, "-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-f", "v4l2", loopback.node])
    camera = V4L2Camera(str(loopback.node), CAPS)
    try:
        # Not before: who opens the node first sets its format, and ffmpeg would be refused.
        until(lambda: loopback.state == "capture", what="the film")
        until(lambda: delivers(camera, "MJPG 640x360"), what="a camera of it")
        frame = frame_of(camera)
        assert camera.damaged == 0
        luma = np.array(frame.planes.y)
        assert luma[100, ::90].std() > 30, "the bars of the test picture"
    finally:
        camera.close()
        feeding.terminate()
        feeding.wait()
        loopback.remove()


def value_of(vivid: Vivid, control: str) -> int:
    told = run("guest", "v4l2-ctl", "-d", vivid.node, "--get-ctrl", control)
    return int(told.split(":")[1].split()[0])


def test_controls_are_set_and_reported(vivid: Vivid) -> None:
    wishes = {"brightness": 90, "gain": 42, "gain_automatic": False, "test_pattern": "100% Black"}
    camera = V4L2Camera(str(vivid.node), CAPS, wishes=wishes)
    camera.open()
    assert camera.details is not None
    assert camera.details.refused == ()
    assert camera.details.controls["brightness"] == value_of(vivid, "brightness") == 90
    assert camera.details.controls["gain"] == value_of(vivid, "gain") == 42
    assert float(frame_of(camera).planes.y.mean()) < 40
    camera.close()
    for name, value in {"brightness": 128, "gain_automatic": 1, "test_pattern": 0}.items():
        vivid.set(name, value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("brightness", 256, "allowed: 0 to 255 (default 128)"),
        ("gain", 42, "another control has taken it over"),
        ("read_only_integer_32_bits", 3, "it can only be read"),
        ("menu", "Menu Item 9", 'allowed: "Menu Item 1" or 1, "Menu Item 3" or 3'),
        ("focus_absolute", 1, "the camera has no such control"),
    ],
)
def test_a_control_that_cannot_be_set_is_told_and_stops_nothing(
    vivid: Vivid, name: str, value: int | str, says: str
) -> None:
    camera = V4L2Camera(str(vivid.node), CAPS, wishes={name: value})
    camera.open()
    assert camera.details is not None
    [refused] = camera.details.refused
    assert refused.startswith(f"camera.controls.{name} = {value!r}: ")
    assert says in refused
    frame_of(camera)
    camera.close()


def test_a_camera_in_use_is_refused_and_its_user_named(vivid: Vivid) -> None:
    film = Path("/tmp/film")  # seen by the guest's programs too
    words = ["guest", "v4l2-ctl", "-d", vivid.node, "--stream-mmap", "--stream-skip=1", f"--stream-to={film}"]
    user = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    camera = V4L2Camera(str(vivid.node), CAPS)
    try:
        until(lambda: film.exists() and film.stat().st_size, what="its stream")
        with pytest.raises(SourceError, match=rf"{vivid.node}: in use by v4l2-ctl \({user.pid}\); stop it"):
            camera.open()
    finally:
        user.terminate()
        user.wait()
        film.unlink(missing_ok=True)
    camera.open()
    frame_of(camera)
    camera.close()


@pytest.mark.parametrize("call", ["reqbufs", "qbuf", "streamon"])
def test_a_camera_that_fails_to_start_says_so_and_starts_the_next_time(vivid: Vivid, call: str) -> None:
    camera = V4L2Camera(str(vivid.node), CAPS)
    vivid.set(f"inject_vidioc_{call}_error")
    with pytest.raises(SourceError, match=str(vivid.node)):
        camera.open()
    camera.open()
    frame_of(camera)
    camera.close()


def test_a_stream_that_breaks_is_an_error_and_can_be_opened_again(vivid: Vivid) -> None:
    camera = V4L2Camera(str(vivid.node), CAPS)
    camera.open()
    frame_of(camera)
    vivid.set("inject_fatal_streaming_error")
    with pytest.raises(SourceError, match="Input/output error"):
        until(lambda: camera.read() is None and None, what="the error")
    camera.open()
    frame_of(camera)
    camera.close()


def test_pictures_that_the_driver_calls_damaged_are_not_shown(vivid: Vivid) -> None:
    camera = V4L2Camera(str(vivid.node), CAPS)
    camera.open()
    frame_of(camera)
    vivid.set("inject_v4l2_buf_flag_error")
    until(lambda: camera.read() is not None and camera.damaged, what="a damaged picture")
    assert camera.damaged == 1
    camera.close()


def test_a_camera_that_answers_enodev_is_lost_at_once(vivid: Vivid) -> None:
    camera = V4L2Camera(str(vivid.node), CAPS)
    camera.open()
    frame_of(camera)
    vivid.vanish()
    with pytest.raises(SourceError, match="the device is gone"):
        until(lambda: camera.read() is None and None, what="the loss")
    camera.close()
    assert not camera.has_returned()
    vivid.unplug()
    assert not camera.has_returned()
    vivid.plug()
    until(camera.has_returned, what="its return")
    camera.open()
    frame_of(camera)
    camera.close()


def test_it_is_looked_for_by_the_port_it_is_in(vivid: Vivid) -> None:
    camera = V4L2Camera(str(vivid.node), CAPS)
    camera.open()
    camera.close()
    assert Path(camera.place) == vivid.place
    vivid.unplug()
    # Another device takes the number meanwhile: it is not mistaken for the camera.
    loopback = Loopback(f"video_nr={vivid.node.name.removeprefix('video')}")
    with pytest.raises(SourceError, match="no such device"):
        camera.open()
    vivid.plug()
    assert vivid.node != Path("/dev/video0")
    camera.open()
    frame_of(camera)
    camera.close()
    vivid.unplug()
    loopback.remove()
    vivid.plug()


def test_the_doctor_lists_it_with_its_formats_and_controls(vivid: Vivid) -> None:
    told = scrim("doctor", "--json", "--set", f"camera.source=v4l2:{vivid.node}", is_checked=False)
    findings = {finding["name"]: finding for finding in json.loads(told[told.index("[") :])}
    url = f"v4l2:{vivid.place}"
    assert findings["camera"]["is_good"]
    assert "YU12 1280x720@30" in findings["camera"]["found"]
    listed = next(name for name in findings if name in (url, f"v4l2:{vivid.node}"))
    assert "vivid (vivid)" in findings[listed]["found"]
    assert "128; takes 0 to 255" in findings[f"  {listed} brightness"]["found"]


def test_auto_waits_for_a_camera_that_is_not_there_yet(
    vivid: Vivid, tmp_path: Path, within: Callable[[float], float]
) -> None:
    vivid.unplug()
    with Core(tmp_path, "camera.source=auto") as core:
        lost = core.until(lambda status: status["camera"]["state"] == "lost", what="the want of a camera")
        assert "there is no camera" in str(lost["camera"]["error"])
        vivid.plug()
        plugged_s = time.monotonic()
        live = core.until_live()
        assert time.monotonic() - plugged_s < within(5)
        assert live["camera"]["device"] is not None
        assert live["camera"]["device"]["name"] == "vivid"


@pytest.mark.cycles(short=5, long=50)
@pytest.mark.parametrize("stalls", [False, True], ids=["live", "stalled"])
def test_the_camera_switch_closes_the_device_and_opens_it_again(
    vivid: Vivid,
    tmp_path: Path,
    cycles: int,
    measured: Callable[[str, list[float]], None],
    within: Callable[[float], float],
    stalls: bool,
) -> None:
    closed_s, opened_s = [], []
    with Core(tmp_path, f"camera.source=v4l2:{vivid.node}") as core:
        for _ in range(cycles):
            core.until_live()
            vivid.set("percentage_of_dropped_buffers", 100 if stalls else 0)
            begin_s = time.monotonic()
            core.ask(camera={"is_enabled": False})
            until(lambda: not core.holds(vivid.node), what="the end of its use")
            closed_s.append(time.monotonic() - begin_s)
            off = core.until(
                lambda status: status["state"] == status["camera"]["state"] == "off", what="the placeholder"
            )
            assert off["placeholder_reason"] == "privacy"
            vivid.set("percentage_of_dropped_buffers", 0)
            begin_s = time.monotonic()
            core.ask(camera={"is_enabled": True})
            until(lambda: core.holds(vivid.node), what="its use")
            opened_s.append(time.monotonic() - begin_s)
        core.until_live()
    measured(f"camera switched off, {'stalled' if stalls else 'live'}, until it is closed", closed_s)
    measured("camera switched on, until it is open", opened_s)
    assert statistics.median(closed_s) < within(0.1)


def test_errors_of_the_driver_are_python_errors(vivid: Vivid) -> None:
    node = VideoNode(str(vivid.node))
    with pytest.raises(OSError, match=r".*") as refused:
        node.set_control(0xDEAD, 1)
    assert refused.value.errno == errno.EINVAL
    node.close()

"""The Pi camera, on a stand-in that behaves as picamera2 documents."""

from concurrent.futures import CancelledError

import pytest

from scrim.core.capture.buffers import FRAMES_OUT
from scrim.core.capture.picamera import RESTARTS, PiCamera
from scrim.core.capture.picamera_fake import FakePicamera2Module
from scrim.errors import SourceError
from scrim.frame import Caps

CAPS = Caps(96, 64, 30)


def open_camera(stride_px: int = 64) -> tuple[PiCamera, FakePicamera2Module]:
    module = FakePicamera2Module(stride_px=stride_px)
    camera = PiCamera(0, CAPS, module)
    assert camera.open() == CAPS
    return camera, module


@pytest.mark.parametrize("stride_px", [2, 64, 256])
def test_padded_rows_are_left_out(stride_px: int) -> None:
    camera, _ = open_camera(stride_px)
    for number in range(3):
        frame = camera.read()
        assert frame is not None
        assert (frame.planes.y == number).all()
        assert (frame.planes.u == 100).all()
        assert (frame.planes.v == 200).all()


def test_requests_go_back_also_when_no_buffer_is_free() -> None:
    camera, module = open_camera()
    held = [camera.read() for _ in range(FRAMES_OUT)]
    assert None not in held
    assert camera.read() is None
    assert camera.dropped
    assert module.opened[0].unreleased == 0


def wait_for_start(camera: PiCamera, module: FakePicamera2Module) -> None:
    """Read until the camera has been started once more."""
    starts = module.opened[-1].starts
    while module.opened[-1].starts == starts:
        assert camera.read() is None


def test_a_stalled_camera_is_started_again_twice_and_then_given_up() -> None:
    camera, module = open_camera()
    assert camera.read() is not None
    module.stalled = True
    for _ in range(RESTARTS):
        wait_for_start(camera, module)
    with pytest.raises(SourceError, match="ribbon cable"):
        wait_for_start(camera, module)
    assert module.opened[0].starts == 1 + RESTARTS
    camera.close()
    module.stalled = False
    camera.open()
    assert camera.read() is not None
    assert [opened.is_open for opened in module.opened] == [False, True]


def test_pictures_after_a_restart_count_as_recovered() -> None:
    camera, module = open_camera()
    for _ in range(2 * RESTARTS):
        module.stalled = True
        wait_for_start(camera, module)
        module.stalled = False
        assert camera.read() is not None


@pytest.mark.parametrize(
    "error", [RuntimeError("frontend has timed out"), CancelledError(), OSError(5, "gone")]
)
def test_what_libcamera_raises_is_told_as_a_source_error(error: Exception) -> None:
    camera, module = open_camera()
    module.error = error
    with pytest.raises(SourceError, match="picamera:0"):
        camera.read()
    camera.close()
    assert not module.opened[0].is_open


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceError, match="picamera:3: no such camera"):
        PiCamera(3, CAPS, FakePicamera2Module()).open()


def test_without_picamera2_the_package_is_named() -> None:
    with pytest.raises(SourceError, match="python3-picamera2"):
        PiCamera(0, CAPS).open()


def test_a_short_silence_is_no_stall() -> None:
    camera, module = open_camera()
    module.stalled = True
    assert camera.read() is None
    module.stalled = False
    assert camera.read() is not None
    assert module.opened[0].starts == 1

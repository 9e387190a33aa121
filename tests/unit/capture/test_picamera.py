"""The Pi camera, on a stand-in that behaves as picamera2 documents."""

from concurrent.futures import CancelledError

import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.capture.buffers import FRAMES_OUT
from scrim.core.capture.picamera import HOPELESS_OPENS, RESTARTS, PiCamera, cameras
from scrim.core.capture.picamera_fake import FakePicamera2Module
from scrim.core.model_input import ModelInput, OpenCVSqueeze
from scrim.core.pyramid import Pyramid
from scrim.errors import CameraHangsError, SourceError
from scrim.frame import Caps, Planes

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


def test_a_camera_that_never_recovers_is_said_to_hang_and_one_picture_makes_good() -> None:
    camera, module = open_camera()
    module.stalled = True
    kinds = [given_up(camera, module) for _ in range(HOPELESS_OPENS)]
    assert kinds == [SourceError] * (HOPELESS_OPENS - 1) + [CameraHangsError]
    module.stalled = False
    camera.open()
    assert camera.read() is not None
    module.stalled = True
    assert given_up(camera, module) is SourceError


def given_up(camera: PiCamera, module: FakePicamera2Module) -> type[BaseException]:
    """Open it and read until it is given up; the kind of error."""
    camera.open()
    for _ in range(RESTARTS):
        wait_for_start(camera, module)
    with pytest.raises(SourceError) as caught:
        wait_for_start(camera, module)
    camera.close()
    return caught.type


def colours(planes: Planes, size: tuple[int, int] = (32, 16)) -> NDArray[np.uint8]:
    """The planes at the size of the model's picture, RGB."""
    rgb = np.empty((size[1], size[0], 3), np.uint8)
    OpenCVSqueeze(size)(rgb, *planes)
    return rgb


@pytest.mark.parametrize("stride_px", [2, 64])
def test_the_small_picture_is_of_the_same_request_and_is_what_the_model_sees(stride_px: int) -> None:
    module = FakePicamera2Module(stride_px=stride_px)
    camera = PiCamera(0, CAPS, module, small_size=(32, 16))
    camera.open()
    for number in range(3):
        frame = camera.read()
        assert frame is not None
        assert frame.small is not None
        assert (frame.planes.y == number).all()
        assert (frame.small.y == number + 10).all()
        assert (frame.small.u == 110).all()
        assert (frame.small.v == 210).all()
        pyramid, model_input = Pyramid(CAPS.size), ModelInput(CAPS.size, (32, 16))
        pyramid.load(frame)
        assert np.array_equal(model_input.shrink(pyramid), colours(frame.small))
        assert not np.array_equal(colours(frame.small), colours(frame.planes))


def test_a_small_picture_with_fewer_pixels_than_the_model_wants_is_not_used() -> None:
    camera = PiCamera(0, CAPS, FakePicamera2Module(), small_size=(32, 16))
    camera.open()
    frame = camera.read()
    assert frame is not None
    pyramid, model_input = Pyramid(CAPS.size), ModelInput(CAPS.size, (48, 32))
    pyramid.load(frame)
    assert np.array_equal(model_input.shrink(pyramid), colours(frame.planes, (48, 32)))


def test_a_small_picture_larger_than_the_large_one_is_not_asked_for() -> None:
    camera = PiCamera(0, CAPS, FakePicamera2Module(), small_size=(256, 144))
    camera.open()
    frame = camera.read()
    assert frame is not None
    assert frame.small is None


def test_a_lens_that_moves_is_focused_all_the_time_unless_somebody_wishes_otherwise() -> None:
    module = FakePicamera2Module(has_focus=True)
    PiCamera(0, CAPS, module).open()
    assert module.opened[-1].controls == {"AfMode": 2}
    PiCamera(0, CAPS, module, wishes={"af_mode": 0, "lens_position": 2.5}).open()
    assert module.opened[-1].controls == {"AfMode": 0, "LensPosition": 2.5}


def test_wishes_that_cannot_be_fulfilled_are_told_and_the_others_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    module = FakePicamera2Module()
    wishes = {"brightness": 9.0, "brigthness": 0.1, "ae_enable": False, "scaler_crop": 1}
    PiCamera(0, CAPS, module, wishes=wishes).open()
    assert module.opened[0].controls == {"AeEnable": False}
    assert (
        "camera.controls.brightness = 9.0: not a value of it; allowed: -1.0 to 1.0 (default 0.0)"
        in caplog.text
    )
    assert "did you mean brightness?" in caplog.text
    assert "camera.controls.scaler_crop" in caplog.text


class Listing:
    """The module as ``import picamera2`` gives it, where the class itself is asked."""

    Picamera2 = FakePicamera2Module


def test_several_cameras_are_told_apart_and_usb_cameras_are_left_to_v4l2() -> None:
    assert cameras(Listing) == [("picamera:0", "imx708_wide"), ("picamera:1", "imx219")]
    assert cameras() == []


def test_it_tells_of_itself() -> None:
    camera = PiCamera(0, CAPS, FakePicamera2Module(), small_size=(32, 16), wishes={"zoom": 2})
    assert camera.details is None
    camera.open()
    assert camera.details is not None
    assert camera.details.name == "imx708"
    assert camera.details.delivers == "YUV420 96x64@30, 32x16 for the model"
    assert "camera.controls.zoom" in camera.details.refused[0]
    assert not camera.has_returned()


def test_a_camera_that_gives_one_picture_only_is_used_without_the_small_one() -> None:
    module = FakePicamera2Module()
    module.has_second_stream = False
    camera = PiCamera(0, CAPS, module, small_size=(32, 16))
    camera.open()
    frame = camera.read()
    assert frame is not None
    assert frame.small is None

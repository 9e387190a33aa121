"""What PiCamera needs of picamera2, without a camera."""

import time
from typing import Any, Self

import numpy as np

from scrim.frame import Plane

_INTERVAL_S = 0.002
"""A picture takes this long, and so does noticing that none comes: tests do not wait for a second."""


class FakePicamera2Module:
    """Stands in for ``import picamera2``.

    Args:
        cameras: how many there are.
        stride_px: rows of each stream are padded to a multiple of this.
        has_focus: the lens can be moved.

    Attributes:
        has_second_stream: it can give a small picture beside the large one.
        stalled: no request completes while True.
        error: raised by the next request, when set.
        opened: the cameras that were opened.
    """

    def __init__(self, cameras: int = 1, stride_px: int = 64, *, has_focus: bool = False) -> None:
        self.cameras = cameras
        self.has_second_stream = True
        self.stride_px = stride_px
        self.has_focus = has_focus
        self.stalled = False
        self.error: Exception | None = None
        self.opened: list[FakePicamera2] = []

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        """What picamera2's class says of all cameras."""
        return [
            {"Num": 0, "Model": "imx708_wide", "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a"},
            {"Num": 1, "Model": "imx219", "Id": "/base/soc/i2c0mux/i2c@0/imx219@10"},
            {"Num": 2, "Model": "Webcam", "Id": "/base/scb/pcie@7d500000/usb@0-1:1.0-046d:0825"},
        ]

    def Picamera2(self, index: int) -> "FakePicamera2":  # noqa: N802  (picamera2's name)
        """Open a camera."""
        if index >= self.cameras:
            raise IndexError("list index out of range")
        camera = FakePicamera2(self)
        self.opened.append(camera)
        return camera

    @staticmethod
    def MappedArray(request: "FakeRequest", stream: str) -> "FakeMappedArray":  # noqa: N802
        """Look at a request's picture."""
        return FakeMappedArray(request, stream)


class FakePicamera2:
    """A camera: picture n has luma n, chroma 100 and 200 and padding 7; the small one 10 more of each."""

    def __init__(self, module: FakePicamera2Module) -> None:
        self._module = module
        self._configuration: dict[str, Any] = {}
        self.taken = 0
        self.starts = 0
        self.unreleased = 0
        self.is_open = True
        self.is_started = False
        self.controls: dict[str, Any] = {}

    @property
    def camera_properties(self) -> dict[str, Any]:
        """What the sensor is."""
        return {"Model": "imx708"}

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        """What can be turned, with lowest, highest and default."""
        offered: dict[str, tuple[Any, Any, Any]] = {
            "AeEnable": (False, True, True),
            "AeFlickerMode": (0, 1, 0),
            "Brightness": (-1.0, 1.0, 0.0),
            "FrameDurationLimits": (33333, 120000, 33333),
            "ScalerCrop": ((0, 0, 64, 64), (0, 0, 4608, 2592), (0, 0, 4608, 2592)),
        }
        if self._module.has_focus:
            offered |= {"AfMode": (0, 2, 0), "LensPosition": (0.0, 32.0, 1.0)}
        return offered

    def set_controls(self, controls: dict[str, Any]) -> None:
        """Turn something; an unknown control is an error, as in picamera2."""
        for name in controls:
            if name not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.controls |= controls

    def create_video_configuration(
        self,
        main: dict[str, Any],
        lores: dict[str, Any] | None,
        buffer_count: int,
        controls: dict[str, Any],
    ) -> dict[str, Any]:
        """A configuration to hand to ``configure``."""
        if lores is not None and not self._module.has_second_stream:
            # What picamera2 0.3 says on libcamera's vimc.
            raise AttributeError("'NoneType' object has no attribute 'orientation'")
        small = dict(lores) if lores is not None else None
        return {"main": dict(main), "lores": small, "buffer_count": buffer_count, "controls": controls}

    def configure(self, configuration: dict[str, Any]) -> None:
        """Take the configuration, and say the strides."""
        step = self._module.stride_px
        for stream in (configuration["main"], configuration["lores"]):
            if stream is not None:
                stream["stride"] = -(-stream["size"][0] // step) * step
        self._configuration = configuration

    def camera_configuration(self) -> dict[str, Any]:
        """The configuration in effect."""
        return self._configuration

    def start(self) -> None:
        """Start."""
        self.starts += 1
        self.is_started = True

    def stop(self) -> None:
        """Stop."""
        self.is_started = False

    def close(self) -> None:
        """Let the camera go."""
        self.is_open = False

    def capture_request(self, wait: bool) -> "FakeJob":
        """Ask for the next picture."""
        assert not wait  # noqa: S101
        return FakeJob(self, self._module)

    def picture(self, number: int, stream: str = "main") -> Plane:
        """Picture ``number`` of a stream, shape (height * 3 / 2, stride)."""
        (width, height), stride = (self._configuration[stream][key] for key in ("size", "stride"))
        more = 10 * (stream == "lores")
        padded = np.full((height * 3 // 2, stride), 7, np.uint8)
        padded[:height, :width] = (number + more) % 256
        chroma = padded[height:].reshape(2, height // 2, stride // 2)
        chroma[0, :, : width // 2], chroma[1, :, : width // 2] = 100 + more, 200 + more
        return padded


class FakeJob:
    """A picture that was asked for."""

    def __init__(self, camera: FakePicamera2, module: FakePicamera2Module) -> None:
        self._camera = camera
        self._module = module

    def get_result(self, timeout: float) -> "FakeRequest":
        """The picture, or TimeoutError."""
        if self._module.error is not None:
            raise self._module.error
        if self._module.stalled or not self._camera.is_started:
            time.sleep(min(timeout, _INTERVAL_S))
            raise TimeoutError
        time.sleep(min(timeout, _INTERVAL_S))
        self._camera.taken += 1
        self._camera.unreleased += 1
        return FakeRequest(self._camera, self._camera.taken - 1)


class FakeRequest:
    """A completed request."""

    def __init__(self, camera: FakePicamera2, number: int) -> None:
        self._camera = camera
        self.number = number
        self._stamp_ns = time.monotonic_ns()

    def get_metadata(self) -> dict[str, Any]:
        """What libcamera tells about it."""
        return {"SensorTimestamp": self._stamp_ns}

    def picture(self, stream: str) -> Plane:
        """The picture of one stream."""
        return self._camera.picture(self.number, stream)

    def release(self) -> None:
        """Give the buffer back."""
        self._camera.unreleased -= 1


class FakeMappedArray:
    """A request's picture while it may be looked at."""

    def __init__(self, request: FakeRequest, stream: str) -> None:
        self.array: Plane = request.picture(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""

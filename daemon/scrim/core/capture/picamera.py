"""Raspberry Pi cameras, through picamera2."""

import importlib
import logging
import time
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

from scrim.core.capture.base import CameraDetails
from scrim.core.capture.buffers import Buffers, capture_time_ns
from scrim.core.capture.pace import READ_LIMIT_S
from scrim.core.capture.picamera_controls import NO_WISHES, Wishes, apply
from scrim.errors import CameraHangsError, SourceError
from scrim.frame import Caps, Frame, Plane, Planes

logger = logging.getLogger(__name__)

BUFFERS = 4
"""Fixed, because each change of the count asks for new contiguous memory, which runs out."""

_RATE = "FrameDurationLimits"
"""libcamera's control for the frame rate. A camera that lacks it runs at its own rate."""

_REFUSALS = (RuntimeError, OSError, ValueError, AttributeError)
"""What picamera2 raises for what a camera cannot do; AttributeError where libcamera gave it nothing."""

HOPELESS_OPENS = 3
"""So often it is opened anew for nothing, before it takes a new process; the hardware watchdog is next."""

RESTARTS = 2
"""So often a camera that delivers nothing is stopped and started before it is given up."""

STALL_S = 1.0
"""So long it may deliver nothing before that."""


class PiCamera:
    """A camera of libcamera's, such as a Pi Camera Module. Delivers picamera2's main stream, as YUV420.

    Beside it the camera's hardware makes the small picture that the model looks at, where it can. A lens that
    can be moved is focused all the time, unless ``wishes`` says otherwise.

    When no picture comes for 1 s the camera is stopped and started again; when that has helped twice for
    nothing, ``read`` raises SourceError, so that the owner opens it anew. One that has been opened anew
    ``HOPELESS_OPENS`` times without a single picture hangs below this process: then CameraHangsError.

    Args:
        index: which camera, as ``rpicam-hello --list-cameras`` numbers them.
        caps: what is wanted; libcamera scales to any even size.
        module: what ``import picamera2`` would give; a stand-in in tests. Needs ``Picamera2`` and
            ``MappedArray``.
        small_size: (width, height) in pixels of the model's picture; None does without.
        wishes: libcamera's controls by their names in snake_case, to numbers, booleans, or names of values.
    """

    def __init__(
        self,
        index: int,
        caps: Caps,
        module: Any = None,  # noqa: ANN401  (picamera2 has no types)
        small_size: tuple[int, int] | None = None,
        wishes: Wishes = NO_WISHES,
    ) -> None:
        self._index = index
        self._caps = caps
        self._wishes = wishes
        fits = small_size is not None and _fits(small_size, caps.size)
        self._wanted_small_size = small_size if fits else None
        self._small_size: tuple[int, int] | None = None
        self._hangs = 0
        self.details: CameraDetails | None = None
        self._module = module
        self._stall_s = max(STALL_S, 2 * caps.frame_interval_s)
        self._camera: Any = None
        self._job: Any = None
        self._restarts = 0
        self._waited_s = 0.0
        self._stride = self._small_stride = 0
        self._buffers = Buffers()

    @property
    def dropped(self) -> int:
        """Pictures thrown away because no buffer was free."""
        return self._buffers.dropped

    def open(self) -> Caps:
        """Configure the camera and start it.

        Raises:
            SourceError: picamera2 is not installed, there is no such camera, or libcamera refuses.
        """
        self.close()
        self._module = self._module or _import_picamera2()
        self._buffers.prepare(self._caps.size, self._wanted_small_size)
        try:
            self._camera = self._module.Picamera2(self._index)
            self._configure()
            self._tell(apply(self._camera, self._wishes))
            self._camera.start()
        except IndexError as error:
            raise SourceError(
                f"picamera:{self._index}: no such camera; see `rpicam-hello --list-cameras`, "
                "and check the ribbon cable"
            ) from error
        except _REFUSALS as error:
            self.close()
            raise self._trouble(error) from error
        self._restarts, self._waited_s = 0, 0.0
        return self._caps

    def read(self) -> Frame | None:
        """The next picture; None when none came within READ_LIMIT_S or no buffer is free.

        Raises:
            SourceError: the camera delivers nothing any more, also after being stopped and started.
        """
        if self._camera is None:
            raise SourceError(f"picamera:{self._index}: read before open")
        end = time.monotonic() + READ_LIMIT_S
        try:
            while (left_s := end - time.monotonic()) > 0:
                request = self._wait_for_request(left_s)
                if request is None:
                    self._heed_stall(left_s)
                    return None
                self._restarts, self._waited_s, self._hangs = 0, 0.0, 0
                frame = self._take(request)
                if frame is not None:
                    return frame
        except (RuntimeError, OSError, CancelledError) as error:
            raise self._trouble(error) from error
        return None

    def close(self) -> None:
        """Stop the camera and let it go."""
        camera, self._camera = self._camera, None
        self._job = None
        if camera is None:
            return
        try:
            camera.stop()
        except (RuntimeError, OSError):
            # One that hangs refuses to be stopped, and is still to be let go.
            pass
        finally:
            camera.close()

    def has_returned(self) -> bool:
        """Never: a ribbon cable is not replugged while the board is on."""
        return False

    def _tell(self, refused: list[str]) -> None:
        for line in refused:
            logger.warning("picamera:%d: %s", self._index, line)
        small = self._small_size
        delivers = f"YUV420 {self._caps}" + (f", {small[0]}x{small[1]} for the model" if small else "")
        self.details = CameraDetails(
            str(self._camera.camera_properties.get("Model", "?")),
            f"picamera:{self._index}",
            delivers,
            {},
            tuple(refused),
        )

    def _configure(self) -> None:
        """Ask for the picture, and for the small one where the camera can give two."""
        try:
            self._configure_streams(self._wanted_small_size)
        except _REFUSALS as error:
            if self._wanted_small_size is None:
                raise
            logger.info(
                "picamera:%d: gives no second picture (%s); the model's is made here", self._index, error
            )
            self._configure_streams(None)

    def _configure_streams(self, small_size: tuple[int, int] | None) -> None:
        interval_us = round(1e6 / self._caps.frame_rate)
        small = {"size": small_size, "format": "YUV420"} if small_size is not None else None
        self._camera.configure(
            self._camera.create_video_configuration(
                main={"size": self._caps.size, "format": "YUV420"},
                lores=small,
                buffer_count=BUFFERS,
                controls={_RATE: (interval_us, interval_us)} if _RATE in self._camera.camera_controls else {},
            )
        )
        given = self._camera.camera_configuration()
        self._stride = _stride(given["main"], self._caps.size)
        if small_size is not None:
            self._small_stride = _stride(given["lores"], small_size)
        self._small_size = small_size

    def _wait_for_request(self, limit_s: float) -> Any:  # noqa: ANN401  (picamera2's CompletedRequest)
        """The next completed request; None after the limit, and the next call waits for the same one."""
        if self._job is None:
            self._job = self._camera.capture_request(wait=False)
        try:
            request = self._job.get_result(timeout=limit_s)
        except TimeoutError:
            return None
        self._job = None
        return request

    def _heed_stall(self, waited_s: float) -> None:
        self._waited_s += waited_s
        if self._waited_s >= self._stall_s:
            self._waited_s = 0.0
            self._restart()

    def _restart(self) -> None:
        if self._restarts >= RESTARTS:
            self._hangs += 1
            kind = CameraHangsError if self._hangs >= HOPELESS_OPENS else SourceError
            silent_s = (RESTARTS + 1) * self._stall_s
            raise kind(
                f"picamera:{self._index}: no picture for {silent_s:g} s, also after starting it again; "
                "check the ribbon cable and the power supply"
            )
        self._restarts += 1
        # The job stays: picamera2 serves it first when pictures come again; a request nobody takes is lost.
        self._camera.stop()
        self._camera.start()

    def _take(self, request: Any) -> Frame | None:  # noqa: ANN401
        """A frame of the picture, which goes back to the camera; None, counted, when no buffer is free."""
        try:
            i420 = self._buffers.lease()
            if i420 is None:
                self._buffers.dropped += 1
                return None
            with self._module.MappedArray(request, "main") as mapped:
                _copy(mapped.array, self._stride, i420)
            small = self._take_small(request)
            stamp_ns = capture_time_ns(request.get_metadata().get("SensorTimestamp"))
            return self._buffers.frame(i420, stamp_ns, small)
        finally:
            request.release()

    def _take_small(self, request: Any) -> Plane | None:  # noqa: ANN401
        """The small picture of the same request; None where there is none, or no buffer for it."""
        small = self._buffers.lease_small() if self._small_size is not None else None
        if small is not None:
            with self._module.MappedArray(request, "lores") as mapped:
                _copy(mapped.array, self._small_stride, small)
        return small

    def _trouble(self, error: BaseException) -> SourceError:
        reason = str(error) or type(error).__name__
        return SourceError(
            f"picamera:{self._index}: {reason}; is another program using the camera? "
            "`rpicam-hello --list-cameras` must list it"
        )


def _fits(small_size: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a small picture can be had: even, and nowhere larger than the large one."""
    return all(small <= large and not small % 2 for small, large in zip(small_size, size, strict=True))


def _stride(stream: dict[str, Any], size: tuple[int, int]) -> int:
    """Bytes between two rows of a stream's luma.

    Raises:
        ValueError: it is not what was asked for.
    """
    if stream["format"] != "YUV420" or tuple(stream["size"]) != size:
        width, height = stream["size"]
        raise ValueError(f"gives {stream['format']} at {width}x{height}, not YUV420 at {size[0]}x{size[1]}")
    return int(stream["stride"])


def _copy(padded: Plane, stride: int, i420: Plane) -> None:
    """Copy the planes out of a buffer of shape (height * 3 / 2, stride), chroma half as far apart."""
    planes = Planes.of(i420)
    width, height = planes.size
    luma, chroma = padded[:height], padded[height:].reshape(2, height // 2, stride // 2)
    np.copyto(planes.y, luma[:, :width])
    np.copyto(planes.u, chroma[0, :, : width // 2])
    np.copyto(planes.v, chroma[1, :, : width // 2])


def cameras(module: Any = None) -> list[tuple[str, str]]:  # noqa: ANN401
    """The cameras on ribbon cables, each as URL and sensor; none without picamera2.

    Args:
        module: what ``import picamera2`` would give; a stand-in in tests.
    """
    try:
        found = (module or _import_picamera2()).Picamera2.global_camera_info()
    except (SourceError, RuntimeError, OSError):
        return []
    ribbons = [camera for camera in found if "usb" not in str(camera.get("Id", ""))]
    return [(f"picamera:{camera.get('Num', 0)}", str(camera.get("Model", "?"))) for camera in ribbons]


def has_camera() -> bool:
    """Whether picamera2 is installed and sees a camera on a ribbon cable. USB cameras are V4L2's."""
    return bool(cameras())


def _import_picamera2() -> Any:  # noqa: ANN401
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        raise SourceError(
            "picamera: picamera2 is not installed or cannot be loaded "
            f"({error}); `sudo apt install python3-picamera2`, "
            "and make the virtual environment with --system-site-packages"
        ) from error

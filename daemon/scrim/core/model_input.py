"""The small RGB picture that the model looks at."""

from collections.abc import Callable
from operator import ge

import cv2
import numpy as np

from scrim.core.pyramid import Pyramid
from scrim.frame import Plane, Planes

Squeeze = Callable[[Plane, Plane, Plane, Plane], None]
"""``squeeze(rgb, y, u, v)``: each plane resized by linear interpolation, chroma to half the size of ``rgb``,
shape (height, width, 3); then BT.601 to RGB. All in whole numbers, as OpenCV's bit-exact resizing rounds."""


class ModelInput:
    """Squeezes a frame into the model's shape, from planes that are small already.

    Where the camera has made a small picture itself that has all the pixels the model wants, that is taken.

    Args:
        frame_size: (width, height) in pixels of the frames, both even.
        model_size: (width, height) in pixels of the model's input, both even.
    """

    def __init__(self, frame_size: tuple[int, int], model_size: tuple[int, int]) -> None:
        width, height = model_size
        self._model_size = model_size
        self._rgb = np.empty((height, width, 3), np.uint8)
        self._luma_level = _level(frame_size, model_size)
        self._squeeze = best_squeeze(model_size)

    def shrink(self, pyramid: Pyramid) -> Plane:
        """The pyramid's frame at model size, RGB, shape (height, width, 3); overwritten by the next call."""
        self._squeeze(self._rgb, *self._sources(pyramid))
        return self._rgb

    def _sources(self, pyramid: Pyramid) -> tuple[Plane, Plane, Plane]:
        """The smallest planes there are that have all the pixels the model wants."""
        small = pyramid.frame.small
        if small is not None and all(map(ge, small.size, self._model_size)):
            return small.y, small.u, small.v
        return pyramid.luma(self._luma_level), *pyramid.chroma(self._luma_level)


def best_squeeze(model_size: tuple[int, int]) -> Squeeze:
    """By the extension in C where it was built, else by OpenCV; to the same bytes.

    Args:
        model_size: (width, height) in pixels of the picture, both even.
    """
    try:
        from scrim.core._picture import spare_bytes, squeeze
    except ImportError:
        return OpenCVSqueeze(model_size)
    spare = np.empty(-(-spare_bytes(*model_size) // 8), np.float64)
    return lambda rgb, y, u, v: squeeze(rgb, y, u, v, spare)


class OpenCVSqueeze:
    """Makes the picture in four steps.

    Args:
        model_size: (width, height) in pixels of the picture, both even.
    """

    def __init__(self, model_size: tuple[int, int]) -> None:
        width, height = model_size
        self._i420 = np.empty((height * 3 // 2, width), np.uint8)
        self._planes = Planes.of(self._i420)

    def __call__(self, rgb: Plane, y: Plane, u: Plane, v: Plane) -> None:
        """See ``Squeeze``."""
        for source, target in zip((y, u, v), self._planes, strict=True):
            cv2.resize(source, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR_EXACT)
        cv2.cvtColor(self._i420, cv2.COLOR_YUV2RGB_I420, dst=rgb)


def _level(frame_size: tuple[int, int], model_size: tuple[int, int]) -> int:
    """The coarsest pyramid level that still has all the pixels the model wants."""
    return max(
        (n for n in range(4) if frame_size[0] >> n >= model_size[0] and frame_size[1] >> n >= model_size[1]),
        default=0,
    )

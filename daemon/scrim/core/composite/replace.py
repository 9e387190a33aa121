"""A background that has nothing of the room: one picture, or one colour."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.composite.base import CoarsePlanes
from scrim.core.pyramid import Pyramid
from scrim.frame import Coarse, Matte, Plane, Planes

Fit = Literal["cover", "contain", "stretch"]


class PictureBackground:
    """A fixed picture of frame size.

    Args:
        i420: contiguous, shape (height * 3 / 2, width), uint8; not written to afterwards.
    """

    def __init__(self, i420: Plane) -> None:
        y, u, v = Planes.of(i420)
        self._planes = _frugal(y), _frugal(u), _frugal(v)

    def planes(self, pyramid: Pyramid, matte: Matte) -> CoarsePlanes:  # noqa: ARG002
        """The picture."""
        return self._planes


def _frugal(plane: Plane) -> Coarse:
    """The plane; where all rows are the same, one of them that stands for all and stays in the cache."""
    is_alike = bool((plane == plane[:1]).all())
    return Coarse(np.broadcast_to(plane[0].copy(), plane.shape) if is_alike else plane)


def color_picture(color: str, size: tuple[int, int]) -> Plane:
    """An I420 picture of one colour.

    Args:
        color: ``#rrggbb``.
        size: (width, height) in pixels, both even.
    """
    width, height = size
    rgb = np.frombuffer(bytes.fromhex(color.removeprefix("#")), np.uint8).reshape(1, 1, 3)
    swatch = cv2.cvtColor(np.broadcast_to(rgb, (2, 2, 3)).copy(), cv2.COLOR_RGB2YUV_I420)
    i420 = np.empty((height * 3 // 2, width), np.uint8)
    for plane, value in zip(Planes.of(i420), Planes.of(swatch), strict=True):
        plane[:] = value[0, 0]
    return i420


def fitted_picture(bgr: NDArray[np.uint8], size: tuple[int, int], fit: Fit) -> Plane:
    """An image at frame size, from its original.

    Args:
        bgr: shape (height, width, 3), uint8.
        size: (width, height) in pixels, both even.
        fit: ``cover`` fills and crops, ``contain`` shows all between black bars, ``stretch`` distorts.

    Returns:
        I420, shape (height * 3 / 2, width), uint8.
    """
    width, height = size
    if fit == "stretch":
        return _i420(_scaled(bgr, size))
    ratios = width / bgr.shape[1], height / bgr.shape[0]
    ratio = max(ratios) if fit == "cover" else min(ratios)
    inner = max(1, round(bgr.shape[1] * ratio)), max(1, round(bgr.shape[0] * ratio))
    canvas = np.zeros((height, width, 3), np.uint8)
    _paste_centred(_scaled(bgr, inner), canvas)
    return _i420(canvas)


def _scaled(bgr: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    shrinks = size[0] < bgr.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(bgr, size, interpolation=interpolation), np.uint8)


def _i420(bgr: NDArray[np.uint8]) -> Plane:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)


def _paste_centred(picture: NDArray[np.uint8], canvas: NDArray[np.uint8]) -> None:
    """Put the middle of one onto the middle of the other, whichever is larger."""
    spans = []
    for have, want in zip(picture.shape[:2], canvas.shape[:2], strict=True):
        length = min(have, want)
        spans.append(
            (
                slice((have - length) // 2, (have + length) // 2),
                slice((want - length) // 2, (want + length) // 2),
            )
        )
    (from_y, to_y), (from_x, to_x) = spans
    canvas[to_y, to_x] = picture[from_y, from_x]

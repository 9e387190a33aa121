"""The picture that is shown when there is nothing safe to show."""

import time
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from scrim.core.composite.door import seal
from scrim.frame import Plane, Planes, SafeFrame


class Reason(StrEnum):
    """Why the placeholder is shown."""

    STARTING = "starting"
    CAMERA_LOST = "camera_lost"
    NO_SAFE_PICTURE = "no_safe_picture"
    EFFECT_OFF = "effect_off"
    NOBODY = "nobody"
    STOPPING = "stopping"
    PRIVACY = "privacy"
    IDLE = "idle"
    SAFE_MODE = "safe_mode"


CAPTIONS: dict[Reason, str] = {
    Reason.STARTING: "Camera is starting",
    Reason.CAMERA_LOST: "Camera is not available",
    Reason.NO_SAFE_PICTURE: "Picture is protected",
    Reason.EFFECT_OFF: "Camera is private",
    Reason.NOBODY: "Nobody is here",
    Reason.STOPPING: "Camera is off",
    Reason.PRIVACY: "Camera is switched off",
    Reason.IDLE: "Camera is waking up",  # who reads it has just begun to watch
    Reason.SAFE_MODE: "Camera is recovering",
}
"""What a viewer reads. Nothing here depends on what the camera sees."""

CAPTION_SIZE = (1080, 96)
"""(width, height) in pixels of each caption, a PNG of its own that ``scripts/build-captions`` draws."""

CAPTIONS_FOLDER = Path(__file__).with_name("captions")
_CAPTIONS_FOR_WIDTH_PX = 1920

# BT.601 limited range, readable in full range too: a dark slate, a lighter figure, nearly white text.
_GROUND = (40, 132, 124)
_FIGURE = (86, 134, 121)
_TEXT_LUMA = 200


class PlaceholderPainter:
    """Paints the placeholder. Knows no camera frame, so none can leak through it.

    Args:
        size: (width, height) in pixels, both even.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._painted: tuple[Reason, Plane] | None = None

    def paint(self, reason: Reason, revision: int) -> SafeFrame:
        """The placeholder for ``reason``, stamped with the present time; drawn when the reason is another."""
        painted = self._painted
        if painted is None or painted[0] is not reason:
            painted = self._painted = reason, _draw(self._size, reason)
        return seal(painted[1], time.monotonic_ns(), -1, "placeholder", revision)


def _draw(size: tuple[int, int], reason: Reason) -> Plane:
    """Touches little besides the new picture: whoever closes the camera waits for this."""
    width, height = size
    i420 = np.empty((height * 3 // 2, width), np.uint8)
    planes = Planes.of(i420)
    for plane, value in zip(planes, _GROUND, strict=True):
        plane[:] = value
    _draw_figure(planes)
    _write(planes.y, reason)
    return i420


def _draw_figure(planes: Planes) -> None:
    """A head and shoulders in the middle, with soft edges."""
    height, width = planes.y.shape
    unit = min(width, height) / 12
    centre_x, head_y = width / 2, height * 0.36
    neck = head_y + unit * 4.1
    left, right = _even(centre_x - unit * 2.6 - 2, width), _even(centre_x + unit * 2.6 + 4, width)
    top, bottom = _even(head_y - unit * 1.45 - 2, height), _even(neck + 4, height)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    shift = 4
    one = 1 << shift

    def fixed(*values: float) -> tuple[int, ...]:
        return tuple(round(value * one) for value in values)

    head, shoulders = fixed(unit * 1.25, unit * 1.45), fixed(unit * 2.6, unit * 2.2)
    cv2.ellipse(mask, fixed(centre_x - left, head_y - top), head, 0, 0, 360, 255, -1, cv2.LINE_AA, shift)
    cv2.ellipse(mask, fixed(centre_x - left, neck - top), shoulders, 0, 180, 360, 255, -1, cv2.LINE_AA, shift)
    half = slice(top // 2, bottom // 2), slice(left // 2, right // 2)
    _stain(Planes(planes.y[top:bottom, left:right], planes.u[half], planes.v[half]), mask)


def _even(at: float, limit: int) -> int:
    """The even number at or below, within 0 to ``limit``."""
    return max(0, min(limit, int(at) & ~1))


def _stain(planes: Planes, figure: Plane) -> None:
    small = np.empty(planes.u.shape, np.uint8)
    cv2.resize(figure, small.shape[::-1], dst=small, interpolation=cv2.INTER_AREA)
    for plane, share, value in zip(planes, (figure, small, small), _FIGURE, strict=True):
        _tint(plane, share, value)


def _write(luma: Plane, reason: Reason) -> None:
    """Lay the caption over the lower part, as wide as fits."""
    height, width = luma.shape
    scale = min(width, height * 16 / 9) / _CAPTIONS_FOR_WIDTH_PX
    size = max(1, round(CAPTION_SIZE[0] * scale)), max(1, round(CAPTION_SIZE[1] * scale))
    caption = cv2.resize(_caption(reason), size, interpolation=cv2.INTER_AREA)
    left, top = (width - size[0]) // 2, min(round(height * 0.79), height - size[1])
    if left >= 0 and top >= 0:
        _tint(luma[top : top + size[1], left : left + size[0]], np.asarray(caption, np.uint8), _TEXT_LUMA)


def _caption(reason: Reason) -> Plane:
    png = np.fromfile(CAPTIONS_FOLDER / f"{reason}.png", np.uint8)
    return np.asarray(cv2.imdecode(png, cv2.IMREAD_GRAYSCALE), np.uint8)


def _tint(plane: Plane, share: Plane, value: int) -> None:
    """Mix ``value`` into ``plane``, by ``share`` of 255."""
    tint = np.full_like(share, value)
    cv2.multiply(tint, share, dst=tint, scale=1 / 255)
    cv2.multiply(plane, cv2.bitwise_not(share), dst=plane, scale=1 / 255)
    cv2.add(plane, tint, dst=plane)

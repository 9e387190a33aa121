"""The picture that is shown when there is nothing safe to show."""

import time
from enum import StrEnum

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


CAPTIONS: dict[Reason, str] = {
    Reason.STARTING: "Camera is starting",
    Reason.CAMERA_LOST: "Camera is not available",
    Reason.NO_SAFE_PICTURE: "Picture is protected",
    Reason.EFFECT_OFF: "Camera is private",
    Reason.NOBODY: "Nobody is here",
    Reason.STOPPING: "Camera is off",
}
"""What a viewer reads. Nothing here depends on what the camera sees."""

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
        self._painted: dict[Reason, Plane] = {}

    def paint(self, reason: Reason, revision: int) -> SafeFrame:
        """The placeholder for ``reason``, stamped with the present time; drawn once, handed out often."""
        i420 = self._painted.get(reason)
        if i420 is None:
            i420 = self._painted[reason] = _draw(self._size, CAPTIONS[reason])
        return seal(i420, time.monotonic_ns(), -1, "placeholder", revision)


def _draw(size: tuple[int, int], caption: str) -> Plane:
    width, height = size
    i420 = np.empty((height * 3 // 2, width), np.uint8)
    planes = Planes.of(i420)
    for plane, value in zip(planes, _GROUND, strict=True):
        plane[:] = value
    figure = np.zeros((height, width), np.uint8)
    _draw_figure(figure)
    _stain(planes, figure)
    _write(planes.y, caption)
    return i420


def _draw_figure(mask: Plane) -> None:
    """A head and shoulders in the middle, 0 or 255 with soft edges."""
    height, width = mask.shape
    unit = min(width, height) / 12
    centre_x, head_y = width / 2, height * 0.36
    shift = 4
    one = 1 << shift

    def fixed(*values: float) -> tuple[int, ...]:
        return tuple(round(value * one) for value in values)

    head, shoulders = fixed(unit * 1.25, unit * 1.45), fixed(unit * 2.6, unit * 2.2)
    neck = head_y + unit * 4.1
    cv2.ellipse(mask, fixed(centre_x, head_y), head, 0, 0, 360, 255, -1, cv2.LINE_AA, shift)
    cv2.ellipse(mask, fixed(centre_x, neck), shoulders, 0, 180, 360, 255, -1, cv2.LINE_AA, shift)


def _stain(planes: Planes, figure: Plane) -> None:
    small = cv2.resize(figure, (planes.u.shape[1], planes.u.shape[0]), interpolation=cv2.INTER_AREA)
    for plane, share, value in zip(planes, (figure, small, small), _FIGURE, strict=True):
        mixed = plane + (value - plane.astype(np.float32)) * (share / np.float32(255))
        plane[:] = np.round(mixed).astype(np.uint8)


def _write(luma: Plane, caption: str) -> None:
    height, width = luma.shape
    scale = min(width, height * 16 / 9) / 1280 * 1.4
    thickness = max(1, round(scale * 2))
    (text_width, _), _ = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    at = ((width - text_width) // 2, round(height * 0.84))
    cv2.putText(luma, caption, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _TEXT_LUMA, thickness, cv2.LINE_AA)

"""The demo camera's room: full of things nobody should see; ``scripts/build-demo-room`` drew it."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.frame import Plane

PICTURE = "room.jpg"


def room_picture(size: tuple[int, int]) -> Plane:
    """The room as a camera of ``size`` (width, height) sees it: I420, BT.601 limited range.

    The same size gives the same bytes. Cropped to the wanted aspect, never squeezed.
    """
    jpeg = Path(__file__).with_name(PICTURE).read_bytes()
    return _to_i420(np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8), size)


def _to_i420(room: NDArray[np.uint8], size: tuple[int, int]) -> Plane:
    width, height = size
    have_height, have_width = room.shape[:2]
    scale = max(width / have_width, height / have_height)
    shown_width, shown_height = round(width / scale), round(height / scale)
    left, top = (have_width - shown_width) // 2, (have_height - shown_height) // 2
    part = room[top : top + shown_height, left : left + shown_width]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    i420 = cv2.cvtColor(cv2.resize(part, size, interpolation=interpolation), cv2.COLOR_BGR2YUV_I420)
    return np.ascontiguousarray(i420, np.uint8)

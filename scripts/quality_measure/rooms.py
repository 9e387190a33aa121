"""Two rooms to put people into: the demo camera's, and an office drawn here. BGR, uint8."""

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.capture.room import room_picture

Canvas = NDArray[np.float32]
Bgr = NDArray[np.uint8]

_DESIGN = (1280, 720)
_SEED = 2


def study(size: tuple[int, int]) -> Bgr:
    """Bookcase, whiteboard, window, lamp: warm and cluttered."""
    return np.asarray(cv2.cvtColor(room_picture(size), cv2.COLOR_YUV2BGR_I420))


def office(size: tuple[int, int]) -> Bgr:
    """Pale bricks, a door, a whiteboard behind the head, a skin-coloured poster, a plant, a lamp."""
    rng = np.random.default_rng(_SEED)
    width, height = _DESIGN
    room: Canvas = np.full((height, width, 3), (196, 190, 182), np.float32)
    room += _noise(rng, (width, height), 60, 6)
    _bricks(room)
    _door(room, rng)
    _whiteboard(room, rng)
    _plant_and_poster(room, rng)
    room[640:] = (96, 120, 140)
    room[640:] += _noise(rng, (width, 80), 5, 7)
    room = cv2.GaussianBlur(room, (0, 0), 1.0) + _noise(rng, (width, height), 2, 2)
    bytes_ = np.clip(room, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(bytes_, size, interpolation=cv2.INTER_CUBIC))


def _noise(rng: np.random.Generator, size: tuple[int, int], grain_px: int, strength: float) -> Canvas:
    """Smooth noise with one channel more at the end, to be added to a picture."""
    width, height = size
    small = rng.normal(0, strength, (height // grain_px, width // grain_px)).astype(np.float32)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC))[..., None]


def _bricks(room: Canvas) -> None:
    joint, (height, width) = (172, 168, 160), room.shape[:2]
    for row, y in enumerate(range(0, height, 60)):
        cv2.line(room, (0, y), (width, y), joint, 1)
        for x in range(70 * (row % 2), width, 140):
            cv2.line(room, (x, y), (x, y + 60), joint, 1)


def _door(room: Canvas, rng: np.random.Generator) -> None:
    cv2.rectangle(room, (60, 120), (300, 720), (70, 96, 128), -1)
    room[120:720, 60:300] += cv2.resize(rng.normal(0, 12, (1, 120)).astype(np.float32), (240, 600))[..., None]
    cv2.rectangle(room, (90, 160), (270, 400), (60, 84, 112), 6)
    cv2.circle(room, (275, 440), 12, (190, 200, 205), -1)


def _whiteboard(room: Canvas, rng: np.random.Generator) -> None:
    cv2.rectangle(room, (420, 80), (860, 380), (90, 90, 90), -1)
    cv2.rectangle(room, (430, 90), (850, 370), (240, 242, 240), -1)
    for line in range(9):
        steps = int(rng.integers(8, 30))
        x = 450 + int(rng.integers(0, 200)) + 6 * np.arange(steps)
        y = 110 + 26 * line + rng.normal(0, 5, steps)
        ink = ((160, 60, 40), (40, 40, 170), (50, 50, 50))[line % 3]
        cv2.polylines(
            room, [np.stack([x, y], axis=1).astype(np.int32)], isClosed=False, color=ink, thickness=3
        )


def _plant_and_poster(room: Canvas, rng: np.random.Generator) -> None:
    cv2.rectangle(room, (900, 100), (1010, 260), (120, 150, 200), -1)
    cv2.ellipse(room, (955, 170), (30, 42), 0, 0, 360, (150, 180, 225), -1)
    cv2.ellipse(room, (1060, 520), (60, 70), 0, 0, 360, (40, 60, 120), -1)
    for _ in range(46):
        angle, length = rng.uniform(-2.9, -0.2), rng.uniform(60, 210)
        middle = (int(1060 + np.cos(angle) * length / 2), int(470 + np.sin(angle) * length / 2))
        leaf = (40 + int(rng.integers(0, 40)), 90 + int(rng.integers(0, 70)), 40 + int(rng.integers(0, 30)))
        axes = (int(length / 2), int(rng.uniform(6, 16)))
        cv2.ellipse(room, middle, axes, float(np.degrees(angle)), 0, 360, leaf, -1)
    cv2.line(room, (640, 720), (640, 430), (60, 60, 60), 8)
    cv2.ellipse(room, (640, 430), (70, 40), 0, 180, 360, (60, 190, 230), -1)

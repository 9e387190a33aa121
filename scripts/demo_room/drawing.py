"""Draws the demo camera's room: detailed and full of things nobody should see."""

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.uint8]
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the design."""

DESIGN_SIZE = (1920, 1080)
"""The room is laid out at this size, (width, height) in pixels, and scaled to the camera's."""

_SEED = 7
_COARSE = 8
"""Light changes slowly: it is computed for every eighth pixel of every eighth row."""

_WOOD: Colour = (58, 88, 128)
_DARK_WOOD: Colour = (36, 56, 84)
_WHITE: Colour = (238, 240, 240)
_INK: Colour = (70, 46, 34)
_SPINES: tuple[Colour, ...] = (
    (60, 60, 160),
    (120, 88, 44),
    (64, 120, 84),
    (52, 132, 190),
    (150, 150, 158),
    (84, 52, 100),
    (40, 44, 60),
    (170, 190, 206),
)
_NOTES = ("Q3 salaries", "- Ada    91 400", "- Grace  88 250", "Safe: 47 11 08", "Alarm off: 2580")


def draw_room() -> Canvas:
    """The room at its design size, BGR; the same bytes each time."""
    room = _wall()
    _window(room, (1330, 90, 1700, 600))
    _bookcase(room, (40, 540, 500, 1000))
    _whiteboard(room, (60, 70, 500, 474))
    _painting(room, (544, 90, 704, 210))
    _sideboard(room, (1290, 790, 1920, 1080))
    _lamp(room, 1800, 800)
    _plant(room, 1420, 790)
    _light(room)
    return room


def _colour(blue: float, green: float, red: float) -> NDArray[np.float32]:
    return np.array((blue, green, red), np.float32)


def _wall() -> Canvas:
    width, height = DESIGN_SIZE
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, bottom = _colour(188, 200, 204), _colour(150, 166, 174)
    wall = np.broadcast_to(top + (bottom - top) * down, (height, width, 3)).astype(np.uint8, order="C")
    _box(wall, (0, 940, width, 962), (196, 204, 208))
    _box(wall, (0, 962, width, height), (70, 92, 118))
    for x in range(-200, width, 170):
        cv2.line(wall, (x + 150, 962), (x, height), (54, 74, 98), 3, cv2.LINE_AA)
    return wall


def _box(room: Canvas, box: Box, colour: Colour) -> None:
    cv2.rectangle(room, box[:2], (box[2] - 1, box[3] - 1), colour, -1)


def _shadow(room: Canvas, box: Box, spread_px: int = 14) -> None:
    """Darken softly what is behind ``box``, a little to the right and below."""
    height, width = room.shape[:2]
    left, top = max(0, box[0] - spread_px), max(0, box[1] - spread_px)
    right, bottom = min(width, box[2] + 3 * spread_px), min(height, box[3] + 3 * spread_px)
    dark = np.zeros((bottom - top, right - left), np.float32)
    dark[
        box[1] - top + spread_px : box[3] - top + spread_px,
        box[0] - left + spread_px : box[2] - left + spread_px,
    ] = 1
    dark = cv2.GaussianBlur(dark, (0, 0), spread_px * 0.8)
    view = room[top:bottom, left:right]
    view[:] = (view * (1 - 0.4 * dark[..., None])).astype(np.uint8)


def _text(
    room: Canvas, words: str, at: tuple[int, int], scale: float, colour: Colour, thickness: int
) -> None:
    cv2.putText(room, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)


def _window(room: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    _shadow(room, box)
    _box(room, (left - 22, top - 22, right + 22, bottom + 22), _WHITE)
    tall = bottom - top
    down = np.linspace(0, 1, tall, dtype=np.float32)[:, None, None]
    sky = _colour(236, 196, 142) * (1 - down) + _colour(246, 240, 228) * down
    room[top:bottom, left:right] = sky.astype(np.uint8)
    view = room[top:bottom, left:right]
    for x, y, radius in ((70, 110, 34), (110, 96, 44), (156, 112, 32), (280, 190, 26), (312, 184, 34)):
        cv2.circle(view, (x, y), radius, (252, 250, 248), -1, cv2.LINE_AA)
    cv2.ellipse(view, (80, tall + 60), (330, 220), 0, 0, 360, (110, 158, 132), -1, cv2.LINE_AA)
    cv2.ellipse(view, (330, tall + 90), (300, 210), 0, 0, 360, (84, 136, 104), -1, cv2.LINE_AA)
    _box(view, (150, tall - 210, 214, tall - 118), (196, 214, 226))
    cv2.fillPoly(
        view,
        [np.array([(138, tall - 208), (182, tall - 256), (226, tall - 208)])],
        (60, 74, 158),
        cv2.LINE_AA,
    )
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    _box(room, (middle_x - 9, top, middle_x + 9, bottom), _WHITE)
    _box(room, (left, middle_y - 9, right, middle_y + 9), _WHITE)
    _box(room, (left - 44, bottom + 22, right + 44, bottom + 48), (206, 212, 214))
    for start, end in ((left - 90, left + 34), (right - 34, right + 90)):
        _curtain(room, (start, top - 60, end, bottom + 170))


def _curtain(room: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    across = np.arange(right - left, dtype=np.float32)
    fold = 0.84 + 0.16 * np.sin(across / 7.5 + 0.6 * np.sin(across / 19))
    room[top:bottom, left:right] = (_colour(150, 124, 92) * fold[:, None]).astype(np.uint8)


def _bookcase(room: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    random = np.random.default_rng(_SEED)
    _shadow(room, box)
    _box(room, box, _WOOD)
    shelves = 3
    tall = (bottom - top - 20) // shelves
    for shelf in range(shelves):
        floor = top + 20 + (shelf + 1) * tall - 20
        _box(room, (left + 20, floor - tall + 20, right - 20, floor), _DARK_WOOD)
        _books(room, (left + 28, floor - tall + 34, right - 30, floor), random)
    _box(room, (left, bottom - 20, right, bottom), _WOOD)


def _books(room: Canvas, box: Box, random: np.random.Generator) -> None:
    left, top, right, floor = box
    x = left
    while True:
        thick, low = int(random.integers(14, 38)), int(random.integers(0, 44))
        if x + thick > right:
            return
        colour = _SPINES[int(random.integers(len(_SPINES)))]
        _box(room, (x, top + low, x + thick - 2, floor), colour)
        lighter = tuple(min(255, value + 70) for value in colour)
        band = top + low + 16
        _box(room, (x + 3, band, x + thick - 5, band + 8), (lighter[0], lighter[1], lighter[2]))
        _box(room, (x + 3, floor - 26, x + thick - 5, floor - 21), (lighter[0], lighter[1], lighter[2]))
        x += thick + (int(random.integers(10, 34)) if random.random() < 0.12 else 0)


def _whiteboard(room: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    _shadow(room, box)
    _box(room, box, (150, 154, 156))
    _box(room, (left + 12, top + 12, right - 12, bottom - 12), (246, 248, 248))
    _text(room, "PRIVATE", (left + 34, top + 92), 2.3, (44, 40, 196), 7)
    cv2.line(room, (left + 34, top + 112), (left + 330, top + 116), (44, 40, 196), 4, cv2.LINE_AA)
    for row, note in enumerate(_NOTES):
        _text(room, note, (left + 36, top + 178 + row * 46), 1.05, _INK, 3)
    _box(room, (left + 60, bottom - 4, left + 260, bottom + 12), (172, 176, 178))
    for index, colour in enumerate(((44, 40, 196), (150, 90, 30), (60, 140, 50))):
        _box(room, (left + 76 + index * 60, bottom - 12, left + 122 + index * 60, bottom - 2), colour)


def _painting(room: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    _shadow(room, box)
    _box(room, box, (44, 70, 96))
    _box(room, (left + 14, top + 14, right - 14, bottom - 14), (226, 232, 234))
    view = room[top + 32 : bottom - 32, left + 32 : right - 32]
    view[:] = (206, 176, 120)
    cv2.circle(view, (128, 36), 20, (120, 206, 248), -1, cv2.LINE_AA)
    cv2.fillPoly(view, [np.array([(0, 116), (54, 34), (110, 116)])], (120, 104, 92), cv2.LINE_AA)
    cv2.fillPoly(view, [np.array([(62, 116), (122, 56), (176, 116)])], (92, 80, 72), cv2.LINE_AA)


def _sideboard(room: Canvas, box: Box) -> None:
    left, top, right, bottom = box
    _box(room, (left, top + 22, right, bottom), (88, 118, 152))
    _box(room, (left - 14, top, right, top + 24), (104, 138, 174))
    for door in range(left + 16, right, 206):
        cv2.rectangle(room, (door, top + 44), (door + 188, bottom - 24), (70, 98, 130), 4)
        cv2.circle(room, (door + 168, top + 140), 8, (196, 208, 214), -1, cv2.LINE_AA)
    _shadow(room, (left - 14, top + 10, right - 60, top + 20), 8)


def _lamp(room: Canvas, x: int, floor: int) -> None:
    _box(room, (x - 46, floor - 14, x + 46, floor), (56, 60, 66))
    _box(room, (x - 7, floor - 240, x + 7, floor - 10), (80, 86, 92))
    shade = np.array(
        [(x - 62, floor - 380), (x + 62, floor - 380), (x + 104, floor - 220), (x - 104, floor - 220)]
    )
    cv2.fillPoly(room, [shade], (150, 208, 240), cv2.LINE_AA)


def _plant(room: Canvas, x: int, floor: int) -> None:
    for angle, long, green in (
        (-64, 190, 90),
        (-36, 250, 120),
        (-12, 285, 104),
        (14, 270, 132),
        (40, 240, 98),
        (66, 180, 118),
    ):
        lean = np.deg2rad(angle)
        tip_x, tip_y = x + long * np.sin(lean), floor - 90 - long * np.cos(lean)
        centre = (round((x + tip_x) / 2), round((floor - 90 + tip_y) / 2))
        cv2.ellipse(
            room,
            centre,
            (long // 2, 25),
            angle - 90,
            0,
            360,
            (green // 2, green, green // 2 + 8),
            -1,
            cv2.LINE_AA,
        )
        cv2.line(room, (x, floor - 90), (round(tip_x), round(tip_y)), (60, green + 40, 84), 2, cv2.LINE_AA)
    pot = np.array([(x - 74, floor - 110), (x + 74, floor - 110), (x + 54, floor), (x - 54, floor)])
    cv2.fillPoly(room, [pot], (92, 128, 196), cv2.LINE_AA)
    _box(room, (x - 80, floor - 118, x + 80, floor - 96), (104, 142, 210))


def _light(room: Canvas) -> None:
    """The window's and the lamp's glow, darker corners, and a camera's grain."""
    width, height = DESIGN_SIZE
    y, x = np.mgrid[0:height:_COARSE, 0:width:_COARSE].astype(np.float32)
    gain = 0.86 + 0.20 * np.exp(-(((x - 1515) / 620) ** 2 + ((y - 340) / 520) ** 2))
    gain -= ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * np.float32(0.34)
    lamp = np.exp(-(((x - 1800) / 210) ** 2 + ((y - 470) / 230) ** 2))
    glow = lamp[..., None] * _colour(14, 36, 48)
    gain_bgr = cv2.resize(cv2.merge([gain, gain, gain]), DESIGN_SIZE)
    cv2.multiply(room, gain_bgr, dst=room, dtype=cv2.CV_8U)
    cv2.add(room, cv2.resize(glow, DESIGN_SIZE), dst=room, dtype=cv2.CV_8U)
    grain = np.random.default_rng(_SEED).integers(0, 5, (height, width), np.uint8)
    cv2.subtract(room, cv2.merge([grain, grain, grain]), dst=room)
    cv2.GaussianBlur(room, (0, 0), 0.8, dst=room)

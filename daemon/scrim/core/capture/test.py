"""The test pattern: colour bars, a moving block and a frame counter."""

import numpy as np

from scrim.core.capture.drawn import DrawnSource
from scrim.frame import Caps, Plane, Planes

Colour = tuple[int, int, int]

# Y, U, V of BT.601, limited range, as SMPTE ECR 1-1978 gives the bars (75 %).
_WHITE: Colour = (235, 128, 128)
_GREY: Colour = (180, 128, 128)
_BLACK: Colour = (16, 128, 128)
_BARS: tuple[Colour, ...] = (
    _GREY,
    (162, 44, 142),
    (131, 156, 44),
    (112, 72, 58),
    (84, 184, 198),
    (65, 100, 212),
    (35, 212, 114),
)
_REVERSED: tuple[Colour, ...] = (_BARS[6], _BLACK, _BARS[4], _BLACK, _BARS[2], _BLACK, _GREY)
_FOOT: tuple[Colour, ...] = ((16, 158, 95), _WHITE, (16, 174, 149), _BLACK, _BLACK)

_DIGITS = 6
_SEGMENTS = ("ABCDEF", "BC", "ABDEG", "ABCDG", "BCFG", "ACDFG", "ACDEFG", "ABC", "ABCDEFG", "ABCDFG")
"""Which of seven segments are lit for each digit: A on top, then clockwise, G in the middle."""

_SMALLEST_DIGIT_PX = 8
_BLOCK_SHARE = 8
"""The moving block's side is this part of the picture's height."""

_STEP_PX = 4
"""What the moving block moves from one frame to the next: even, so that chroma moves whole pixels."""


class TestPattern(DrawnSource):
    """Colour bars with a white block that runs to and fro and, in the corner, the sequence number.

    Args:
        caps: what to deliver.
        pace: deliver at ``caps.frame_rate``; False delivers as fast as frames are read.
    """

    __test__ = False  # the name is the field's; pytest shall not take it for a test

    def __init__(self, caps: Caps, pace: bool = True) -> None:
        super().__init__(caps, pace)
        self._bars: Plane | None = None
        self._digits: list[Plane] = []

    def _prepare(self) -> None:
        width, height = self._caps.size
        self._digits = _render_digits(min(height // 8, width // (_DIGITS + 1)) & ~1)
        self._bars = np.empty((height * 3 // 2, width), np.uint8)
        planes = Planes.of(self._bars)
        edges = (0, _even(height * 2 / 3), _even(height * 3 / 4), height)
        for row, colours in enumerate((_BARS, _REVERSED, _FOOT)):
            _paint_row(planes, edges[row], edges[row + 1], colours)
        if self._digits:
            tall, wide = self._digits[0].shape
            _fill(planes, (0, 0, wide * _DIGITS, tall), _BLACK)

    def _draw(self, i420: Plane, sequence: int) -> None:
        assert self._bars is not None  # noqa: S101  (open() came first)
        np.copyto(i420, self._bars)
        planes = Planes.of(i420)
        _fill(planes, self._block(sequence), _WHITE)
        for place, digit in enumerate(f"{sequence % 10**_DIGITS:0{_DIGITS}}" if self._digits else ""):
            glyph = self._digits[int(digit)]
            tall, wide = glyph.shape
            np.copyto(planes.y[:tall, place * wide : (place + 1) * wide], glyph)

    def _block(self, sequence: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of the moving block in frame ``sequence``."""
        width, height = self._caps.size
        side = min(max(2, _even(height / _BLOCK_SHARE)), width)
        way = width - side
        there = sequence * _STEP_PX % (2 * way) if way else 0
        left = min(there, 2 * way - there)
        top = _even((height - side) / 2)
        return left, top, left + side, top + side


def _even(value: float) -> int:
    return int(value) & ~1


def _fill(planes: Planes, box: tuple[int, int, int, int], colour: Colour) -> None:
    left, top, right, bottom = box
    planes.y[top:bottom, left:right] = colour[0]
    planes.u[top // 2 : bottom // 2, left // 2 : right // 2] = colour[1]
    planes.v[top // 2 : bottom // 2, left // 2 : right // 2] = colour[2]


def _paint_row(planes: Planes, top: int, bottom: int, colours: tuple[Colour, ...]) -> None:
    width = planes.size[0]
    for index, colour in enumerate(colours):
        left, right = (_even(width * i / len(colours)) for i in (index, index + 1))
        _fill(planes, (left, top, right, bottom), colour)


def _render_digits(height_px: int) -> list[Plane]:
    """The ten digits in white on black, each square; none when they would be too small to read.

    Of segments: OpenCV's fonts take 9 MB and 1,500 page faults, which the first picture would wait for.
    """
    if height_px < _SMALLEST_DIGIT_PX:
        return []
    boxes = _segment_boxes(height_px)
    glyphs = []
    for lit in _SEGMENTS:
        glyph = np.full((height_px, height_px), _BLACK[0], np.uint8)
        for name in lit:
            glyph[boxes[name]] = _WHITE[0]
        glyphs.append(glyph)
    return glyphs


def _segment_boxes(height_px: int) -> dict[str, tuple[slice, slice]]:
    """Rows and columns of each segment of a digit."""
    thick = height_px // 8
    left, right = height_px // 5, height_px - height_px // 5
    top, bottom = thick, height_px - thick
    middle = (top + bottom - thick) // 2
    across = slice(left, right)
    on_left, on_right = slice(left, left + thick), slice(right - thick, right)
    upper, lower = slice(top, middle + thick), slice(middle, bottom)
    return {
        "A": (slice(top, top + thick), across),
        "B": (upper, on_right),
        "C": (lower, on_right),
        "D": (slice(bottom - thick, bottom), across),
        "E": (lower, on_left),
        "F": (upper, on_left),
        "G": (slice(middle, middle + thick), across),
    }

"""What is shown while there is no feed: a figure, as in the core's placeholder, without words."""

from collections.abc import Callable
from math import ceil, floor

_GROUND = (40, 132, 124)
_FIGURE = (86, 134, 121)
"""As in ``scrim.core.composite.placeholder``, which this side of the wall cannot see."""

HalfWidth = Callable[[float], float]
"""Half the figure's width, in luma pixels, at a height in luma pixels; 0 or less where there is none."""


def draw(width: int, height: int) -> bytes:
    """The placeholder as I420 without padding.

    Args:
        width: pixels, even.
        height: pixels, even.
    """
    half_width = _figure(width, height)
    planes = [_plane(width, height, 1, half_width, _GROUND[0], _FIGURE[0])]
    for ground, figure in zip(_GROUND[1:], _FIGURE[1:], strict=True):
        planes.append(_plane(width // 2, height // 2, 2, half_width, ground, figure))
    return b"".join(planes)


def _figure(width: int, height: int) -> HalfWidth:
    """A head and shoulders in the middle."""
    unit = min(width, height) / 12
    head_y = height * 0.36
    neck_y = head_y + unit * 4.1

    def half_width(y: float) -> float:
        head = _ellipse(y - head_y, unit * 1.25, unit * 1.45)
        shoulders = _ellipse(y - neck_y, unit * 2.6, unit * 2.2) if y <= neck_y else 0.0
        return max(head, shoulders)

    return half_width


def _ellipse(y: float, half_width: float, half_height: float) -> float:
    share = 1 - (y / half_height) ** 2
    return half_width * float(share**0.5) if share > 0 else 0.0


def _plane(width: int, height: int, step: int, half_width: HalfWidth, ground: int, figure: int) -> bytes:
    """One plane; ``step`` is how many luma pixels one of its pixels is wide."""
    empty = bytes([ground]) * width
    plane = bytearray()
    for row in range(height):
        half = half_width((row + 0.5) * step) / step
        plane += empty if half <= 0 else _row(width, half, ground, figure)
    return bytes(plane)


def _row(width: int, half: float, ground: int, figure: int) -> bytes:
    """A row with the figure in its middle; the pixels at its ends are mixed."""
    left, right = max(0.0, width / 2 - half), min(float(width), width / 2 + half)
    first, last = ceil(left), floor(right)
    row = bytearray([ground]) * width
    row[first:last] = bytes([figure]) * (last - first)
    if first > 0:
        row[first - 1] = round(ground + (first - left) * (figure - ground))
    if last < width:
        row[last] = round(ground + (right - last) * (figure - ground))
    return bytes(row)

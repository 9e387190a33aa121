"""Pictures with their number in them, readable after H.264."""

import numpy as np

from scrim.frame import Plane, Planes

BITS = 16
_BLACK, _WHITE, _LIMIT = 16, 235, 125


def numbered(size: tuple[int, int], number: int) -> Plane:
    """An I420 picture with ``number`` in bars over its upper quarter, and something that moves below."""
    width, height = size
    i420 = np.full((height * 3 // 2, width), 128, np.uint8)
    luma = Planes.of(i420).y
    bar_px = width // BITS
    for bit in range(BITS):
        luma[: height // 4, bit * bar_px : (bit + 1) * bar_px] = _WHITE if number >> bit & 1 else _BLACK
    left = number * 7 % (width // 2)
    luma[height // 2 :, left : left + width // 2] = 60 + number * 11 % 120
    return i420


def number_in(luma: Plane) -> int:
    """The number in a picture; those without bars read as anything."""
    height, width = luma.shape
    bar_px = width // BITS
    rows, margin = slice(height // 16, height * 3 // 16), bar_px // 4
    bars = (luma[rows, bit * bar_px + margin : (bit + 1) * bar_px - margin] for bit in range(BITS))
    return sum(1 << bit for bit, bar in enumerate(bars) if bar.mean() > _LIMIT)


def is_numbered(luma: Plane) -> bool:
    """Whether there are bars; the placeholder has none."""
    height, width = luma.shape
    bar_px = width // BITS
    rows, margin = slice(height // 16, height * 3 // 16), bar_px // 4
    bars = [luma[rows, bit * bar_px + margin : (bit + 1) * bar_px - margin].mean() for bit in range(BITS)]
    return all(abs(bar - _BLACK) < 20 or abs(bar - _WHITE) < 20 for bar in bars)

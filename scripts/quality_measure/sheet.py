"""Contact sheets: before, over green, matte."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from quality_measure.matting import Bgr, Matting, even

_ROW_PX = 180
_WIDTH_PX = 3000
_GAP_PX = 6
_GREEN = np.array((60, 200, 60), np.float32)


def write_sheet(path: Path, matting: Matting, pictures: Iterable[Bgr]) -> None:
    """Write one sheet with all pictures, in rows, each for itself.

    Raises:
        ValueError: there is nothing to show, or the file cannot be written.
    """
    strips = []
    for picture in pictures:
        matting.restart()
        strips.append(_strip(matting, even(picture)))
    if not strips:
        raise ValueError(f"{path}: there is no picture to show")
    if not cv2.imwrite(str(path), _packed(strips)):
        raise ValueError(f"{path}: cannot be written")


def _packed(strips: list[Bgr]) -> Bgr:
    """The strips in rows, each as full as it gets."""
    width = max(_WIDTH_PX, *(strip.shape[1] + _GAP_PX for strip in strips))
    rows, left = [np.zeros((_ROW_PX + _GAP_PX, width, 3), np.uint8)], 0
    for strip in strips:
        if left + strip.shape[1] > width:
            rows.append(np.zeros_like(rows[0]))
            left = 0
        rows[-1][:_ROW_PX, left : left + strip.shape[1]] = strip
        left += strip.shape[1] + _GAP_PX
    return np.vstack(rows)


def _strip(matting: Matting, picture: Bgr) -> Bgr:
    alpha = matting.matte(picture)
    share = (alpha / np.float32(255))[..., None]
    over_green = (picture * share + _GREEN * (1 - share)).astype(np.uint8)
    size = (round(picture.shape[1] * _ROW_PX / picture.shape[0]), _ROW_PX)
    three = (picture, over_green, cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR))
    return np.hstack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in three])

"""From video's range to JPEG's: BT.601 has luma from 16 to 235 and chroma from 16 to 240, JPEG 0 to 255."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scrim.frame import Plane


def luma_to_full() -> Plane:
    """What each byte of luma becomes, shape (256,); what lies outside of video's range is cut."""
    return rounded((np.arange(256) - 16) * (255 / 219))


def chroma_to_full() -> Plane:
    """What each byte of chroma becomes, shape (256,); what lies outside of video's range is cut."""
    return rounded((np.arange(256) - 128) * (255 / 224) + 128)


def rounded(levels: NDArray[np.floating[Any]]) -> Plane:
    """Levels as bytes: what lies outside cut, halves to even."""
    table: Plane = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return table

"""What of a mask a model is sure of."""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.frame import Mask

FAINT, FIRM = 60, 110
"""Masks up to FAINT, of 255, count as 0, from FIRM on they count as they are, and between they rise from the
one to the other. What a model is unsure of is the room: against a cut at 38, where alpha becomes 0 anyway, a
third less of the demo's room is seen at the hair, and boundary F at 720p rises by 0.010."""

Rect = tuple[int, int, int, int]
"""(x, y, width, height), all 0 where there is nothing."""


class MaskFilter(Protocol):
    """Takes masks, one after the other.

    Attributes:
        mask: what became of the last one; overwritten by the next.
    """

    mask: Mask

    def take(self, mask: Mask) -> Rect:
        """Take the next mask.

        Args:
            mask: shape (height, width), uint8.

        Returns:
            Around what is not 0 in what became of it.
        """

    def reset(self) -> None:
        """Forget every mask seen so far."""


class Firm:
    """A mask without its faint part, whatever was before. A :class:`MaskFilter`.

    Args:
        mask_size: (width, height) in pixels.
    """

    def __init__(self, mask_size: tuple[int, int]) -> None:
        width, height = mask_size
        self.mask: Mask = np.zeros((height, width), np.uint8)
        self._table = firming()

    def take(self, mask: Mask) -> Rect:
        """See :class:`MaskFilter`."""
        cv2.LUT(mask, self._table, dst=self.mask)
        return around(self.mask)

    def reset(self) -> None:
        """There is nothing to forget."""


def around(mask: Mask) -> Rect:
    """The rectangle around what is not 0."""
    x, y, width, height = cv2.boundingRect(mask)
    return x, y, width, height


def firming() -> NDArray[np.uint8]:
    """The table that takes the faint part out of a mask."""
    mask = np.arange(256)
    part = -(-mask * (mask - FAINT) // (FIRM - FAINT))  # rounded up
    return np.where(mask < FIRM, np.maximum(part, 0), mask).astype(np.uint8)

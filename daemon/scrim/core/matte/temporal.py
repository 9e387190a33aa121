"""Steadies a sequence of masks without trailing."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.matte.firm import Firm, Rect, around, firming
from scrim.frame import Mask

HELD_GAIN = 0.1
"""Share of the new mask where nothing moves."""

STILL = 0.05
"""Mean change of the mask, 0 to 1, up to which a place counts as still."""

MOVING = 0.30
"""Mean change of the mask, 0 to 1, from which the new mask is taken as it is."""

WINDOW_PX = 5
"""Side of the square, in mask pixels, over which the change is averaged."""


Steady = Callable[[Mask, Mask], Rect]
"""``steady(average, mask)`` takes the faint part out of the next frame's mask, moves the average, in place,
towards what is left, and answers where the average is not 0 then."""


class TemporalFilter:
    """A running average whose gain follows the mask's own change.

    Each result is ``old + gain * (new - old)``. The gain is HELD_GAIN where the mask hardly differs from the
    average and 1 where it differs much, so an edge at rest is held and a moving one is followed in the same
    frame:
    the difference to a moving edge grows until the gain does. Two rules bind it to the mask of the same
    frame:

    - It looks at masks only. The picture's own motion would tell still from moving a little better (boundary
      F at one pixel +0.004 on a moving clip), but then pixels that nobody may see would decide how long an
      edge is held.
    - Where the new mask is 0 the result is 0, whatever was there before.

    All arrays are uint8. The average is kept in whole steps, so a difference below half a step of gain stays:
    up to 5 of 255, far below what the matte's sharpening takes for 0 or 255.

    Args:
        mask_size: (width, height) in pixels.
        steady: what takes one step.

    Attributes:
        mask: the average; overwritten by the next mask.
    """

    def __init__(self, mask_size: tuple[int, int], steady: Steady) -> None:
        self._first = Firm(mask_size)
        self.mask = self._first.mask
        self._steady = steady
        self._is_fresh = True

    def reset(self) -> None:
        """Forget every mask seen so far."""
        self._is_fresh = True

    def take(self, mask: Mask) -> Rect:
        """See :class:`scrim.core.matte.firm.MaskFilter`."""
        if self._is_fresh:
            self._is_fresh = False
            return self._first.take(mask)
        return self._steady(self.mask, mask)


def best_steady(mask_size: tuple[int, int]) -> Steady:
    """A step by the extension in C where it was built, else by OpenCV; to the same bytes.

    Args:
        mask_size: (width, height) in pixels.
    """
    try:
        from scrim.core.matte._edges import steady
    except ImportError:
        return OpenCVSteady(mask_size)
    table, gain, spare = firming(), _gains(), np.empty(15 * (mask_size[0] + 4), np.uint16)
    return lambda average, mask: steady(average, mask, table, gain, spare)


class OpenCVSteady:
    """A step by OpenCV.

    Args:
        mask_size: (width, height) in pixels.
    """

    def __init__(self, mask_size: tuple[int, int]) -> None:
        width, height = mask_size
        self._firm = Firm(mask_size)
        self._change = np.empty((height, width), np.uint8)
        self._support = np.empty((height, width), np.uint8)
        self._new_share = np.empty((height, width), np.float32)
        self._old_share = np.empty((height, width), np.float32)
        self._gain = _gains()
        self._loss = 1 - self._gain

    def __call__(self, average: Mask, mask: Mask) -> Rect:
        """See ``Steady``."""
        self._firm.take(mask)
        mask = self._firm.mask
        cv2.absdiff(mask, average, dst=self._change)
        cv2.blur(self._change, (WINDOW_PX, WINDOW_PX), dst=self._change)
        cv2.LUT(self._change, self._gain, dst=self._new_share)
        cv2.LUT(self._change, self._loss, dst=self._old_share)
        cv2.blendLinear(mask, average, self._new_share, self._old_share, dst=average)
        cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY, dst=self._support)
        cv2.bitwise_and(average, self._support, dst=average)
        return around(average)


def _gains() -> NDArray[np.float32]:
    """The gain for each mean change, 0 to 255."""
    moved = np.clip((np.arange(256) / 255 - STILL) / (MOVING - STILL), 0, 1)
    return (HELD_GAIN + (1 - HELD_GAIN) * moved).astype(np.float32)

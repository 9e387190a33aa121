"""Finds out whether a room shows, by a code painted on its picture: for tests, soaks and operators.

A camera's picture is marked with a pattern that only the holder of a key knows, each pixel of the room a
little lighter or darker. What scrim delivers is then searched for it. Where the room is replaced nothing is
left of the pattern; where a block of the room passes, its score is far beyond chance, also after JPEG at
quality 50.

The score is normal by construction, whatever the picture: it sums the block's high-passed pixels with signs
that are independent of them, over the root of their squares. So its mean is 0, its variance 1, it never
exceeds 16, and it exceeds ``THRESHOLD`` by chance about once in 10**9 blocks. It does not see edges thinner
than a block; the two runs in tests/privacy do.
"""

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.frame import Plane

BLOCK_PX = 16
"""Side of the square that gets one score."""

THRESHOLD = 6.0
"""A score above this says that the room shows."""

AMPLITUDE = 12
"""Steps of luma by which a marked pixel is lighter or darker."""

_NEIGHBOURS_PX = 3
_SMALLEST_ENERGY = 1e-3


class CodedBackground:
    """Marks pictures of one size with the pattern of a key.

    Args:
        size: (width, height) in pixels.
        key: any text; who has it can find the pattern.
        amplitude: steps of luma, 1 to 64.

    Raises:
        ValueError: the amplitude is out of range.
    """

    def __init__(self, size: tuple[int, int], key: str, amplitude: int = AMPLITUDE) -> None:
        if not 1 <= amplitude <= 64:
            raise ValueError(f"amplitude = {amplitude}: must be from 1 to 64")
        is_lighter = signs(size, key) > 0
        self._add = np.where(is_lighter, np.uint8(amplitude), np.uint8(0))
        self._take = np.where(is_lighter, np.uint8(0), np.uint8(amplitude))

    def mark(self, luma: Plane, person: Plane | None = None) -> Plane:
        """A copy of ``luma`` with the pattern on the room.

        Where luma is within the amplitude of 0 or 255 less of the pattern fits.

        Args:
            luma: shape (height, width), uint8.
            person: same shape and type; pixels above 0 are left as they are. None: all is room.
        """
        marked = cv2.subtract(cv2.add(luma, self._add), self._take)
        if person is not None:
            np.copyto(marked, luma, where=person > 0)
        return np.asarray(marked, np.uint8)


class Detector:
    """Searches pictures of one size for the pattern of a key. Allocates only the scores.

    Args:
        size: (width, height) in pixels; what is beyond the last whole block is not searched.
        key: the one the pictures were marked with.
    """

    def __init__(self, size: tuple[int, int], key: str) -> None:
        columns, rows = size[0] // BLOCK_PX, size[1] // BLOCK_PX
        self._blocks = (columns, rows)
        self._shape = (rows * BLOCK_PX, columns * BLOCK_PX)
        whole = tuple(slice(length) for length in self._shape)
        self._signs = np.ascontiguousarray(signs(size, key)[whole], np.float32)
        self._fine, self._mean = (np.empty(self._shape, np.float32) for _ in range(2))

    def blocks(self, luma: Plane) -> NDArray[np.float32]:
        """The score of each block, shape (height // 16, width // 16).

        Args:
            luma: shape (height, width), uint8.
        """
        rows, columns = self._shape
        part, fine = luma[:rows, :columns], self._fine
        side = (_NEIGHBOURS_PX, _NEIGHBOURS_PX)
        cv2.boxFilter(part, cv2.CV_32F, side, dst=self._mean)
        cv2.subtract(part, self._mean, dst=fine, dtype=cv2.CV_32F)
        found = self._means(cv2.multiply(fine, self._signs, dst=self._mean))
        energy = self._means(cv2.multiply(fine, fine, dst=self._mean))
        return np.asarray(BLOCK_PX * found / np.sqrt(energy + _SMALLEST_ENERGY), np.float32)

    def flagged(self, luma: Plane) -> NDArray[np.bool_]:
        """True for each block in which the room shows, shape (height // 16, width // 16)."""
        return self.blocks(luma) > THRESHOLD

    def _means(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(plane, self._blocks, interpolation=cv2.INTER_AREA), np.float32)


def signs(size: tuple[int, int], key: str) -> NDArray[np.int8]:
    """The pattern: -1 or 1 for each pixel, shape (height, width), the same for the same key everywhere."""
    width, height = size
    count = width * height
    stream = hashlib.shake_256(key.encode()).digest(-(-count // 8))
    bits = np.unpackbits(np.frombuffer(stream, np.uint8), count=count)
    return (bits.astype(np.int8) * 2 - 1).reshape(height, width)

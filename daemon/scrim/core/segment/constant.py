"""Segmenters without a model: for trying things out, and for tests that must know the mask beforehand."""

from collections.abc import Iterable

import numpy as np

from scrim.errors import SegmentError
from scrim.frame import Mask, Plane


class ConstantSegmenter:
    """Answers every picture with the same mask.

    Args:
        value: of every pixel of the mask, 0 = background to 255 = person.
        input_size: (width, height) in pixels of picture and mask.
    """

    def __init__(self, value: int, input_size: tuple[int, int]) -> None:
        width, height = input_size
        self._value = value
        self._mask: Mask = np.full((height, width), value, np.uint8)
        self._closed = False

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self._mask.shape[1], self._mask.shape[0]

    def segment(self, rgb: Plane) -> Mask:
        """The mask; see :class:`scrim.core.segment.base.Segmenter`."""
        check_picture(rgb, self.input_size, closed=self._closed)
        self._mask.fill(self._value)
        return self._mask

    def close(self) -> None:
        """Nothing more is answered."""
        self._closed = True


class ScriptedSegmenter:
    """Answers with given masks in order; the last is repeated for ever.

    A mask is handed on as it is, whatever its shape and type: tests hand in what a broken model would.

    Args:
        script: masks to return and exceptions to raise, at least one.
        input_size: (width, height) in pixels of the picture ``segment`` wants.

    Raises:
        ValueError: the script is empty.
    """

    def __init__(self, script: Iterable[Mask | Exception], input_size: tuple[int, int]) -> None:
        self._script = iter(script)
        self._size = input_size
        self._closed = False
        first = next(self._script, None)
        if first is None:
            raise ValueError("script: is empty; at least one mask or exception is needed")
        self._next: Mask | Exception = first

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self._size

    def segment(self, rgb: Plane) -> Mask:
        """The next mask; see :class:`scrim.core.segment.base.Segmenter`.

        Raises:
            SegmentError: the picture is of another size, or the segmenter is closed.
            Exception: whatever the script has here.
        """
        check_picture(rgb, self._size, closed=self._closed)
        now = self._next
        self._next = next(self._script, now)
        if isinstance(now, Exception):
            raise now
        return now

    def close(self) -> None:
        """Nothing more is answered."""
        self._closed = True


def check_picture(rgb: Plane, size: tuple[int, int], *, closed: bool) -> None:
    """Refuse what no segmenter takes.

    Raises:
        SegmentError: the picture has another shape or type, or the segmenter is closed.
    """
    if closed:
        raise SegmentError("the segmenter is closed")
    wanted = (size[1], size[0], 3)
    if rgb.shape != wanted or rgb.dtype != np.uint8:
        raise SegmentError(f"got a picture {rgb.shape} {rgb.dtype}, wants {wanted} uint8")

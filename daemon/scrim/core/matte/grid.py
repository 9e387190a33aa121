"""The working grids between the mask and the frame.

The frame is divided into *fine* cells of 1 x 1, 2 x 2 or 4 x 4 pixels, where the edge is drawn, and *coarse*
cells of 2 x 2 fine ones, where its statistics are gathered. A window of coarse cells is a window of whole
fine cells and of whole, evenly placed pixels, so work can be confined to it without moving anything. Where
the last cells reach beyond the frame (no usual camera's does) the mask is stretched by less than one of them.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

WIDEST_HALVED_PX = 960
"""Frames up to this width get fine cells of 2 pixels, wider ones of 4: the fine grid stays near 320 x 180 to
480 x 270 for the usual cameras. Finer cells cost four times as much and moved boundary F at 720p by 0.003."""


class Window(NamedTuple):
    """A rectangle of coarse cells; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, plane: NDArray[Any], cells: int = 1) -> NDArray[Any]:
        """The part of ``plane`` inside, where a coarse cell is ``cells`` elements wide and high."""
        return plane[self.top * cells : self.bottom * cells, self.left * cells : self.right * cells]


@dataclass(frozen=True, slots=True)
class Grid:
    """How a frame of ``frame_size`` is divided.

    Attributes:
        frame_size: (width, height) in pixels, even.
        step_px: width and height of a fine cell: 1, 2 or 4.
        coarse_size: (width, height) in coarse cells; the last ones may reach beyond the frame.
    """

    frame_size: tuple[int, int]
    step_px: int
    coarse_size: tuple[int, int]

    @classmethod
    def for_frame(cls, frame_size: tuple[int, int]) -> "Grid":
        """The grid for frames of ``frame_size``, (width, height) in pixels."""
        return cls.of_cells(2 if frame_size[0] <= WIDEST_HALVED_PX else 4, frame_size)

    @classmethod
    def as_fine_as(cls, mask_size: tuple[int, int], frame_size: tuple[int, int]) -> "Grid":
        """The coarsest grid that has as many coarse cells as a mask has pixels, where time is no matter.

        It is never coarser than ``for_frame``.

        Args:
            mask_size: (width, height) in pixels of the masks.
            frame_size: (width, height) in pixels of the frames.
        """
        pixels = mask_size[0] * mask_size[1]
        grid = cls.for_frame(frame_size)
        while grid.step_px > 1 and math.prod(grid.coarse_size) < pixels:
            grid = cls.of_cells(grid.step_px // 2, frame_size)
        return grid

    @classmethod
    def of_cells(cls, step_px: int, frame_size: tuple[int, int]) -> "Grid":
        """The grid with fine cells of ``step_px``."""
        width, height = frame_size
        return cls(frame_size, step_px, (-(-width // (2 * step_px)), -(-height // (2 * step_px))))

    @property
    def coarse_px(self) -> int:
        """Pixels a coarse cell is wide and high."""
        return 2 * self.step_px

    def shape(self, cells: int) -> tuple[int, int]:
        """(rows, columns) of an array with ``cells`` x ``cells`` elements per coarse cell."""
        return self.coarse_size[1] * cells, self.coarse_size[0] * cells

    def window_around(self, rect: tuple[int, int, int, int], size: tuple[int, int], margin: int) -> Window:
        """The coarse cells that ``rect`` touches, and ``margin`` more on each side.

        Args:
            rect: (x, y, width, height) in a picture of the whole frame that is ``size`` large.
            size: (width, height) of that picture.
            margin: coarse cells.
        """
        x, y, wide, high = rect
        columns, rows = self.coarse_size
        return Window(
            max(0, x * columns // size[0] - margin),
            max(0, y * rows // size[1] - margin),
            min(columns, -(-(x + wide) * columns // size[0]) + margin),
            min(rows, -(-(y + high) * rows // size[1]) + margin),
        )

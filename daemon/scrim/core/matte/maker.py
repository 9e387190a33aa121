"""MatteMaker: one mask and one frame in, one matte out."""

from functools import partial

import cv2
import numpy as np

from scrim.core.matte.firm import Firm, MaskFilter, Rect
from scrim.core.matte.grid import Grid
from scrim.core.matte.guided import BLACK, REACH, WHITE, Drawn, best_edges, drawn_within
from scrim.core.matte.temporal import TemporalFilter, best_steady
from scrim.core.pyramid import Pyramid
from scrim.errors import SegmentError
from scrim.frame import Coarse, Mask, Matte, Plane


class MatteMaker:
    """Turns masks into alpha mattes, frame after frame.

    What a matte may depend on, so that nobody can read the room from it:

    - With ``refine`` off it is a function of the masks since the last ``reset`` and of nothing else: the
      picture is not looked at, not even to tell whether something moved (see ``temporal``).
    - With ``refine`` on the picture moves the edge, inwards from the outline of the mask's support: pixels
      farther than ``reach_px`` from the support change nothing, and the matte is 0 there.
    - In both cases alpha is 0 outside the support of this frame's own mask, whatever earlier masks said; only
      interpolation softens that line, by less than a mask pixel and a cell of the grid.

    The *support* of a mask are its pixels above FAINT. Alpha below BLACK becomes exactly 0, above WHITE
    exactly 255. Nothing frame-sized is allocated after construction. Used from one thread.

    Args:
        frame_size: (width, height) of the frames in pixels, both even.
        mask_size: (width, height) of the masks in pixels.
        refine: let the edge follow the picture.
        smooth: steady the mask over time.
        is_fine: draw the edge as finely as the mask knows it; for stills, where time is no matter.

    Attributes:
        reach_px: luma pixels beyond the mask's support where the matte is 0 and the picture has no influence.
    """

    def __init__(
        self,
        frame_size: tuple[int, int],
        mask_size: tuple[int, int],
        *,
        refine: bool = True,
        smooth: bool = True,
        is_fine: bool = False,
    ) -> None:
        width, height = frame_size
        self.frame_size = frame_size
        self.mask_size = mask_size
        self._grid = Grid.as_fine_as(mask_size, frame_size) if is_fine else Grid.for_frame(frame_size)
        self._filter: MaskFilter = (
            TemporalFilter(mask_size, best_steady(mask_size)) if smooth else Firm(mask_size)
        )
        self._guided = best_edges(self._grid, mask_size) if refine else None
        self._fine = np.zeros(self._grid.shape(2), np.uint8)
        self._whole_y = np.zeros(self._grid.shape(self._grid.coarse_px), np.uint8)
        self._whole_uv = np.zeros(self._grid.shape(self._grid.step_px), np.uint8)
        self._y, self._uv = self._whole_y[:height, :width], self._whole_uv[: height // 2, : width // 2]
        uv_shape = (height, width) if self._grid.step_px == 1 else (0, 0)
        self._large_uv = np.empty(uv_shape, np.uint8), np.empty(uv_shape, np.uint8)
        self._enlarged_to: list[Plane] = []
        self._cells = Coarse(self._fine, self._grid.step_px) if self._grid.step_px > 1 else None
        self._count = 0
        self._nothing = Matte(self._y, self._uv, (0, 0, 0, 0), 0.0)
        self._snap = _snapping()
        mask_pixel_px = max(-(-width // mask_size[0]), -(-height // mask_size[1]))
        cells = REACH + 2 if refine else 2
        self.reach_px = cells * self._grid.coarse_px + 2 * mask_pixel_px

    def reset(self) -> None:
        """Forget earlier masks: after a gap, a camera change, between stills."""
        self._filter.reset()

    def matte(self, mask: Mask, pyramid: Pyramid) -> Matte:
        """The matte of one frame; valid until the next call.

        Args:
            mask: shape (height, width) of ``mask_size``, uint8.
            pyramid: loaded with the frame that the mask was computed from.

        Raises:
            SegmentError: the mask or the frame has another shape or type.
        """
        self._check(mask, pyramid)
        support, steady = self._filter.take(mask), self._filter.mask
        self._clear()
        if not support[2]:
            return self._nothing
        if self._guided is None:
            window = self._grid.window_around(support, self.mask_size, 2)
            self._draw_plain(steady)
            drawn = drawn_within(window, self._fine)
        else:
            window = self._grid.window_around(support, self.mask_size, REACH + 2)
            drawn = self._guided.draw(steady, self._guides(pyramid), window, self._fine)
        return self._finished(drawn)

    def _check(self, mask: Mask, pyramid: Pyramid) -> None:
        shape = self._filter.mask.shape
        if mask.shape != shape or mask.dtype != np.uint8:
            raise SegmentError(f"mask: {mask.shape} {mask.dtype}; {shape} uint8 is wanted")
        if pyramid.size != self.frame_size:
            raise SegmentError(f"frame: {pyramid.size}; {self.frame_size} is wanted")

    def _clear(self) -> None:
        """Make everything 0 again that the last matte has written."""
        self._fine.fill(0)
        for part in self._enlarged_to:
            part.fill(0)
        self._enlarged_to.clear()
        self._count += 1

    def _draw_plain(self, mask: Mask) -> None:
        """The mask at fine size, by interpolation alone."""
        cv2.resize(mask, self._fine.shape[::-1], dst=self._fine, interpolation=cv2.INTER_LINEAR_EXACT)
        cv2.LUT(self._fine, self._snap, dst=self._fine)

    def _guides(self, pyramid: Pyramid) -> tuple[Plane, Plane, Plane]:
        """Luma and chroma with a pixel for each fine cell."""
        level = self._grid.step_px // 2
        if level:
            return pyramid.luma(level), *pyramid.chroma(level - 1)
        luma = pyramid.luma(0)
        for plane, large in zip(pyramid.chroma(0), self._large_uv, strict=True):
            cv2.resize(plane, luma.shape[::-1], dst=large, interpolation=cv2.INTER_LINEAR_EXACT)
        return luma, *self._large_uv

    def _finished(self, drawn: Drawn) -> Matte:
        """The matte of what was drawn; it is enlarged when somebody asks for it."""
        rect, alphas = drawn
        if not alphas:
            return self._nothing
        width, height = self.frame_size
        coverage = alphas * self._grid.step_px**2 / (255 * width * height)
        return Matte(
            partial(self._enlarged, rect, self._count, self._whole_y, self._grid.coarse_px, self._y),
            partial(self._enlarged, rect, self._count, self._whole_uv, self._grid.step_px, self._uv),
            self._box(rect),
            min(1.0, coverage),
            self._cells,
        )

    def _enlarged(self, rect: Rect, count: int, whole: Plane, cells: int, seen: Plane) -> Plane:
        """The fine matte at the size of one kind of planes.

        Args:
            rect: of fine cells, outside which it is 0.
            count: of the matte that is wanted.
            whole: where it goes.
            cells: elements of ``whole`` across a coarse cell.
            seen: the part of ``whole`` within the frame.

        Raises:
            LookupError: another one was made since.
        """
        if count != self._count:
            raise LookupError("this matte is gone: the next one was made")
        shown = self._grid.window_around(rect, self._fine.shape[::-1], 1)
        part = shown.of(whole, cells)
        cv2.resize(shown.of(self._fine, 2), part.shape[::-1], dst=part, interpolation=cv2.INTER_LINEAR_EXACT)
        self._enlarged_to.append(part)
        return seen

    def _box(self, rect: Rect) -> tuple[int, int, int, int]:
        """The box, in even pixels, around ``rect`` of fine cells and what interpolation adds: below one."""
        x, y, wide, high = rect
        step, (width, height) = self._grid.step_px, self.frame_size
        return (
            max(0, (x - 1) * step // 2 * 2),
            max(0, (y - 1) * step // 2 * 2),
            min(width, -(-(x + wide + 1) * step // 2) * 2),
            min(height, -(-(y + high + 1) * step // 2) * 2),
        )


def _snapping() -> Plane:
    """The table that makes alpha below BLACK 0, above WHITE 255 and stretches what is between."""
    alpha = (np.arange(256) / 255 - BLACK) / (WHITE - BLACK)
    return np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8)

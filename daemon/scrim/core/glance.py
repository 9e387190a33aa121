"""One inference over a part of the frame."""

import cv2
import numpy as np

from scrim.core.close_up import Rect
from scrim.core.pyramid import Pyramid
from scrim.core.segment.base import Segmenter
from scrim.frame import Mask, Plane, Planes


class Glance:
    """Shows the model a part of the frame, and says where in the frame's mask the answer belongs.

    Where the part reaches beyond the frame, the frame's edge is repeated. Used from one thread.

    Args:
        frame_size: (width, height) of the frames in pixels, both even.
        segmenter: finds the person.
        mask_size: (width, height) in pixels of its masks, in the proportions of its input.
    """

    def __init__(self, frame_size: tuple[int, int], segmenter: Segmenter, mask_size: tuple[int, int]) -> None:
        width, height = segmenter.input_size
        self._frame_size = frame_size
        self._mask_size = mask_size
        self._segmenter = segmenter
        self._i420 = np.empty((height * 3 // 2, width), np.uint8)
        self._planes = Planes.of(self._i420)
        self._rgb = np.empty((height, width, 3), np.uint8)
        self._mirrored = np.empty_like(self._rgb)
        self._seen = np.empty((mask_size[1], mask_size[0]), np.uint8)
        self._part = np.empty_like(self._seen)

    def look(self, pyramid: Pyramid, rect: Rect, *, is_mirrored: bool) -> tuple[Mask, Rect]:
        """What the model says of a part of the frame.

        Args:
            pyramid: loaded with the frame.
            rect: the part; within the frame from top to bottom, to the sides maybe beyond it.
            is_mirrored: show the model the mirror image.

        Returns:
            The mask of what of the part is inside the frame, valid until the next call, and where that is.

        Raises:
            SegmentError: the model failed.
        """
        inside = _inside(rect, self._mask_size[0])
        first, last = self._columns(rect, inside)
        self._shrink(pyramid, inside, first, last)
        cv2.cvtColor(self._i420, cv2.COLOR_YUV2RGB_I420, dst=self._rgb)
        if not is_mirrored:
            return self._cut_out(self._segmenter.segment(self._rgb), inside, first, last), inside
        cv2.flip(self._rgb, 1, dst=self._mirrored)
        seen = cv2.flip(self._segmenter.segment(self._mirrored), 1, dst=self._seen)
        return self._cut_out(np.asarray(seen), inside, first, last), inside

    def _columns(self, rect: Rect, inside: Rect) -> tuple[int, int]:
        """Between which even columns of the model's picture the frame lies."""
        width = self._i420.shape[1]
        first = 2 * round((inside[0] - rect[0]) * width / rect[2] / 2)
        last = 2 * round((inside[0] + inside[2] - rect[0]) * width / rect[2] / 2)
        return min(first, width - 2), max(last, min(first, width - 2) + 2)

    def _shrink(self, pyramid: Pyramid, inside: Rect, first: int, last: int) -> None:
        """The part at the model's size, from the coarsest level that has the pixels; edges repeated."""
        level = self._level(inside, last - first)
        sources = (pyramid.luma(level), *pyramid.chroma(level))
        for source, target, at in zip(sources, self._planes, (1, 2, 2), strict=True):
            middle = target[:, first // at : last // at]
            cv2.resize(
                self._covered(source, inside),
                middle.shape[::-1],
                dst=middle,
                interpolation=cv2.INTER_LINEAR_EXACT,
            )
            target[:, : first // at] = middle[:, :1]
            target[:, last // at :] = middle[:, -1:]

    def _level(self, inside: Rect, columns: int) -> int:
        wide = self._frame_size[0] * inside[2] / self._mask_size[0]
        high = self._frame_size[1] * inside[3] / self._mask_size[1]
        rows = self._rgb.shape[0]
        return max((n for n in range(4) if wide / 2**n >= columns and high / 2**n >= rows), default=0)

    def _covered(self, plane: Plane, rect: Rect) -> Plane:
        """What ``rect`` covers of a plane of the whole frame."""
        x, y, wide, high = rect
        (rows, columns), (width, height) = plane.shape, self._mask_size
        return plane[_span(y, high, rows / height, rows), _span(x, wide, columns / width, columns)]

    def _cut_out(self, seen: Mask, inside: Rect, first: int, last: int) -> Mask:
        """The columns that belong to the frame, at the size of the frame's mask."""
        scale = seen.shape[1] / self._i420.shape[1]
        columns = seen[:, int(first * scale) : max(int(last * scale), int(first * scale) + 1)]
        part = self._part[: inside[3], : inside[2]]
        is_smaller = inside[2] <= columns.shape[1] and inside[3] <= columns.shape[0]
        how = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR_EXACT
        cv2.resize(columns, part.shape[::-1], dst=part, interpolation=how)
        return part


def _span(start: int, length: int, scale: float, whole: int) -> slice:
    """Of a side ``whole`` pixels long: what a stretch of mask pixels covers, one pixel at least."""
    first = min(round(start * scale), whole - 1)
    return slice(first, max(first + 1, round((start + length) * scale)))


def _inside(rect: Rect, whole: int) -> Rect:
    """The part of ``rect`` that is in a mask ``whole`` pixels wide."""
    x, y, width, height = rect
    left, right = max(0, x), min(whole, x + width)
    return left, y, right - left, height

"""The picture follows the person: the crop before segmentation, and what its mask teaches for the next."""

from math import ceil, floor

import cv2

from scrim.core.framing.aim import Aim, Order
from scrim.core.framing.glide import Glide
from scrim.core.framing.sighting import Lookout
from scrim.core.framing.view import FULL, View
from scrim.frame import Frame, FramePool, Mask, Plane, Planes

MAX_ZOOM_LIMIT = 3.0
"""More would show more pixels than person."""

_SPARE_PX = 16
"""What a cropped picture may be larger than the frame before its own edge is cut: see ``_enlarge``."""


class Framing:
    """Shows the part of the picture where the person is. Used from one thread.

    For each frame: ``crop`` it, find the person in what comes back, hand that mask to ``observe``. The view
    depends on masks and frame times alone. At zoom 1 frames pass untouched and nothing is computed on them.

    Args:
        size: (width, height) in pixels of every frame, both even.
        max_zoom: how much nearer the picture may come, 1 to 3; 1 never moves.

    Raises:
        ValueError: ``max_zoom`` is out of range.
    """

    def __init__(self, size: tuple[int, int], max_zoom: float = 1.5) -> None:
        if not 1 <= max_zoom <= MAX_ZOOM_LIMIT:
            raise ValueError(f"max_zoom = {max_zoom}: allowed is 1 to {MAX_ZOOM_LIMIT:g}")
        self._size = size
        self._max_zoom = max_zoom
        self._pool: FramePool | None = None
        self._lookout: Lookout | None = None
        self.reset()

    def reset(self) -> None:
        """Show the whole picture, at rest, and forget where the person was."""
        self._aim = Aim(self._max_zoom)
        self._glide = Glide()
        self._order = Order(FULL)
        self._now_ns: int | None = None

    @property
    def view(self) -> View:
        """What the last frame showed of the camera's picture."""
        return self._glide.view

    def crop(self, frame: Frame) -> Frame | None:
        """Move on to a frame's time and cut out the view.

        Args:
            frame: of the size announced.

        Returns:
            A frame of the same size and time: the very same one at zoom 1. None when every buffer is still in
            use, and the frame is dropped.
        """
        since_ns = 0 if self._now_ns is None else frame.pts_ns - self._now_ns
        self._now_ns = frame.pts_ns
        view = self._glide.step(self._order.goal, self._order.pace_hz(self.view), since_ns / 1e9)
        return frame if view.is_full else self._cut(frame, view)

    def observe(self, mask: Mask) -> None:
        """Learn where the person is.

        Args:
            mask: found in the frame that ``crop`` gave last; without regions of the room that are kept.
        """
        if self._max_zoom == 1 or self._now_ns is None:
            return
        mask_size = (mask.shape[1], mask.shape[0])
        if self._lookout is None or self._lookout.mask_size != mask_size:
            self._lookout = Lookout(mask_size)
        sighting = self._lookout.look(mask, self.view)
        self._order = self._aim.decide(sighting, self._now_ns / 1e9)

    def _cut(self, frame: Frame, view: View) -> Frame | None:
        width, height = self._size
        if self._pool is None:
            self._pool = FramePool((width + _SPARE_PX, height + _SPARE_PX), 4)
        i420 = self._pool.lease()
        if i420 is None:
            return None
        room = Planes.of(i420)
        y, u, v = (_enlarge(*planes, view) for planes in zip(frame.planes, room, strict=True))
        return Frame(Planes(y, u, v), frame.pts_ns, frame.sequence)


def _enlarge(source: Plane, room: Plane, view: View) -> Plane:
    """Scale what a view shows of a plane to the plane's size.

    Whole pixels around the view are scaled, and the view is cut out of the result: it moves by pixels of the
    result, which are smaller than the camera's, and its size does not tremble.

    Args:
        source: the plane.
        room: where to write, larger than the plane.
        view: what to show.

    Returns:
        A part of ``room``.
    """
    height, width = source.shape
    columns, left, right = _stretch(view.left, view.share, width)
    rows, top, bottom = _stretch(view.top, view.share, height)
    target = room[: rows[1], : columns[1]]
    part = source[top:bottom, left:right]
    cv2.resize(part, (columns[1], rows[1]), dst=target, interpolation=cv2.INTER_LINEAR)
    return target[rows[0] : rows[0] + height, columns[0] : columns[0] + width]


def _stretch(start: float, share: float, pixels: int) -> tuple[tuple[int, int], int, int]:
    """One direction of ``_enlarge``.

    Returns:
        (first pixel of the view in the result, length of the result), first and past-last source pixel.
    """
    first = max(0, floor(start * pixels))
    last = min(pixels, ceil((start + share) * pixels))
    length = max(pixels, round((last - first) / share))
    offset = min(max(0, round((start * pixels - first) / share)), length - pixels)
    return (offset, length), first, last

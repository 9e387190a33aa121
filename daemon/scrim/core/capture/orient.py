"""Pictures turned upright, or as in a mirror."""

from typing import Literal

import cv2
import numpy as np

from scrim.core.capture.base import Source
from scrim.frame import Caps, Frame, FramePool, Plane, Planes

Rotation = Literal[0, 90, 180, 270]
"""Degrees clockwise."""

ROTATIONS = (0, 90, 180, 270)
_BUFFERS = 6


class Oriented:
    """A source whose frames are rotated, then mirrored. With nothing to do they pass untouched.

    Args:
        source: the real one.
        mirror: swap left and right of the upright picture.
        rotate: degrees clockwise; 90 and 270 swap width and height.

    Raises:
        ValueError: ``rotate`` is none of the four.
    """

    def __init__(self, source: Source, *, mirror: bool = False, rotate: Rotation = 0) -> None:
        if rotate not in ROTATIONS:
            raise ValueError(f"rotate = {rotate}: allowed is 0, 90, 180 or 270")
        self._source = source
        self._mirror = mirror
        self._rotate = rotate
        self._pool: FramePool | None = None
        self._scratch: Planes | None = None
        self.native: Caps | None = None

    @property
    def rotate(self) -> Rotation:
        """Degrees clockwise."""
        return self._rotate

    def open(self) -> Caps:
        """Open the real source; see :class:`Source`."""
        self.native = self._source.open()
        caps = turned(self.native, self._rotate)
        self._prepare(caps)
        return caps

    def turn(self, *, mirror: bool, rotate: Rotation) -> None:
        """Turn the frames this way from the next one on.

        Raises:
            ValueError: width and height would change places.
        """
        if (rotate - self._rotate) % 180:
            raise ValueError(
                f"rotate = {rotate}: the picture would have another shape than at {self._rotate}"
            )
        self._mirror, self._rotate = mirror, rotate
        if self.native is not None:
            self._prepare(turned(self.native, rotate))

    def read(self) -> Frame | None:
        """The next frame, turned; None also when every buffer is still in use."""
        frame = self._source.read()
        if frame is None or self._pool is None:
            return frame
        i420 = self._pool.lease()
        if i420 is None:
            return None
        target = Planes.of(i420)
        scratch = self._scratch or target
        for source, between, out in zip(frame.planes, scratch, target, strict=True):
            _turn(np.asarray(source), between, out, mirror=self._mirror, rotate=self._rotate)
        return Frame(target, frame.pts_ns, frame.sequence)

    def close(self) -> None:
        """Close the real source."""
        self._source.close()

    def _prepare(self, caps: Caps) -> None:
        if not (self._rotate or self._mirror):
            self._pool = None
        elif self._pool is None or self._pool.size != caps.size:
            self._pool = FramePool(caps.size, _BUFFERS)
        if self._mirror and self._rotate == 270:
            height, width = caps.width, caps.height
            self._scratch = Planes.of(np.empty((height * 3 // 2, width), np.uint8))


def turned(caps: Caps, rotate: Rotation) -> Caps:
    """What a picture of ``caps`` is after a rotation, and what to ask a camera for to get ``caps``."""
    if rotate in (0, 180):
        return caps
    return Caps(caps.height, caps.width, caps.frame_rate)


def _turn(source: Plane, between: Plane, out: Plane, *, mirror: bool, rotate: Rotation) -> None:
    """Rotate, then mirror, in one pass where OpenCV has one; ``between`` has the source's shape."""
    match (rotate, mirror):
        case (0, _):
            cv2.flip(source, 1, dst=out)
        case (180, True):
            cv2.flip(source, 0, dst=out)
        case (180, False):
            cv2.rotate(source, cv2.ROTATE_180, dst=out)
        case (90, True):
            cv2.transpose(source, dst=out)
        case (90, False):
            cv2.rotate(source, cv2.ROTATE_90_CLOCKWISE, dst=out)
        case (_, True):
            cv2.flip(source, 1, dst=between)
            cv2.rotate(between, cv2.ROTATE_90_CLOCKWISE, dst=out)
        case _:
            cv2.rotate(source, cv2.ROTATE_90_COUNTERCLOCKWISE, dst=out)

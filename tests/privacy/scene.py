"""What the two cameras see: masks that follow from the frame's number, and rooms that differ behind them."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.matte import MatteMaker
from scrim.core.matte.maker import FAINT
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, Mask, Matte, Plane, Planes

SIZE = (128, 96)
MASK_SIZE = (64, 48)

Where = NDArray[np.bool_]
"""True for the pixels that are meant, shape of a plane."""


@dataclass(frozen=True)
class Room:
    """The pixels of one frame that are room for certain.

    Attributes:
        y: of the luma plane.
        uv: of the chroma planes.
    """

    y: Where
    uv: Where

    def planes(self) -> tuple[Where, Where, Where]:
        """One for each plane of a picture."""
        return self.y, self.uv, self.uv


@lru_cache(maxsize=1024)
def mask_of(salt: int, sequence: int) -> Mask:
    """The mask of one frame, each at another place: solid inside, soft at the edge, now and then nobody."""
    rng = np.random.default_rng((salt, sequence))
    width, height = MASK_SIZE
    mask = np.zeros((height, width), np.uint8)
    kind = rng.integers(10)
    if kind == 0:
        return mask
    left, top = rng.integers(-4, width - 8), rng.integers(-4, height - 8)
    right, bottom = left + rng.integers(10, 26), top + rng.integers(10, 20)
    mask[max(0, top) : bottom, max(0, left) : right] = rng.integers(1, 255)
    mask[max(0, top + 2) : bottom - 2, max(0, left + 2) : right - 2] = 255
    if kind < 4:
        mask[rng.integers(height), rng.integers(width)] = rng.integers(1, 32)
    return mask


@lru_cache(maxsize=4096)
def picture_of(salt: int, sequence: int) -> Plane:
    """What the first camera sees: I420, noise over large shapes, every value from 0 to 255."""
    rng = np.random.default_rng((salt, sequence, 1))
    width, height = SIZE
    coarse = rng.integers(0, 256, (height * 3 // 16, width // 8), np.uint8)
    shapes = cv2.resize(coarse, (width, height * 3 // 2), interpolation=cv2.INTER_NEAREST)
    noise = rng.integers(0, 256, shapes.shape, np.uint8)
    return np.asarray(np.where(rng.random(shapes.shape) < 0.5, shapes, noise), np.uint8)


@lru_cache(maxsize=4096)
def room_of(salt: int, sequence: int, reach_px: int) -> Room:
    """The pixels farther than ``reach_px`` from the support of the mask."""
    support = np.where(mask_of(salt, sequence) > FAINT, np.uint8(255), np.uint8(0))
    person = cv2.resize(support, SIZE, interpolation=cv2.INTER_NEAREST)
    near = cv2.dilate(person, np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8))
    return _room(np.equal(near, 0))


@lru_cache(maxsize=4096)
def transparent_room(salt: int, sequence: int) -> Room:
    """The pixels where the unrefined matte of this frame by itself is 0."""
    matte = plain_matte(salt, sequence)
    return Room(matte.y == 0, matte.uv == 0)


def plain_matte(salt: int, sequence: int) -> Matte:
    """The matte of this frame by itself, neither refined nor smoothed."""
    maker = MatteMaker(SIZE, MASK_SIZE, refine=False, smooth=False)
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(Planes.of(picture_of(salt, sequence)), 0, sequence))
    return maker.matte(mask_of(salt, sequence).copy(), pyramid)


def other_room(picture: Plane, *rooms: Room) -> Plane:
    """The same picture with every pixel of the rooms turned into its opposite."""
    other = picture.copy()
    for room in rooms:
        for seen, changed, where in zip(Planes.of(picture), Planes.of(other), room.planes(), strict=True):
            np.copyto(changed, ~seen, where=where)
    return other


@lru_cache(maxsize=2)
def reach_px(*, refine: bool) -> int:
    """How far beyond the support of the mask the matte can be above 0, or depend on the picture."""
    return MatteMaker(SIZE, MASK_SIZE, refine=refine, smooth=False).reach_px


def _room(is_room: Where) -> Room:
    height, width = is_room.shape
    quads = is_room.reshape(height // 2, 2, width // 2, 2)
    return Room(is_room, np.asarray(quads.all(axis=(1, 3))))

"""What the two cameras see: masks that follow from the frame's number, and rooms that differ behind them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.config import Settings
from scrim.core.framing.framing import Framing
from scrim.core.framing.view import FULL, View
from scrim.core.ladder import Level
from scrim.core.matte import MatteMaker
from scrim.core.matte.firm import FAINT
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, Mask, Matte, Plane, Planes

SIZE = (128, 96)
MASK_SIZE = (64, 48)
SMALL_MASK_SIZE = (32, 24)
"""What the model and the smaller model want and give."""

CLOSE_UP = 100
"""Added to the salt for what the model says to its second look."""

SPREAD_PX = 4
"""A pixel of the camera changes a cropped picture no farther than this from its place, in its own pixels: one
of chroma for interpolation, and one for rounding."""

Where = NDArray[np.bool_]
"""True for the pixels that are meant, shape of a plane."""

Region = tuple[float, float, float, float]
"""(left, top, width, height) in fractions of the camera's picture."""

Rect = tuple[int, int, int, int]
"""(left, top, right, bottom) in mask pixels; may reach beyond the mask."""


@dataclass(frozen=True)
class Sight:
    """How one frame is to be seen, as follows from masks and settings alone.

    Attributes:
        mask: what is to be seen, after second look, choice of person and kept regions.
        view: the part of the camera's picture that is shown.
        level: of quality.
        settings: in effect.
        looks: how often the model was asked.
    """

    mask: Mask
    view: View
    level: Level
    settings: Settings
    looks: int

    @property
    def refine(self) -> bool:
        """Whether the matte's edge follows the picture."""
        return self.settings.matte.refine and self.level.refine


@dataclass(frozen=True)
class Room:
    """The pixels of one picture that are room for certain.

    Attributes:
        y: of the luma plane.
        uv: of the chroma planes.
    """

    y: Where
    uv: Where

    def planes(self) -> tuple[Where, Where, Where]:
        """One for each plane of a picture."""
        return self.y, self.uv, self.uv


def people_of(salt: int, sequence: int) -> list[Rect]:
    """Who is in one frame.

    By the salt's remainder of 4: nobody or one person, each time at another place; two people who hardly
    move; one such; two such again. From salt 7 on they are away for some frames, from the first on.
    """
    rng = np.random.default_rng((salt, sequence))
    width, height = MASK_SIZE
    if 7 <= salt < CLOSE_UP and sequence // 3 % 2 == 0:
        return []
    if salt % 4 == 0:
        if rng.integers(10) == 0:
            return []
        left, top = rng.integers(-4, width - 8), rng.integers(-4, height - 8)
        return [(left, top, left + rng.integers(10, 26), top + rng.integers(10, 20))]
    home = np.random.default_rng((salt, 77))
    people = []
    for left in (home.integers(2, 8), home.integers(38, 44))[salt % 4 == 2 :]:
        wide, high = home.integers(12, 18), home.integers(16, 30)
        x, y = left + rng.integers(-2, 3), height - high + rng.integers(-2, 3)
        people.append((x, y, x + wide, height))
    return people


@lru_cache(maxsize=2048)
def mask_of(salt: int, sequence: int, size: tuple[int, int] = MASK_SIZE) -> Mask:
    """The mask of one frame: solid inside, soft at the edge, now and then with a speck."""
    rng = np.random.default_rng((salt, sequence, 2))
    width, height = MASK_SIZE
    mask = np.zeros((height, width), np.uint8)
    for left, top, right, bottom in people_of(salt, sequence):
        mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = rng.integers(1, 255)
        mask[max(0, top + 2) : max(0, bottom - 2), max(0, left + 2) : max(0, right - 2)] = 255
    if mask.any() and rng.integers(3) == 0:
        mask[rng.integers(height), rng.integers(width)] = rng.integers(1, 32)
    return mask if size == MASK_SIZE else np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA))


@lru_cache(maxsize=4096)
def picture_of(salt: int, sequence: int) -> Plane:
    """What the first camera sees: I420, noise over large shapes, every value from 0 to 255."""
    rng = np.random.default_rng((salt, sequence, 1))
    width, height = SIZE
    coarse = rng.integers(0, 256, (height * 3 // 16, width // 8), np.uint8)
    shapes = cv2.resize(coarse, (width, height * 3 // 2), interpolation=cv2.INTER_NEAREST)
    noise = rng.integers(0, 256, shapes.shape, np.uint8)
    return np.asarray(np.where(rng.random(shapes.shape) < 0.5, shapes, noise), np.uint8)


def shown_room(sight: Sight) -> Room:
    """The pixels of the picture going out that are farther from the mask's support than it reaches."""
    return _room(np.equal(_near(sight), 0))


def camera_rooms(sight: Sight | None) -> tuple[Room, ...]:
    """The pixels of the camera's picture that may have no influence on a picture with the room replaced.

    Everything where nothing is to be seen of the frame. A matte that is calmed over time may remember earlier
    masks, but never beyond the present one's support. The plain matte of a frame by itself is known exactly.
    """
    if sight is None:
        return (everything(),)
    if not sight.view.is_full:
        return (_room(np.equal(_behind(_near(sight), sight.view), 0)),)
    out_of_reach = shown_room(sight)
    if sight.refine or sight.settings.matte.smooth:
        return (out_of_reach,)
    matte = _plain_matte(sight.mask.tobytes(), sight.mask.shape)
    return out_of_reach, Room(matte.y == 0, matte.uv == 0)


def kept(regions: Iterable[Region], view: View, size: tuple[int, int]) -> Where:
    """Where a mask may show the kept parts of the room, a pixel more on each side."""
    where = np.zeros(size[::-1], np.bool_)
    for left, top, wide, high in regions:
        spans = []
        for start, length, begin, pixels in zip(
            (left, top), (wide, high), (view.left, view.top), size, strict=True
        ):
            first, last = ((at - begin) / view.share * pixels for at in (start, start + length))
            spans.append(slice(max(0, floor(first) - 1), max(0, ceil(last) + 1)))
        where[spans[1], spans[0]] = True
    return where


def everything() -> Room:
    """All pixels."""
    width, height = SIZE
    return Room(np.ones((height, width), np.bool_), np.ones((height // 2, width // 2), np.bool_))


def other_room(picture: Plane, *rooms: Room) -> Plane:
    """The same picture with every pixel of the rooms turned into its opposite."""
    other = picture.copy()
    for room in rooms:
        for seen, changed, where in zip(Planes.of(picture), Planes.of(other), room.planes(), strict=True):
            np.copyto(changed, ~seen, where=where)
    return other


def cut(picture: Plane, view: View) -> Planes:
    """What a view shows of a picture, at full size."""
    frame = Frame(Planes.of(picture), 0, 0)
    if view == FULL:
        return frame.planes
    shown = Framing(SIZE, 3)._cut(frame, view)
    assert shown is not None
    return shown.planes


def turned_back(picture: Plane, *, mirror: bool, rotate: int) -> list[Plane]:
    """The planes of an upright picture as a camera sees them that must be rotated, then mirrored."""
    upright = Planes.of(picture)
    return [np.rot90(np.fliplr(plane) if mirror else plane, rotate // 90) for plane in upright]


def _near(sight: Sight) -> Plane:
    height, width = sight.mask.shape
    return _reached(sight.mask.tobytes(), (height, width), sight.refine)


@lru_cache(maxsize=1024)
def _reached(mask: bytes, shape: tuple[int, int], refine: bool) -> Plane:
    """255 where the matte can be above 0 or depend on the picture."""
    support = np.where(np.frombuffer(mask, np.uint8).reshape(shape) > FAINT, np.uint8(255), np.uint8(0))
    person = cv2.resize(support, SIZE, interpolation=cv2.INTER_NEAREST)
    side = 2 * _reach_px((shape[1], shape[0]), refine) + 1
    return np.asarray(cv2.dilate(person, np.ones((side, side), np.uint8)))


@lru_cache(maxsize=8)
def _reach_px(mask_size: tuple[int, int], refine: bool) -> int:
    return MatteMaker(SIZE, mask_size, refine=refine, smooth=False).reach_px


def _behind(near: Plane, view: View) -> Plane:
    """The pixels of the camera that some of the shown pixels are made of, and SPREAD_PX more."""
    spread = ceil(SPREAD_PX / view.share) + 1
    rim = spread + 2
    wide = cv2.copyMakeBorder(near, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=0)
    cv2.dilate(wide, np.ones((2 * spread + 1, 2 * spread + 1), np.uint8), dst=wide)
    scale, (width, height) = 1 / view.share, SIZE
    x, y = ((0.5 - start) * scale - 0.5 + rim for start in (view.left * width, view.top * height))
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(wide, matrix, SIZE, flags=flags, borderValue=0))


@lru_cache(maxsize=1024)
def _plain_matte(mask: bytes, shape: tuple[int, int]) -> Matte:
    """The matte of a mask by itself, neither refined nor smoothed."""
    height, width = shape
    maker = MatteMaker(SIZE, (width, height), refine=False, smooth=False)
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(Planes.of(picture_of(0, 0)), 0, 0))
    return maker.matte(np.frombuffer(mask, np.uint8).reshape(shape).copy(), pyramid)


def _room(is_room: Where) -> Room:
    height, width = is_room.shape
    quads = is_room.reshape(height // 2, 2, width // 2, 2)
    return Room(is_room, np.asarray(quads.all(axis=(1, 3))))

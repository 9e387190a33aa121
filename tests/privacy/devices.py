"""What a run stands on: a camera that may lie on its side, models that may fail, poisoned buffers."""

from collections.abc import Callable
from typing import cast

import numpy as np

from scrim.core.capture.orient import Rotation
from scrim.errors import SegmentError
from scrim.frame import Caps, Frame, FramePool, Mask, Plane, Planes

from .scene import CLOSE_UP, SIZE, mask_of, turned_back
from .schedule import Fault, Shoot

POOL_FRAMES = 8


class UnexpectedError(RuntimeError):
    """What a segmenter raises that nobody expects; the worker's loop ends it."""


class PoisonedPool(FramePool):
    """Buffers that hold something else in each run, so that a pixel nobody wrote shows."""

    def __init__(self, poison: int) -> None:
        super().__init__(SIZE, POOL_FRAMES)
        self._poison = poison
        self.meanwhile: Callable[[], None] = lambda: None

    def lease(self) -> Plane | None:
        """A buffer full of poison, after whatever is to happen meanwhile."""
        self.meanwhile()
        buffer = super().lease()
        if buffer is not None:
            buffer[:] = self._poison
        return buffer

    def take_all(self) -> list[Plane]:
        """Every buffer there is."""
        held = []
        while (buffer := super().lease()) is not None:
            held.append(buffer)
        return held


class Camera:
    """A source whose next picture is set beforehand, in one of two buffers that are used again.

    Args:
        poison: what becomes of a buffer when its frame is done with.
        mirror: the picture set is what there is to be after mirroring.
        rotate: and after so many degrees clockwise, before that.

    Attributes:
        is_open: whether it sees anything.
    """

    def __init__(self, poison: int, *, mirror: bool, rotate: Rotation) -> None:
        self._poison, self._mirror, self._rotate = poison, mirror, rotate
        width, height = SIZE if rotate in (0, 180) else SIZE[::-1]
        self._caps = Caps(width, height, 30)
        self._buffers = [np.zeros((height * 3 // 2, width), np.uint8) for _ in range(2)]
        self._next: Frame | None = None
        self.is_open = False

    def open(self) -> Caps:
        """What will be delivered."""
        self.is_open = True
        return self._caps

    def set(self, picture: Plane, now_ns: int, sequence: int) -> None:
        """Deliver this upright picture next."""
        planes = Planes.of(self._buffers[sequence % 2])
        seen = turned_back(picture, mirror=self._mirror, rotate=self._rotate)
        for target, plane in zip(planes, seen, strict=True):
            np.copyto(target, plane)
        self._next = Frame(planes, now_ns, sequence)

    def read(self) -> Frame | None:
        """The picture that was set."""
        assert self.is_open
        frame, self._next = self._next, None
        return frame

    def done(self, sequence: int) -> None:
        """The frame's buffer goes back to the camera."""
        self._buffers[sequence % 2][:] = self._poison

    def close(self) -> None:
        """See nothing any more."""
        self.is_open = False


class Moment:
    """The present frame, as both models know it.

    Attributes:
        sequence: its number.
        has_good_mask: whether a model gave a mask for it, and nothing else.
    """

    def __init__(self) -> None:
        self._shoot = Shoot()
        self._inside: Callable[[], None] = lambda: None
        self.sequence = self.asked = 0
        self.has_good_mask = self.has_failed = False

    def begin(self, sequence: int, shoot: Shoot, inside: Callable[[], None]) -> None:
        """From now on it is this frame; ``inside`` is done when a model is first asked."""
        self.sequence, self._shoot, self._inside = sequence, shoot, inside
        self.asked = 0
        self.has_good_mask = self.has_failed = False

    def ask(self) -> Fault | None:
        """A model is asked once more: what goes wrong, if anything."""
        self.asked += 1
        if self.asked == 1:
            self._inside()
        fault = self._shoot.fault
        is_due = self.asked > 1 or not self._shoot.is_late
        fault = fault if is_due and fault != Fault.POOL_OUT else None
        self.has_failed = self.has_failed or fault is not None
        self.has_good_mask = not self.has_failed
        return fault


class FrameSegmenter:
    """Answers with the mask that belongs to the present frame's number, or with a fault.

    Args:
        salt: which script of masks.
        size: (width, height) in pixels of its input and its masks.
        moment: says which frame it is.
        is_on_trial: nobody is in the first picture, which is none of the camera's.
    """

    def __init__(
        self, salt: int, size: tuple[int, int], moment: Moment, *, is_on_trial: bool = False
    ) -> None:
        self._salt, self._size, self._moment = salt, size, moment
        self._had_mask = False
        self._is_on_trial = is_on_trial
        self._mask = np.zeros(size[::-1], np.uint8)

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self._size

    def segment(self, rgb: Plane) -> Mask:
        """The mask, after whatever is to happen meanwhile; another one at the second look."""
        assert rgb.shape == (*self._size[::-1], 3)
        if self._is_on_trial:
            self._is_on_trial = False
            return np.zeros(self._size[::-1], np.uint8)
        fault = self._moment.ask()
        salt = self._salt + CLOSE_UP * (self._moment.asked - 1)
        mask = self._mask  # one buffer for all masks, as a model has
        np.copyto(mask, mask_of(salt, self._moment.sequence, self._size))
        if fault is None:
            self._had_mask = True
            return mask
        return self._broken(mask, fault)

    def close(self) -> None:
        """Nothing to let go."""

    def _broken(self, mask: Mask, fault: Fault) -> Mask:
        height, width = mask.shape
        match fault:
            case Fault.RAISES:
                raise SegmentError("the model failed")
            case Fault.BLOWS_UP:
                raise UnexpectedError
            case Fault.HALF_SIZE if self._had_mask:
                return np.ascontiguousarray(mask[::2, ::2])
            case Fault.ONE_PIXEL:
                return np.full((1, 1), 255, np.uint8)
            case Fault.THREE_AXES:
                return mask[:, :, None]
            case Fault.EMPTY:
                return mask[:0]
            case Fault.FLOATS:
                return cast("Mask", mask.astype(np.float32) / 255)
            case Fault.NAN:
                return cast("Mask", np.full((height, width), np.nan, np.float32))
            case Fault.NOT_ARRAY:
                return cast("Mask", mask.tolist())
            case _:
                return np.full((height, width - 1), 255, np.uint8)

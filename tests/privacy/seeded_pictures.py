"""Seeded leaks in how a frame becomes a picture, each one mistake: pipeline, masks, mattes, compositor."""

from collections.abc import Callable
from typing import Any

import numpy as np

from scrim.core.composite.base import Background
from scrim.core.composite.blend import enlarge
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.door import seal
from scrim.core.found import Found
from scrim.core.matte import MatteMaker
from scrim.core.pipeline import Look, Pipeline
from scrim.core.pyramid import Pyramid
from scrim.core.segment.base import Segmenter
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Mask, Matte, Plane, Planes, SafeFrame

from .scene import MASK_SIZE


def as_effect(frame: Frame, revision: int) -> SafeFrame:
    """The raw picture, called an effect."""
    i420 = np.concatenate([plane.reshape(-1) for plane in frame.planes])
    shape = (frame.size[1] * 3 // 2, frame.size[0])
    return seal(i420.reshape(shape), frame.pts_ns, frame.sequence, "effect", revision)


class RawFirst(Pipeline):
    """Shows the first frame as it is."""

    def _compose(self, found: Found) -> SafeFrame | None:
        if found.frame.sequence == 0:
            return as_effect(found.frame, found.look.revision)
        return super()._compose(found)


class Undaunted(Pipeline):
    """Goes on with a frame for which the segmenter failed."""

    def find(self, frame: Frame) -> Found | None:
        try:
            return super().find(frame)
        except SegmentError:
            found = self._free()
            found.begin(self.begun)
            found.follow(self._look, self._level)
            found.pyramid.load(frame)
            found.reuses = True
            return found


class RawOnException(Undaunted):
    """Shows the frame as it is when the segmenter fails."""

    def _compose(self, found: Found) -> SafeFrame | None:
        if found.reuses and not found.look.reuse_masks:
            return as_effect(found.frame, found.look.revision)
        return super()._compose(found)


class HalfSwapped(Pipeline):
    """Looks at the settings twice: the luma of a frame may be made under other settings than its chroma."""

    def _compose(self, found: Found) -> SafeFrame | None:
        safe = super()._compose(found)
        now = self._look
        if now is found.look or now.background is None or safe is None or safe.origin != "effect":
            return safe
        made = safe.i420.copy()
        other = Planes.of(np.empty_like(made))
        for plane, room in zip(other, now.background.planes(found.pyramid, self.last_matte), strict=True):
            enlarge(room, plane)
        is_room = self.last_matte.uv == 0
        for seen, wanted in zip((Planes.of(made).u, Planes.of(made).v), (other.u, other.v), strict=True):
            np.copyto(seen, wanted, where=is_room)
        return seal(made, safe.pts_ns, safe.sequence, "effect", now.revision)


class Masking(Pipeline):
    """Lets a mutant see each mask before the matte is made of it."""

    def __init__(
        self, size: tuple[int, int], segmenter: Segmenter | None, look: Look, pool: FramePool, **more: Any
    ) -> None:
        wrapped = Wrapped(segmenter, self.alter) if segmenter else None
        super().__init__(size, wrapped, look, pool, **more)

    def alter(self, mask: Any) -> Any:
        """The mask that counts."""
        raise NotImplementedError


class Wrapped:
    """A segmenter with something done to its masks."""

    def __init__(self, inner: Segmenter, alter: Callable[[Any], Any]) -> None:
        self._inner, self._alter = inner, alter

    @property
    def input_size(self) -> tuple[int, int]:
        return self._inner.input_size

    def segment(self, rgb: Plane) -> Mask:
        mask: Mask = self._alter(self._inner.segment(rgb))
        return mask

    def close(self) -> None:
        self._inner.close()


class StaleMask(Masking):
    """Uses the mask of the frame before."""

    _held: Mask | None = None

    def alter(self, mask: Any) -> Any:
        held, self._held = self._held, mask
        return mask if held is None else held


class MaskReused(Undaunted):
    """Uses the last matte again when the segmenter fails."""

    def _matte(self, found: Found) -> Matte:
        return self.last_matte if found.reuses else super()._matte(found)


class Resized(Masking):
    """Makes masks of any shape fit."""

    def alter(self, mask: Any) -> Any:
        if isinstance(mask, np.ndarray) and mask.dtype == np.uint8 and mask.size:
            return np.resize(mask, (MASK_SIZE[1], MASK_SIZE[0]))
        return mask


class NanIsPerson(Masking):
    """Takes what is no number for a person."""

    def alter(self, mask: Any) -> Any:
        if isinstance(mask, np.ndarray) and mask.dtype == np.float32:
            return (np.nan_to_num(mask, nan=1.0) * 255).astype(np.uint8)
        return mask


class FirstInverted(Masking):
    """Takes room for person in the first mask."""

    _is_first = True

    def alter(self, mask: Any) -> Any:
        is_first, self._is_first = self._is_first, False
        is_mask = isinstance(mask, np.ndarray) and mask.dtype == np.uint8
        return ~mask if is_first and is_mask else mask


class Trailing(Masking):
    """Lets the person of earlier frames fade away slowly."""

    _trail: Mask | None = None

    def alter(self, mask: Any) -> Any:
        if isinstance(mask, np.ndarray) and mask.shape == (MASK_SIZE[1], MASK_SIZE[0]):
            trail = np.zeros_like(mask) if self._trail is None else self._trail
            self._trail = np.maximum(mask, (trail * 0.8).astype(np.uint8))
            return self._trail
        return mask


class Composing(Pipeline):
    """A pipeline with another compositor."""

    compositor: type[Compositor]

    def __init__(
        self, size: tuple[int, int], segmenter: Segmenter | None, look: Look, pool: FramePool, **more: Any
    ) -> None:
        super().__init__(size, segmenter, look, pool, **more)
        self._compositor = self.compositor(size, pool)


class Retouched(Compositor):
    """Lets a mutant change a finished picture."""

    def compose(
        self, pyramid: Pyramid, matte: Matte, background: Background, revision: int
    ) -> SafeFrame | None:
        safe = super().compose(pyramid, matte, background, revision)
        if safe is None:
            return None
        made = safe.i420.copy()
        self.retouch(Planes.of(made), pyramid.frame.planes)
        return seal(made, safe.pts_ns, safe.sequence, safe.origin, revision)

    def retouch(self, made: Planes, camera: Planes) -> None:
        """Do the damage."""
        raise NotImplementedError


class RawChroma(Composing):
    """Leaves the colours of the room."""

    class compositor(Retouched):  # noqa: N801
        def retouch(self, made: Planes, camera: Planes) -> None:
            np.copyto(made.u, camera.u)
            np.copyto(made.v, camera.v)


class RawRow(Composing):
    """Leaves one row of the room."""

    class compositor(Retouched):  # noqa: N801
        def retouch(self, made: Planes, camera: Planes) -> None:
            np.copyto(made.y[-1], camera.y[-1])


class UnwrittenRow(Composing):
    """Leaves in one row what was in the buffer."""

    class compositor(Compositor):  # noqa: N801
        def compose(
            self, pyramid: Pyramid, matte: Matte, background: Background, revision: int
        ) -> SafeFrame | None:
            old = self._pool.lease()
            safe = super().compose(pyramid, matte, background, revision)
            if safe is None or old is None:
                return safe
            made = safe.i420.copy()
            made[0] = old[0]
            return seal(made, safe.pts_ns, safe.sequence, safe.origin, revision)


class Aliased(Composing):
    """Composes in the camera's own buffer."""

    class compositor(Compositor):  # noqa: N801
        def compose(
            self, pyramid: Pyramid, matte: Matte, background: Background, revision: int
        ) -> SafeFrame | None:
            safe = super().compose(pyramid, matte, background, revision)
            if safe is None:
                return None
            luma = pyramid.frame.planes.y
            i420 = np.lib.stride_tricks.as_strided(luma, safe.i420.shape, luma.strides)
            np.copyto(i420, safe.i420)
            return seal(i420, safe.pts_ns, safe.sequence, safe.origin, revision)


class Matting(Pipeline):
    """A pipeline with another maker of mattes."""

    maker: type[MatteMaker]

    def _maker(self, *arguments: Any) -> MatteMaker:
        made = super()._maker(*arguments)
        made.__class__ = self.maker
        return made


class Floor(Matting):
    """Never lets alpha fall below 1."""

    class maker(MatteMaker):  # noqa: N801
        def matte(self, mask: Mask, pyramid: Pyramid) -> Matte:
            made = super().matte(mask, pyramid)
            width, height = self.frame_size
            y, uv = np.maximum(made.y, 1), np.maximum(made.uv, 1)
            return Matte(y, uv, (0, 0, width, height), made.coverage)


class Shifted(Matting):
    """Puts the matte two pixels beside the person."""

    class maker(MatteMaker):  # noqa: N801
        def matte(self, mask: Mask, pyramid: Pyramid) -> Matte:
            made = super().matte(mask, pyramid)
            width, height = self.frame_size
            y, uv = np.roll(made.y, 2, axis=1), np.roll(made.uv, 1, axis=1)
            return Matte(y, uv, (0, 0, width, height), made.coverage)


class LooksAround(Matting):
    """Lets the brightness of the whole picture decide how firm the person is."""

    class maker(MatteMaker):  # noqa: N801
        def matte(self, mask: Mask, pyramid: Pyramid) -> Matte:
            made = super().matte(mask, pyramid)
            dim = 0.9 if pyramid.luma(0).mean() < 127.5 else 1.0
            return Matte((made.y * dim).astype(np.uint8), made.uv, made.box, made.coverage)


class PlaceholderOverRoom(Pipeline):
    """Paints "off" over the picture of the room."""

    def _compose(self, found: Found) -> SafeFrame | None:
        safe = super()._compose(found)
        if safe is None or safe.origin != "placeholder":
            return safe
        faint = safe.i420 // 2 + as_effect(found.frame, 0).i420 // 2
        return seal(faint, safe.pts_ns, -1, "placeholder", safe.revision)


class RawWhileNoMask(Pipeline):
    """Without a segmenter the picture passes."""

    def __init__(
        self, size: tuple[int, int], segmenter: Segmenter | None, look: Look, pool: FramePool, **more: Any
    ) -> None:
        super().__init__(size, segmenter, look, pool, **more)
        self._has_model = segmenter is not None

    def _compose(self, found: Found) -> SafeFrame | None:
        safe = super()._compose(found)
        if not self._has_model and safe is not None and safe.origin == "effect":
            return as_effect(found.frame, safe.revision)
        return safe

"""Seeded leaks in who is shown, from where and when not: choice, framing, kept regions, levels, turning."""

from dataclasses import replace
from typing import Any

import numpy as np

from scrim.core.capture.orient import Oriented
from scrim.core.finder import Looks, MaskFinder
from scrim.core.found import Found
from scrim.core.framing.view import FULL, View
from scrim.core.ladder import Level
from scrim.core.outlet import Outlet
from scrim.core.person import PersonPolicy
from scrim.core.pipeline import Look, Pipeline
from scrim.core.pipeline_loop import PipelineLoop
from scrim.core.pyramid import Pyramid
from scrim.core.segment.base import Segmenter
from scrim.core.subject import Subject
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Mask, Matte, Planes, SafeFrame

from .seeded_pictures import Wrapped, as_effect


class Subjected(Pipeline):
    """A pipeline with another idea of who is shown."""

    subject_class: type[Subject]

    def __init__(
        self, size: tuple[int, int], segmenter: Segmenter | None, look: Look, pool: FramePool, **more: Any
    ) -> None:
        super().__init__(size, segmenter, look, pool, **more)
        self.subject = self.subject_class(size, more["keep"])


class FramesByLight(Subjected):
    """Lets the brightness of the room decide whether the picture comes nearer."""

    class subject_class(Subject):  # noqa: N801
        def crop(self, frame: Frame) -> Frame | None:
            shown = super().crop(frame)
            return frame if frame.planes.y.mean() < 127.5 else shown


class SecondPersonShines(Subjected):
    """Shows the largest person, and everybody else not quite as firmly."""

    class subject_class(Subject):  # noqa: N801
        def choose(self, mask: Mask, pts_ns: int) -> Mask:
            return np.maximum(super().choose(mask, pts_ns), mask // 4 * 3)


class ForgetsWhoWasChosen(Subjected):
    """While who was chosen is away for a moment, shows whoever is left."""

    class subject_class(Subject):  # noqa: N801
        def choose(self, mask: Mask, pts_ns: int) -> Mask:
            chosen = super().choose(mask, pts_ns)
            return chosen if chosen.any() else mask


class KeepsInThePicture(Subjected):
    """Keeps the regions where they are in the picture going out, not where they are in the room."""

    class subject_class(Subject):  # noqa: N801
        def _policy_for(self, mask: Mask) -> PersonPolicy:
            policy = super()._policy_for(mask)
            policy.__class__ = _Uncropped
            return policy


class _Uncropped(PersonPolicy):
    def apply(self, mask: Mask, now_s: float, view: View = FULL) -> Mask:
        return super().apply(mask, now_s, FULL)


class NobodyComesLate(Pipeline):
    """Shows the room for one frame before it is hidden because nobody is there."""

    _was_hidden = False

    def _compose(self, found: Found) -> SafeFrame | None:
        safe = super()._compose(found)
        is_hidden = safe is not None and safe.origin == "placeholder" and found.look.background is not None
        was_hidden, self._was_hidden = self._was_hidden, is_hidden
        return as_effect(found.frame, found.look.revision) if is_hidden and not was_hidden else safe


class ReusesWithoutLeave(Pipeline):
    """Uses a mask for the frames after its own, because time is short."""

    def _may_reuse(self, look: Look, level: Level) -> bool:
        return super()._may_reuse(replace(look, reuse_masks=True), level)


class RemembersAcrossOff(Pipeline):
    """Takes the matte from before the effect was off for the first frame after."""

    _was_off = False

    def _compose(self, found: Found) -> SafeFrame | None:
        safe = super()._compose(found)
        self._was_off = found.look.background is None
        return safe

    def _matte(self, found: Found) -> Matte:
        before = self.last_matte
        before = Matte(before.y.copy(), before.uv.copy(), before.box, before.coverage)
        matte = super()._matte(found)
        return before if self._was_off else matte


class SmallMaskOfBefore(Pipeline):
    """Has the smaller model's mask of the frame before."""

    def __init__(
        self, size: tuple[int, int], segmenter: Segmenter | None, look: Look, pool: FramePool, **more: Any
    ) -> None:
        self._masks: list[Any] = []
        if more["small"] is not None:
            more["small"] = Wrapped(more["small"], self._exchange)
        super().__init__(size, segmenter, look, pool, **more)

    def _exchange(self, mask: Any) -> Any:
        self._masks = [*self._masks, mask][-2:]
        return self._masks[0]


class SmallMaskEnlarged(Pipeline):
    """Takes the smaller model's mask for the other's, stretched a little too far."""

    def __init__(
        self, size: tuple[int, int], segmenter: Segmenter | None, look: Look, pool: FramePool, **more: Any
    ) -> None:
        if more["small"] is not None:
            more["small"] = Wrapped(more["small"], self._shift)
        super().__init__(size, segmenter, look, pool, **more)

    def _shift(self, mask: Any) -> Any:
        is_mask = isinstance(mask, np.ndarray) and mask.dtype == np.uint8 and mask.ndim == 2
        return np.ascontiguousarray(np.roll(mask, 1, axis=1)) if is_mask else mask


class SecondLookOptional(Pipeline):
    """Is content with the first look when the second fails."""

    def __init__(
        self, size: tuple[int, int], segmenter: Segmenter | None, look: Look, pool: FramePool, **more: Any
    ) -> None:
        super().__init__(size, segmenter, look, pool, **more)
        for finder in (self._finder, self._small_finder):
            if finder is not None:
                finder.__class__ = _Content


class _Content(MaskFinder):
    def _improved(self, mask: Mask, pyramid: Pyramid, looks: Looks) -> Mask:
        first = mask.copy()
        try:
            return super()._improved(mask, pyramid, looks)
        except SegmentError:
            return first


class SkippedShown(PipelineLoop):
    """Shows what there is no time for as it is."""

    def _is_skipped(self, frame: Frame) -> bool:
        is_skipped = super()._is_skipped(frame)
        if is_skipped:
            self._outlet.put(as_effect(frame, self._outlet._revision))
        return is_skipped


class RepeatsWhileSlow(Outlet):
    """Repeats the last picture until the next one is due, however long that is."""

    def take(self) -> SafeFrame | None:
        last = self._last
        taken = super().take()
        if taken is None and last is not None and last.revision >= self._revision:
            return last
        return taken


class ChromaNotTurned(Oriented):
    """Turns the brightness and forgets the colours."""

    def read(self) -> Frame | None:
        raw = self._source.read()
        if raw is None or self._pool is None:
            return raw
        self._source = _Once(raw, self._source)
        turned = super().read()
        self._source = self._source.after
        if turned is None or turned.planes.u.shape != raw.planes.u.shape:
            return turned
        return replace(turned, planes=Planes(turned.planes.y, raw.planes.u, raw.planes.v))


class _Once:
    def __init__(self, frame: Frame, after: Any) -> None:
        self._frame, self.after = frame, after

    def read(self) -> Frame:
        return self._frame

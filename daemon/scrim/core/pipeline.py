"""The path of one frame: shrink, segment, matte, composite. No threads, no input or output.

It has two halves, so that the second of one frame may be done while the first of the next is. What goes from
one to the other is a ``Found``, which owns all of it: no half ever sees anything of another frame.
"""

from dataclasses import dataclass, replace

import numpy as np

from scrim.core.composite.base import Background
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.finder import Looks, MaskFinder
from scrim.core.found import Found
from scrim.core.keep import KeepRegions
from scrim.core.ladder import Level
from scrim.core.matte import MatteMaker
from scrim.core.segment.base import Segmenter
from scrim.core.stats import StageClock
from scrim.core.subject import NO_WISHES, Subject, Wishes
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Mask, Matte, SafeFrame

FULL_QUALITY = Level(0)

AT_ONCE = 2
"""So many frames may be between the two halves' beginning and end."""

GAP_NS = 1_000_000_000
"""After so long without a mask, the matte starts anew."""


@dataclass(frozen=True, slots=True)
class Look:
    """What goes out, prepared in advance and swapped in between two frames.

    Attributes:
        revision: of the settings it was made from.
        background: what is seen instead of the room; None shows no camera picture at all.
        coarse_background: a cheaper one that may stand in for it; None where there is none.
        is_raw: let the picture pass unchanged; only where the local settings file allows it.
        refine: let the matte's edge follow the picture.
        smooth: calm the matte over time.
        looks: inferences for a mask; 6 draws the edge finer too, for stills.
        wishes: who is shown, and from where.
        reuse_masks: a mask may serve frames after its own; only where the local settings file allows it.
        finder: another model, to be used from now on; None goes on with the one in use.
    """

    revision: int
    background: Background | None
    coarse_background: Background | None = None
    is_raw: bool = False
    refine: bool = True
    smooth: bool = True
    looks: Looks = 1
    wishes: Wishes = NO_WISHES
    reuse_masks: bool = False
    finder: MaskFinder | None = None


class Pipeline:
    """Turns raw frames into safe ones, in two halves: ``find`` and ``compose``, or both in one: ``process``.

    Each half is used from one thread at a time. Frames are composited in the order in which they were found.
    ``swap``, ``degrade`` and ``forget`` may be called from any thread.

    Args:
        size: (width, height) in pixels of every frame, in and out.
        segmenter: finds the person; None means no mask can be had, so that everything counts as room.
        look: what goes out at first.
        pool: buffers of ``size`` for the finished pictures.
        clock: where stage times are counted.
        small: a cheaper model for levels that ask for it.
        keep: parts of the room that are always shown.

    Attributes:
        last_matte: of the last frame that was composited; valid until the next one is.
        subject: who is shown; the first half's.
        why_hidden: why the last picture is the placeholder; None when it is not. The second half's.
        reused: frames that an earlier frame's mask served.
        begun: frames that were begun, counted before the look is read.
    """

    def __init__(
        self,
        size: tuple[int, int],
        segmenter: Segmenter | None,
        look: Look,
        pool: FramePool,
        clock: StageClock | None = None,
        small: Segmenter | None = None,
        keep: KeepRegions | None = None,
    ) -> None:
        self.size = size
        self.clock = clock if clock is not None else StageClock()
        self.subject = Subject(size, keep)
        self.why_hidden: Reason | None = None
        self.begun = self.reused = 0
        self._look = look
        self._level = FULL_QUALITY
        self._between = [Found(size)]
        self._compositor = Compositor(size, pool)
        self._painter = PlaceholderPainter(size)
        self._nobody = self.last_matte = _empty_matte(size)
        self._finder = MaskFinder(size, segmenter, self.clock) if segmenter else None
        self._small_finder = MaskFinder(size, small, self.clock) if small else None
        self._matte_maker: MatteMaker | None = None
        self._maker_key: tuple[tuple[int, ...], bool, bool, bool] | None = None
        self._is_matte_made = False
        self._since_mask = 0
        self._is_to_forget = False
        self._forgets_mattes = False
        self._mask_revision = look.revision
        self._mask_ns = 0

    def swap(self, look: Look) -> None:
        """Show ``look`` from the next frame on; called from one thread, whichever it is.

        Another model that no frame has taken up yet is not lost when the next look comes without one.
        """
        self._look = look if look.finder is not None else replace(look, finder=self._look.finder)

    def degrade(self, level: Level) -> None:
        """Work at this level of quality from the next frame on. May be called from any thread."""
        self._level = level

    @property
    def ended(self) -> int:
        """So many of the frames begun first are done with, all of them."""
        begun = self.begun
        numbers = [found.number for found in tuple(self._between)]
        return min((number - 1 for number in numbers if number), default=begun)

    @property
    def finder(self) -> MaskFinder | None:
        """The model in use."""
        return self._finder

    @property
    def skips(self) -> int:
        """One of so many frames is to be processed now; the others need not be handed in."""
        return self._level.every if self.is_filtering and not self._look.reuse_masks else 1

    @property
    def is_filtering(self) -> bool:
        """Whether frames are filtered at all, now."""
        return self._look.background is not None and not self._look.is_raw

    def reset(self) -> None:
        """Forget what earlier frames taught: the next frame stands for itself. Only beside no ``find``."""
        self.subject.reset()
        self._forget_mattes()

    def forget(self) -> None:
        """As ``reset``, before the next frame. May be called from any thread."""
        self._is_to_forget = True

    def _forget_mattes(self) -> None:
        """The second half does when it comes to the next frame: it may be busy with the one before."""
        self._since_mask = 0
        self._forgets_mattes = True

    def _forget_after_gap(self, pts_ns: int) -> None:
        """What a mask said long ago says nothing of this frame."""
        if pts_ns - self._mask_ns > GAP_NS:
            self._forget_mattes()

    def process(self, frame: Frame) -> SafeFrame | None:
        """Make the safe picture of one frame, under one look from beginning to end.

        Returns:
            The safe frame; None when every buffer is still in use, and the frame is dropped.

        Raises:
            SegmentError: no usable mask was found for this frame.
        """
        found = self.find(frame)
        return self.compose(found) if found is not None else None

    def find(self, frame: Frame) -> Found | None:
        """The first half: see who is in the frame. Look and level are read once, here.

        Returns:
            What ``compose`` needs, and has to be given; None when every buffer is still in use, and the frame
            is dropped.

        Raises:
            SegmentError: no usable mask was found for this frame.
            LookupError: ``AT_ONCE`` frames were found and are not composited yet.
        """
        found = self._free()
        found.begin(self.begun + 1)
        self.begun += 1
        found.follow(self._look, self._level)
        is_found = False
        try:
            is_found = self._find(frame, found)
        finally:
            if not is_found:
                found.let_go()
        return found if is_found else None

    def compose(self, found: Found) -> SafeFrame | None:
        """The second half: make the safe picture, of what was found in one frame and nothing else.

        Returns:
            The safe frame; None when every output buffer is still in use, and the frame is dropped.

        Raises:
            SegmentError: no matte can be made of the mask.
        """
        try:
            return self._compose(found)
        finally:
            found.let_go()

    def _free(self) -> Found:
        for found in self._between:
            if not found.number:
                return found
        if len(self._between) == AT_ONCE:
            raise LookupError(f"{AT_ONCE} frames wait to be composited already")
        self._between.append(Found(self.size))
        return self._between[-1]

    def _find(self, frame: Frame, found: Found) -> bool:
        """Fill ``found``; whether the frame goes on."""
        look = found.look
        self._refresh(look)
        if look.is_raw or look.background is None:
            self.reset()
            found.pyramid.load(frame)
        elif not self._find_person(frame, found):
            return False
        found.forgets, self._forgets_mattes = self._forgets_mattes, False
        return True

    def _find_person(self, frame: Frame, found: Found) -> bool:
        self._forget_after_gap(frame.pts_ns)
        self.subject.follow(found.look.wishes)
        shown = self.subject.crop(frame)
        if shown is None:
            return False
        found.pyramid.load(shown)
        self._find_mask(found)
        found.is_hidden = self.subject.is_hidden(frame.pts_ns)
        return True

    def _refresh(self, look: Look) -> None:
        """Forget what is to be forgotten, and take another model where the look brings one."""
        if self._is_to_forget:
            self._is_to_forget = False
            self.reset()
        if look.finder is not None and look.finder is not self._finder:
            self._finder = look.finder
            self._forget_mattes()

    def _find_mask(self, found: Found) -> None:
        look, level, pts_ns = found.look, found.level, found.frame.pts_ns
        finder = (self._small_finder if level.small_model else None) or self._finder
        if finder is None:
            return
        if self._may_reuse(look, level):
            self._since_mask += 1
            self.reused += 1
            found.reuses = True
            return
        self._since_mask = 0
        mask = finder.find(found.pyramid, look.looks if level.refine else 1)
        found.keep(self.subject.choose(mask, pts_ns))
        self._since_mask, self._mask_revision, self._mask_ns = 1, look.revision, pts_ns

    def _may_reuse(self, look: Look, level: Level) -> bool:
        """Whether the last matte may serve this frame: by the local file's leave, without crop and change."""
        is_alike = look.revision == self._mask_revision and look.wishes.max_zoom == 1
        return look.reuse_masks and is_alike and 0 < self._since_mask < level.every

    def _compose(self, found: Found) -> SafeFrame | None:
        look = found.look
        self.why_hidden = None
        if found.forgets and self._matte_maker is not None:
            self._matte_maker.reset()
        if look.is_raw:
            return self._compositor.pass_raw(found.frame, look.revision)
        if look.background is None:
            return self._placeholder(Reason.EFFECT_OFF, look)
        matte = self.last_matte = self._matte(found)
        if found.is_hidden:
            return self._placeholder(Reason.NOBODY, look)
        background = (look.coarse_background if found.level.blur_coarser else None) or look.background
        with self.clock.stage("composite"):
            return self._compositor.compose(found.pyramid, matte, background, look.revision)

    def _placeholder(self, reason: Reason, look: Look) -> SafeFrame:
        self.why_hidden = reason
        return self._painter.paint(reason, look.revision)

    def _matte(self, found: Found) -> Matte:
        if found.reuses:
            if not self._is_matte_made:
                raise SegmentError("the mask that is to serve this frame too made no matte")
            return self.last_matte
        mask, self._is_matte_made = found.mask, False
        if mask is None:
            return self._nobody
        with self.clock.stage("matte"):
            matte = self._maker(mask, found.look, found.level).matte(mask, found.pyramid)
        self._is_matte_made = True
        return matte

    def _maker(self, mask: Mask, look: Look, level: Level) -> MatteMaker:
        refine = look.refine and level.refine
        is_fine = look.looks == 6 and level.refine
        key = (mask.shape, refine, look.smooth, is_fine)
        if self._matte_maker is None or key != self._maker_key:
            mask_size = (mask.shape[1], mask.shape[0])
            self._matte_maker = MatteMaker(
                self.size, mask_size, refine=refine, smooth=look.smooth, is_fine=is_fine
            )
            self._maker_key = key
        return self._matte_maker


def _empty_matte(size: tuple[int, int]) -> Matte:
    width, height = size
    zeros = np.zeros((height, width), np.uint8)
    return Matte(zeros, np.zeros((height // 2, width // 2), np.uint8), (0, 0, 0, 0), 0.0)

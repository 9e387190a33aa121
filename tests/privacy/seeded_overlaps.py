"""Seeded leaks between two frames that are worked on at once, each one mistake."""

from collections.abc import Iterator
from contextlib import contextmanager

from scrim.core.found import Found
from scrim.core.pipeline import Pipeline
from scrim.core.pipeline_loop import Begun, PipelineLoop
from scrim.core.workers import Handover
from scrim.frame import Mask, Matte, SafeFrame


class Mixing(Pipeline):
    """Lets a mutant see the other frame that is on its way."""

    def beside(self, found: Found) -> Found | None:
        """The other one, if there is one whose pyramid is loaded."""
        for other in self._between:
            if other is not found and other.number and other.pyramid._frame is not None:
                return other
        return None


class MaskOfTheOther(Mixing):
    """Makes a frame's matte of the mask of the frame that comes after it."""

    def _matte(self, found: Found) -> Matte:
        other = self.beside(found)
        if other is not None and other.mask is not None and found.mask is not None:
            found.mask = other.mask
        return super()._matte(found)


class PyramidOfTheOther(Mixing):
    """Makes the picture of the frame that comes after, by this one's mask."""

    def _compose(self, found: Found) -> SafeFrame | None:
        own, other = found.pyramid, self.beside(found)
        if other is not None:
            found.pyramid = other.pyramid
        try:
            return super()._compose(found)
        finally:
            found.pyramid = own


class LookReadTwice(Pipeline):
    """Reads the settings once more when it comes to the second half."""

    def _compose(self, found: Found) -> SafeFrame | None:
        found.follow(self._look, found.level)
        return super()._compose(found)


class LevelReadTwice(Pipeline):
    """Reads the level of quality once more when it comes to the second half."""

    def _compose(self, found: Found) -> SafeFrame | None:
        found.follow(found.look, self._level)
        return super()._compose(found)


class MaskNotCopied(Pipeline):
    """Hands over the very buffer into which the next frame's mask is written."""

    def _free(self) -> Found:
        found = super()._free()
        found.__class__ = _Borrowing
        return found


class _Borrowing(Found):
    def keep(self, mask: Mask) -> None:
        self.mask = mask


class NewestFirst(PipelineLoop):
    """Finishes the frame first that was begun last."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self._handover = _Stack()


class _Stack(Handover[Begun]):
    @contextmanager
    def take(self, timeout_s: float) -> Iterator[Begun | None]:
        self._waiting.reverse()
        with super().take(timeout_s) as begun:
            yield begun

"""What goes from the half of a frame's path that finds the person to the half that makes the picture."""

from typing import TYPE_CHECKING

import numpy as np

from scrim.core.ladder import Level
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, Mask

if TYPE_CHECKING:
    from scrim.core.pipeline import Look


class Found:
    """What one frame's first half leaves for its second. It is used again for another frame afterwards.

    Args:
        size: (width, height) in pixels of every frame, both even.

    Attributes:
        pyramid: holds the frame as it is shown, which is cropped where the picture follows the person.
        level: of quality, from beginning to end.
        mask: who is to be seen, of this very frame; None where there is no model or ``reuses``.
        reuses: the matte of the frame before serves this one too.
        is_hidden: the placeholder is to be shown because nobody is there.
        forgets: what earlier mattes taught is void.
        number: of the frame among those begun, from 1; 0 while this holds none.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.pyramid = Pyramid(size)
        self.level = Level(0)
        self.mask: Mask | None = None
        self.reuses = self.is_hidden = self.forgets = False
        self.number = 0
        self._look: Look | None = None
        self._own_mask = np.empty((0, 0), np.uint8)

    @property
    def look(self) -> "Look":
        """What goes out, from beginning to end.

        Raises:
            LookupError: the frame is done with.
        """
        if self._look is None:
            raise LookupError("this frame is done with")
        return self._look

    @property
    def frame(self) -> Frame:
        """As it is shown.

        Raises:
            LookupError: the frame is done with.
        """
        return self.pyramid.frame

    def begin(self, number: int) -> None:
        """A frame of this number is worked on from now on."""
        self.number = number
        self.reuses = self.is_hidden = self.forgets = False

    def follow(self, look: "Look", level: Level) -> None:
        """Stay with this look and level whatever changes meanwhile."""
        self._look, self.level = look, level

    def keep(self, mask: Mask) -> None:
        """Copy the mask, for whoever found it uses its buffer again."""
        if self._own_mask.shape != mask.shape:
            self._own_mask = np.empty_like(mask)
        np.copyto(self._own_mask, mask)
        self.mask = self._own_mask

    def let_go(self) -> None:
        """The frame is done with: its buffer goes back, and this may be used for another."""
        self.pyramid.unload()
        self._look = self.mask = None
        self.number = 0

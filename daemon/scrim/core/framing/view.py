"""The part of the camera's picture that is shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the camera picture's own shape, in fractions of that picture.

    Attributes:
        left: of the picture's width, 0 to 1.
        top: of the picture's height, 0 to 1.
        share: the view's width as a part of the picture's, and its height likewise; above 0, at most 1.
    """

    left: float
    top: float
    share: float

    @property
    def zoom(self) -> float:
        """How many times larger things look than in the whole picture."""
        return 1.0 / self.share

    @property
    def is_full(self) -> bool:
        """Whether this is the whole picture."""
        return self.share == 1.0


FULL = View(0.0, 0.0, 1.0)
"""The whole picture."""


def centred(x: float, y: float, share: float) -> View:
    """The view of a size whose middle is as near to (x, y) as the picture's edges allow."""
    left = min(max(x - share / 2, 0.0), 1.0 - share)
    top = min(max(y - share / 2, 0.0), 1.0 - share)
    return View(left, top, share)

"""Parts of the room that are to be seen: the chair, the microphone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from scrim.core.framing.view import FULL, View
from scrim.core.images import MAX_IMAGE_BYTES, decode_image
from scrim.errors import ImageError
from scrim.frame import Mask, Plane

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_ALLOWED = "a grey PNG of at most 4096 x 4096 pixels and 8 MiB: white is always shown, black is not"
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of the camera's picture, in fractions of it.

    Attributes:
        left: of the picture's width, 0 to 1.
        top: of the picture's height, 0 to 1.
        width: of the picture's width, above 0; left + width is 1 at most.
        height: of the picture's height, above 0; top + height is 1 at most.

    Raises:
        ValueError: it has no area or is not inside the picture.
    """

    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        for start, length in ((self.left, self.width), (self.top, self.height)):
            if not (start >= 0 and length > 0 and start + length <= 1 + _ROUNDING):
                raise ValueError(
                    f"keep region [{self.left}, {self.top}, {self.width}, {self.height}]: is not inside the "
                    "picture; allowed is [left, top, width, height] in fractions of it, such as "
                    "[0.1, 0.5, 0.2, 0.5]"
                )


class KeepRegions:
    """Which parts of the camera's picture always count as foreground.

    Args:
        rectangles: parts that are shown whole.
        picture: how much of each part is shown, 0 to 255, any size; stretched over the camera's picture.
    """

    def __init__(self, rectangles: Sequence[Rectangle] = (), picture: Plane | None = None) -> None:
        self._rectangles = tuple(rectangles)
        self._picture = picture

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self._rectangles and self._picture is None

    def mask(self, size: tuple[int, int]) -> Mask:
        """A mask of them; a pixel that is kept in part has that part of 255.

        Args:
            size: (width, height) in pixels of the mask.
        """
        width, height = size
        mask: Mask = np.zeros((height, width), np.uint8)
        if self._picture is not None:
            shrinks = self._picture.shape[0] > height and self._picture.shape[1] > width
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            cv2.resize(self._picture, size, dst=mask, interpolation=how)
        for part in self._rectangles:
            across = _covered(part.left, part.width, width)
            down = _covered(part.top, part.height, height)
            np.maximum(mask, np.floor(255 * np.outer(down, across) + 0.5).astype(np.uint8), out=mask)
        return mask


class KeptView:
    """The keep regions' mask in the part of the picture that is shown.

    Args:
        keep: the regions.
        size: (width, height) in pixels of the mask.
    """

    def __init__(self, keep: KeepRegions, size: tuple[int, int]) -> None:
        self._whole = keep.mask(size)
        self._shown = self._whole.copy()
        self._view = FULL

    def mask(self, view: View) -> Mask:
        """The mask for a view; valid until the next call."""
        if view.is_full:
            return self._whole
        if view != self._view:
            height, width = self._whole.shape
            middle = (view.share - 1) / 2
            matrix = np.array(
                [[view.share, 0, view.left * width + middle], [0, view.share, view.top * height + middle]]
            )
            cv2.warpAffine(
                self._whole,
                matrix,
                (width, height),
                dst=self._shown,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            self._view = view
        return self._shown


def load_keep_picture(path: Path) -> Plane:
    """Read a picture of what is kept.

    Returns:
        Shape (height, width), uint8: 255 is always shown.

    Raises:
        ImageError: unreadable, too large, no PNG, broken, or in colours.
    """
    if not path.is_file():  # a pipe would be waited for without end
        raise ImageError(f"{path}: is no file; allowed is {_ALLOWED}")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}; allowed is {_ALLOWED}") from None
    if not data.startswith(_PNG_MAGIC):
        # JPEG's noise would show a trace of the room where black was meant.
        raise ImageError(f"{path}: is no PNG; allowed is {_ALLOWED}")
    blue, green, red = cv2.split(decode_image(data, str(path)))
    if not (np.array_equal(blue, green) and np.array_equal(green, red)):
        raise ImageError(f"{path}: has colours; allowed is {_ALLOWED}; save it as a grey picture")
    return np.ascontiguousarray(blue)


def _covered(start: float, length: float, pixels: int) -> Plane:
    """How much of each pixel of a row lies inside a stretch of it, 0 to 1; float64."""
    edges = np.arange(pixels + 1, dtype=np.float64)
    inside = np.clip(edges, start * pixels, (start + length) * pixels)
    return np.clip(np.diff(inside), 0, 1)

"""The daemon's own way from a picture to a matte, without what comes after."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.finder import Looks, MaskFinder
from scrim.core.matte import MatteMaker
from scrim.core.pyramid import Pyramid
from scrim.core.segment.model import load_spec
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.core.stats import StageClock
from scrim.frame import Frame, Plane, Planes

Bgr = NDArray[np.uint8]

LOOKS: tuple[Looks, ...] = get_args(Looks)


@dataclass(frozen=True, slots=True)
class Way:
    """How mattes are made.

    Attributes:
        is_bare: take the model's mask as it is, and make no matte of it.
        refine: let the matte follow the picture.
        smooth: calm it over time.
        looks: inferences for a mask; with 6 the matte is as fine as that of a still.
    """

    is_bare: bool = False
    refine: bool = True
    smooth: bool = True
    looks: Looks = 1

    def __str__(self) -> str:
        """What distinguishes it, in a word or two."""
        named = (("bare", self.is_bare), ("plain", not self.refine), ("unsteady", not self.smooth))
        looks = "1 look" if self.looks == 1 else f"{self.looks} looks"
        return " ".join([*(word for word, is_so in named if is_so), looks])


class Matting:
    """A model and the matte's settings, for pictures of any size.

    Args:
        toml: the model's description.
        way: how mattes are made.
    """

    def __init__(self, toml: Path, way: Way) -> None:
        self.spec, self.toml, self.way = load_spec(toml), toml, way
        self._segmenter = TFLiteSegmenter(self.spec, 1)
        self._size = (0, 0)

    def restart(self) -> None:
        """Forget earlier pictures."""
        self._size = (0, 0)

    def matte(self, bgr: Bgr) -> Plane:
        """The matte of a picture with even sides, or the bare mask; valid until the next call."""
        height, width = bgr.shape[:2]
        if (width, height) != self._size:
            self._prepare((width, height))
        i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
        self._pyramid.load(Frame(Planes.of(i420), 0, 0))
        mask = self._finder.find(self._pyramid, self.way.looks)
        return mask if self.way.is_bare else self._maker.matte(mask, self._pyramid).y

    def _prepare(self, size: tuple[int, int]) -> None:
        mask_size = (self.spec.output.width, self.spec.output.height)
        self._size = size
        self._pyramid = Pyramid(size)
        self._finder = MaskFinder(size, self._segmenter, StageClock())
        self._maker = MatteMaker(
            size, mask_size, refine=self.way.refine, smooth=self.way.smooth, is_fine=self.way.looks == 6
        )


def even(picture: Bgr) -> Bgr:
    """``picture`` with its last row and column repeated where a side is odd."""
    height, width = picture.shape[:2]
    return np.asarray(
        cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), dtype=np.uint8
    )

"""The daemon's own way from a picture to a matte, without what comes after."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.matte import MatteMaker
from scrim.core.model_input import ModelInput
from scrim.core.pyramid import Pyramid
from scrim.core.second_look import SecondLook
from scrim.core.segment.model import load_spec
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.frame import Frame, Matte, Planes

Bgr = NDArray[np.uint8]


class Matting:
    """A model and the matte's settings, for pictures of any size.

    Args:
        toml: the model's description.
        refine: let the matte follow the picture.
        smooth: calm it over time.
        second_look: run the model again on a close-up of the person.
    """

    def __init__(self, toml: Path, *, refine: bool, smooth: bool, second_look: bool) -> None:
        self.spec = load_spec(toml)
        self._segmenter = TFLiteSegmenter(self.spec, 1)
        self._refine, self._smooth, self._second_look = refine, smooth, second_look
        self._size = (0, 0)

    def restart(self) -> None:
        """Forget earlier pictures."""
        self._size = (0, 0)

    def matte(self, bgr: Bgr) -> Matte:
        """The matte of a picture with even sides; valid until the next call."""
        height, width = bgr.shape[:2]
        if (width, height) != self._size:
            self._prepare((width, height))
        i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
        self._pyramid.load(Frame(Planes.of(i420), 0, 0))
        mask = self._segmenter.segment(self._input.shrink(self._pyramid))
        if self._second_look:
            mask = self._look.improved(mask, self._pyramid)
        return self._maker.matte(mask, self._pyramid)

    def _prepare(self, size: tuple[int, int]) -> None:
        mask_size = (self.spec.output.width, self.spec.output.height)
        self._size = size
        self._pyramid = Pyramid(size)
        self._input = ModelInput(size, self._segmenter.input_size)
        self._look = SecondLook(size, self._segmenter, mask_size)
        self._maker = MatteMaker(size, mask_size, refine=self._refine, smooth=self._smooth)


def even(picture: Bgr) -> Bgr:
    """``picture`` with its last row and column repeated where a side is odd."""
    height, width = picture.shape[:2]
    return np.asarray(
        cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), dtype=np.uint8
    )

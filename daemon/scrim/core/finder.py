"""From a frame to a mask that can be trusted to be one."""

from typing import Literal

import numpy as np

from scrim.core.model_input import ModelInput
from scrim.core.pyramid import Pyramid
from scrim.core.second_look import EveryLook, SecondLook
from scrim.core.segment.base import Segmenter
from scrim.core.stats import StageClock
from scrim.errors import SegmentError
from scrim.frame import Mask, Plane

Looks = Literal[1, 2, 6]
"""Inferences for a mask: of the frame alone; of a close-up too; all that make the mask of a still better."""


class MaskFinder:
    """One model, the picture it wants, and a look at what it answers.

    Args:
        frame_size: (width, height) in pixels of every frame, both even.
        segmenter: finds the person.
        clock: where the time of the stages ``input`` and ``segment`` is counted.
    """

    def __init__(self, frame_size: tuple[int, int], segmenter: Segmenter, clock: StageClock) -> None:
        self._frame_size = frame_size
        self._segmenter = Checked(segmenter)
        self._clock = clock
        self._input = ModelInput(frame_size, segmenter.input_size)
        self._second_look: SecondLook | None = None
        self._every_look: EveryLook | None = None

    def find(self, pyramid: Pyramid, looks: Looks = 1) -> Mask:
        """The mask of the pyramid's frame; overwritten by the next call.

        Args:
            pyramid: loaded with the frame.
            looks: how many inferences it may take; fewer are made when nobody is there.

        Raises:
            SegmentError: the model failed, or gave something that is not a mask.
        """
        with self._clock.stage("input"):
            rgb = self._input.shrink(pyramid)
        with self._clock.stage("segment"):
            mask = self._segmenter.segment(rgb)
            return mask if looks == 1 else self._improved(mask, pyramid, looks)

    def _improved(self, mask: Mask, pyramid: Pyramid, looks: Looks) -> Mask:
        improver = self._second(mask) if looks == 2 else self._every(mask)
        return improver.improved(mask, pyramid)

    def _second(self, mask: Mask) -> SecondLook:
        if self._second_look is None:
            mask_size = (mask.shape[1], mask.shape[0])
            self._second_look = SecondLook(self._frame_size, self._segmenter, mask_size)
        return self._second_look

    def _every(self, mask: Mask) -> EveryLook:
        if self._every_look is None:
            mask_size = (mask.shape[1], mask.shape[0])
            self._every_look = EveryLook(self._frame_size, self._segmenter, mask_size)
        return self._every_look


class Checked:
    """A segmenter whose answers are masks, or errors.

    Args:
        segmenter: the real one; its owner closes it.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._mask_shape: tuple[int, int] | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self._segmenter.input_size

    def segment(self, rgb: Plane) -> Mask:
        """Find the person; see :class:`scrim.core.segment.base.Segmenter`."""
        return self._checked(self._segmenter.segment(rgb))

    def close(self) -> None:
        """Let the model go."""
        self._segmenter.close()

    def _checked(self, mask: object) -> Mask:
        """The mask, if it is one: bytes, in the proportions of the model's input, never of another size."""
        if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype != np.uint8 or mask.size == 0:
            shape = getattr(mask, "shape", type(mask))
            raise SegmentError(f"the model gave {shape}, which is not a mask of bytes")
        (height, width), (input_width, input_height) = mask.shape, self.input_size
        if self._mask_shape is None and width * input_height == height * input_width:
            self._mask_shape = (height, width)
        if mask.shape != self._mask_shape:
            raise SegmentError(
                f"the model gave a mask of {width}x{height} for an input of {input_width}x{input_height}; "
                "a mask has the proportions of the input and never changes its size"
            )
        return mask

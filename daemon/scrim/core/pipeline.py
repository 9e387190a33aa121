"""The path of one frame: shrink, segment, matte, composite. No threads, no input or output."""

from dataclasses import dataclass

import numpy as np

from scrim.core.composite.base import Background
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.matte import MatteMaker
from scrim.core.model_input import ModelInput
from scrim.core.pyramid import Pyramid
from scrim.core.segment.base import Segmenter
from scrim.core.stats import StageClock
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool, Mask, Matte, SafeFrame


@dataclass(frozen=True, slots=True)
class Look:
    """What goes out, prepared in advance and swapped in between two frames.

    Attributes:
        revision: of the settings it was made from.
        background: what is seen instead of the room; None shows no camera picture at all.
        is_raw: let the picture pass unchanged; only where the local settings file allows it.
        refine: let the matte's edge follow the picture.
        smooth: calm the matte over time.
    """

    revision: int
    background: Background | None
    is_raw: bool = False
    refine: bool = True
    smooth: bool = True


class Pipeline:
    """Turns raw frames into safe ones. Used from one thread, but for ``swap``.

    Args:
        size: (width, height) in pixels of every frame, in and out.
        segmenter: finds the person; None means no mask can be had, so that everything counts as room.
        look: what goes out at first.
        pool: buffers of ``size`` for the finished pictures.
        clock: where stage times are counted.

    Attributes:
        last_matte: of the last frame that was composited; valid until the next one is processed.
    """

    def __init__(
        self,
        size: tuple[int, int],
        segmenter: Segmenter | None,
        look: Look,
        pool: FramePool,
        clock: StageClock | None = None,
    ) -> None:
        self.size = size
        self.clock = clock if clock is not None else StageClock()
        self._segmenter = segmenter
        self._look = look
        self._pyramid = Pyramid(size)
        self._compositor = Compositor(size, pool)
        self._painter = PlaceholderPainter(size)
        self._nobody = self.last_matte = _empty_matte(size)
        self._input = ModelInput(size, segmenter.input_size) if segmenter else None
        self._mask_shape: tuple[int, int] | None = None
        self._matte_maker: MatteMaker | None = None
        self._maker_key: tuple[tuple[int, ...], bool, bool] | None = None

    def swap(self, look: Look) -> None:
        """Show ``look`` from the next frame on. May be called from any thread."""
        self._look = look

    def reset(self) -> None:
        """Forget what earlier frames taught: the next frame stands for itself."""
        if self._matte_maker is not None:
            self._matte_maker.reset()

    def process(self, frame: Frame) -> SafeFrame | None:
        """Make the safe picture of one frame, under one look from beginning to end.

        Returns:
            The safe frame; None when every output buffer is still in use, and the frame is dropped.

        Raises:
            SegmentError: no usable mask was found for this frame.
        """
        look = self._look
        if look.is_raw:
            return self._compositor.pass_raw(frame, look.revision)
        if look.background is None:
            return self._painter.paint(Reason.EFFECT_OFF, look.revision)
        matte = self.last_matte = self._matte(frame, look)
        with self.clock.stage("composite"):
            return self._compositor.compose(self._pyramid, matte, look.background, look.revision)

    def _matte(self, frame: Frame, look: Look) -> Matte:
        self._pyramid.load(frame)
        if self._segmenter is None or self._input is None:
            return self._nobody
        with self.clock.stage("input"):
            rgb = self._input.shrink(self._pyramid)
        with self.clock.stage("segment"):
            mask = self._checked(self._segmenter.segment(rgb), self._segmenter.input_size)
        with self.clock.stage("matte"):
            return self._maker(mask, look).matte(mask, self._pyramid)

    def _checked(self, mask: object, input_size: tuple[int, int]) -> Mask:
        """The mask, if it is one: bytes, in the proportions of the model's input, never of another size."""
        if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype != np.uint8 or mask.size == 0:
            shape = getattr(mask, "shape", type(mask))
            raise SegmentError(f"the model gave {shape}, which is not a mask of bytes")
        (height, width), (input_width, input_height) = mask.shape, input_size
        if self._mask_shape is None and width * input_height == height * input_width:
            self._mask_shape = (height, width)
        if mask.shape != self._mask_shape:
            raise SegmentError(
                f"the model gave a mask of {width}x{height} for an input of {input_width}x{input_height}; "
                "a mask has the proportions of the input and never changes its size"
            )
        return mask

    def _maker(self, mask: Mask, look: Look) -> MatteMaker:
        key = (mask.shape, look.refine, look.smooth)
        if self._matte_maker is None or key != self._maker_key:
            mask_size = (mask.shape[1], mask.shape[0])
            self._matte_maker = MatteMaker(self.size, mask_size, refine=look.refine, smooth=look.smooth)
            self._maker_key = key
        return self._matte_maker


def _empty_matte(size: tuple[int, int]) -> Matte:
    width, height = size
    zeros = np.zeros((height, width), np.uint8)
    return Matte(zeros, np.zeros((height // 2, width // 2), np.uint8), (0, 0, 0, 0), 0.0)

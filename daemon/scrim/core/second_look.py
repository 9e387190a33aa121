"""More than one look at the person: a close-up for a live picture, everything that helps for a still."""

from dataclasses import replace

import cv2
import numpy as np

from scrim.core.close_up import CloseUp, Rect, within
from scrim.core.glance import Glance
from scrim.core.pyramid import Pyramid
from scrim.core.segment.base import Segmenter
from scrim.frame import Mask

CLOSE_UP = CloseUp(margin=0.35, least_share=0.6)
"""The second look's."""

SQUEEZED = 4 / 3
"""How much a still's first close-up is stretched in width at most to fill the model's picture. A tall picture
pressed into a wide one deforms people more than the model has ever seen."""

NATURAL = CloseUp(margin=0.1, least_share=0.6)
"""A still's first close-up, but for its ``least_aspect``, which follows from SQUEEZED and the frame."""

CLOSE = CloseUp(margin=0.2, least_share=0.75)
"""A still's second close-up. The numbers were searched for on half of 96 stills: docs/quality.md."""


class SecondLook:
    """Improves a mask by running the model once more. Used from one thread.

    The close-up shows a small person larger, and its mirror image makes the model's mistakes differ from
    those of the first look, so the average is better than either. Outside it the mask is halved, as if the
    second look had found nobody there. It costs a second inference: for machines with time to spare.

    Args:
        frame_size: (width, height) of the frames in pixels, both even.
        segmenter: the one that made the masks; its buffers are used again.
        mask_size: (width, height) of its masks in pixels.
    """

    def __init__(self, frame_size: tuple[int, int], segmenter: Segmenter, mask_size: tuple[int, int]) -> None:
        self._glance = Glance(frame_size, segmenter, mask_size)
        shape = (mask_size[1], mask_size[0])
        self._first, self._second, self._solid = (np.zeros(shape, np.uint8) for _ in range(3))

    def improved(self, mask: Mask, pyramid: Pyramid) -> Mask:
        """The average of ``mask`` and of a second look; ``mask`` itself when nobody is in it.

        Args:
            mask: what the segmenter said of the whole frame; may be its own buffer. ``mask_size`` large.
            pyramid: loaded with the frame.

        Raises:
            SegmentError: the model failed.
        """
        rect = CLOSE_UP.of(mask, self._solid)
        if rect is None:
            return mask
        np.copyto(self._first, mask)
        seen, inside = self._glance.look(pyramid, rect, is_mirrored=True)
        self._second.fill(0)
        np.copyto(within(inside, self._second), seen)
        return np.asarray(cv2.addWeighted(self._first, 0.5, self._second, 0.5, 0, dst=self._first))


class EveryLook:
    """Improves the mask of a still by five more inferences. Used from one thread.

    It averages what the model says of the whole picture, of the person at nearly natural proportions and of
    the person once more, each as it is and mirrored. What a close-up does not show is left to the others.

    Args:
        frame_size: (width, height) of the frames in pixels, both even.
        segmenter: the one that made the masks; its buffers are used again.
        mask_size: (width, height) of its masks in pixels.
    """

    def __init__(self, frame_size: tuple[int, int], segmenter: Segmenter, mask_size: tuple[int, int]) -> None:
        width, height = mask_size
        # Of a rectangle in mask pixels that looks in the frame as wide as the model's picture.
        shape = (width / height) ** 2 * frame_size[1] / frame_size[0]
        self._glance = Glance(frame_size, segmenter, mask_size)
        self._whole: Rect = (0, 0, width, height)
        self._close_ups = (replace(NATURAL, least_aspect=shape / SQUEEZED), CLOSE)
        self._sum = np.empty((height, width), np.float32)
        self._count = np.empty((height, width), np.float32)
        self._mean, self._solid = (np.empty((height, width), np.uint8) for _ in range(2))

    def improved(self, mask: Mask, pyramid: Pyramid) -> Mask:
        """The average of all looks; of two, when nobody is in them. Overwritten by the next call.

        Args:
            mask: what the segmenter said of the whole frame; may be its own buffer. ``mask_size`` large.
            pyramid: loaded with the frame.

        Raises:
            SegmentError: the model failed.
        """
        np.copyto(self._sum, mask)
        self._count.fill(1)
        self._add(pyramid, self._whole, is_mirrored=True)
        person = self._averaged()
        for rect in [close_up.of(person, self._solid) for close_up in self._close_ups]:
            if rect is not None:
                self._add(pyramid, rect, is_mirrored=False)
                self._add(pyramid, rect, is_mirrored=True)
        return self._averaged()

    def _add(self, pyramid: Pyramid, rect: Rect, *, is_mirrored: bool) -> None:
        seen, inside = self._glance.look(pyramid, rect, is_mirrored=is_mirrored)
        cv2.accumulate(seen, within(inside, self._sum))
        count = within(inside, self._count)
        cv2.add(count, 1.0, dst=count)

    def _averaged(self) -> Mask:
        cv2.divide(self._sum, self._count, dst=self._mean, dtype=cv2.CV_8U)
        return self._mean

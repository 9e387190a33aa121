"""The segmentation interface."""

from typing import Protocol

from scrim.frame import Mask, Plane


class Segmenter(Protocol):
    """Finds the person in a small RGB picture. Used from one thread."""

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""

    def segment(self, rgb: Plane) -> Mask:
        """Find the person.

        Args:
            rgb: shape (height, width, 3), uint8, contiguous, full-range RGB.

        Returns:
            The mask at the model's output resolution; overwritten by the next call.

        Raises:
            SegmentError: the model failed or gave something that is not a mask.
        """

    def close(self) -> None:
        """Let the model go."""

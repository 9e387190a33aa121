"""What stands behind the person."""

from typing import Protocol

from scrim.core.pyramid import Pyramid
from scrim.frame import Coarse, Matte

CoarsePlanes = tuple[Coarse, Coarse, Coarse]
"""Luma and both chroma planes; luma enlarged has at least a frame's pixels, chroma half as many each way."""


class Background(Protocol):
    """Makes what is to be seen instead of the room."""

    def planes(self, pyramid: Pyramid, matte: Matte) -> CoarsePlanes:
        """The background of one frame; valid until the next call.

        Args:
            pyramid: holds the camera frame.
            matte: of that frame.
        """

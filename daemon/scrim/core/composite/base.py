"""What stands behind the person."""

from typing import Protocol

from scrim.core.pyramid import Pyramid
from scrim.frame import Matte, Planes


class Background(Protocol):
    """Fills a picture with what is to be seen instead of the room."""

    def fill(self, out: Planes, pyramid: Pyramid, matte: Matte) -> None:
        """Write every pixel of ``out``.

        Args:
            out: planes of frame size; old content.
            pyramid: holds the camera frame.
            matte: of that frame.
        """

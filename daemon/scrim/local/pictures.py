"""How pictures from outside reach the core: a desk whose answers are plain pixels in sealed memory.

``image`` brings ``width``, ``height``, ``sha256`` of the file, and one descriptor of sealed memory with
``width * height * 3`` bytes, BGR. See :mod:`scrim.local.desk`.
"""

import logging
import re
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scrim.decode import map_pixels
from scrim.errors import ImageError, LocalError
from scrim.local.desk import GRACE_S, Desk

logger = logging.getLogger(__name__)

ANSWER_S = 15.0
"""How long a provider may take."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class PictureDesk(Desk[NDArray[np.uint8]]):
    """Asks for background images.

    What ``fetch`` gives is BGR, shape (height, width, 3), uint8, read-only; what it raises is an ImageError.

    Args:
        answer_s: how long a provider may take.
        grace_s: how long there may be none.
    """

    THING: ClassVar[str] = "image"

    def __init__(self, answer_s: float = ANSWER_S, grace_s: float = GRACE_S) -> None:
        super().__init__(answer_s, grace_s)

    def _error(self, text: str) -> ImageError:
        return ImageError(text)

    def _nobody(self) -> str:
        return (
            "images from outside are fetched by scrim's gateway, which is not running; "
            "start it with 'scrim gateway', or name a file: image"
        )

    def _take(self, params: dict[str, Any], fd: int) -> NDArray[np.uint8]:
        width, height, sha256 = params.get("width"), params.get("height"), params.get("sha256")
        if (
            params.keys() != {"token", "width", "height", "sha256"}
            or type(width) is not int
            or type(height) is not int
        ):
            raise LocalError("image: allowed is exactly token, width, height and sha256")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise LocalError("image: sha256 is not one")
        if fd < 0:
            raise LocalError("image: no descriptor came with it")
        try:
            picture = map_pixels(fd, width, height)
        except ImageError as error:
            raise LocalError(f"image: {error}") from None
        logger.info("background image: %d x %d pixels, sha256 %s", width, height, sha256)
        return picture

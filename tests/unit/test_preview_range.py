"""The page's picture has the colours of what goes out."""

import cv2
import numpy as np
import pytest

from scrim.frame import Planes
from scrim.gateway.web.preview import encode
from scrim.local.ring import Picture


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (0x33, 0x66, 0x99), (250, 10, 10), (0, 0, 255)])
def test_a_colour_is_seen_as_it_is(rgb: tuple[int, int, int]):
    i420 = cv2.cvtColor(np.full((48, 64, 3), rgb, np.uint8), cv2.COLOR_RGB2YUV_I420)
    jpeg = encode(Picture(Planes.of(i420), 0, 0, "effect", 1))
    seen = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[20, 20, ::-1]
    assert np.abs(seen.astype(int) - rgb).max() <= 3

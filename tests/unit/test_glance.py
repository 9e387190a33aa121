"""One inference over a part of the frame: the right part is shown, and the answer goes where it belongs."""

import numpy as np
import pytest

from scrim.core.close_up import Rect
from scrim.core.glance import Glance
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, Mask, Plane, Planes

SIZE = (320, 180)
MASK_SIZE = (64, 36)

either = pytest.mark.parametrize("is_mirrored", [False, True])


class Bright:
    """Takes what is bright for a person, and keeps the picture it was shown."""

    def __init__(self, input_size: tuple[int, int] = MASK_SIZE, shrunk: int = 1) -> None:
        self.input_size = input_size
        self._shrunk = shrunk

    def segment(self, rgb: Plane) -> Mask:
        self.shown = rgb.copy()
        return np.ascontiguousarray(rgb[:: self._shrunk, :: self._shrunk, 1])

    def close(self) -> None:
        pass


def gradient() -> Pyramid:
    """Grey that grows from left to right, and by a quarter of that from top to bottom."""
    i420 = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
    across, down = np.linspace(30, 180, SIZE[0]), np.linspace(0, 40, SIZE[1])
    Planes.of(i420).y[:] = across + down[:, None]
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(Planes.of(i420), 0, 0))
    return pyramid


def whole(mask_size: tuple[int, int] = MASK_SIZE) -> Mask:
    look, _ = Glance(SIZE, Bright(mask_size), mask_size).look(
        gradient(), (0, 0, *mask_size), is_mirrored=False
    )
    return look.copy()


@either
@pytest.mark.parametrize(
    "rect",
    [(0, 0, 64, 36), (10, 6, 40, 24), (30, 0, 34, 36), (-20, 4, 104, 30), (-7, 0, 78, 36), (0, 0, 1, 1)],
)
def test_what_is_seen_lies_where_it_is(rect: Rect, is_mirrored: bool) -> None:
    seen, (x, y, width, height) = Glance(SIZE, Bright(), MASK_SIZE).look(
        gradient(), rect, is_mirrored=is_mirrored
    )

    assert seen.shape == (height, width)
    assert (x, x + width) == (max(0, rect[0]), min(64, rect[0] + rect[2]))
    difference = seen.astype(int) - whole()[y : y + height, x : x + width]
    assert np.abs(difference).max() <= 6, "less than two mask pixels of the gradient"
    assert abs(difference.mean()) <= 1.5


@either
def test_the_frames_edge_is_repeated_beyond_it(is_mirrored: bool) -> None:
    model = Bright()
    Glance(SIZE, model, MASK_SIZE).look(gradient(), (-32, 0, 128, 36), is_mirrored=is_mirrored)

    shown = model.shown[18, :, 1].astype(int)
    shown = shown[::-1] if is_mirrored else shown
    assert np.ptp(shown[:15]) <= 2
    assert np.ptp(shown[50:]) <= 2
    assert shown[48] - shown[16] > 120


def test_a_close_up_is_sharp() -> None:
    """Stripes that are lost in the whole picture are seen in a close-up of them."""
    i420 = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
    Planes.of(i420).y[:] = np.where(np.arange(SIZE[0]) % 4 < 2, 40, 220)
    pyramid = Pyramid(SIZE)
    pyramid.load(Frame(Planes.of(i420), 0, 0))
    model = Bright()

    contrast = []
    for rect in ((0, 0, 64, 36), (20, 10, 12, 8)):
        Glance(SIZE, model, MASK_SIZE).look(pyramid, rect, is_mirrored=False)
        contrast.append(model.shown[..., 1].std())

    assert contrast[1] > 2 * contrast[0]


@either
@pytest.mark.parametrize("rect", [(10, 6, 40, 24), (-20, 0, 104, 36)])
def test_a_mask_may_be_smaller_than_the_models_picture(rect: Rect, is_mirrored: bool) -> None:
    half = Glance(SIZE, Bright((128, 72), shrunk=2), MASK_SIZE)

    seen, (x, y, width, height) = half.look(gradient(), rect, is_mirrored=is_mirrored)

    difference = seen.astype(int) - whole()[y : y + height, x : x + width]
    assert np.abs(difference).max() <= 6

"""The model's picture in C and by OpenCV: the same bytes."""

from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.model_input import OpenCVSqueeze, best_squeeze

Bytes = NDArray[np.uint8]
SIZES = st.tuples(st.integers(1, 90), st.integers(1, 60))


def native() -> ModuleType:
    module: ModuleType = pytest.importorskip(
        "scrim.core._picture", reason="the extension in C was not built: no compiler"
    )
    return module


def padded(random: np.random.Generator, shape: tuple[int, int]) -> Bytes:
    """Random bytes whose rows do not follow each other."""
    before, after = random.integers(0, 9, 2)
    wide = random.integers(0, 256, (shape[0], shape[1] + before + after), np.uint8)
    return wide[:, before : before + shape[1]]


def pictures(size: tuple[int, int]) -> list[Bytes]:
    return [np.full((size[1], size[0], 3), 77, np.uint8) for _ in range(2)]


@given(
    seed=st.integers(0, 2**32 - 1),
    half=SIZES,
    luma=SIZES,
    shrinking=st.sampled_from([None, (1, 1), (1.25, 1.25), (1.875, 1.875), (2.4, 3), (17, 2), (0.4, 0.7)]),
)
def test_both_make_the_same_picture(
    seed: int, half: tuple[int, int], luma: tuple[int, int], shrinking: tuple[float, float] | None
):
    native()
    random = np.random.default_rng(seed)
    size = 2 * half[0], 2 * half[1]
    if shrinking:
        luma = max(1, int(size[0] * shrinking[0])), max(1, int(size[1] * shrinking[1]))
    chroma = (luma[1] + 1) // 2, (luma[0] + 1) // 2
    planes = padded(random, luma[::-1]), padded(random, chroma), padded(random, chroma)
    made = pictures(size)
    OpenCVSqueeze(size)(made[0], *planes)
    best_squeeze(size)(made[1], *planes)
    assert np.array_equal(*made)


def test_all_colours_are_the_same():
    native()
    u, v = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    first, second = pictures((512, 512))
    by_opencv, by_c = OpenCVSqueeze((512, 512)), best_squeeze((512, 512))
    for y in range(0, 256, 4):  # four values of luma for each pair of chroma's
        luma = np.tile(np.array([[y, y + 1], [y + 2, y + 3]], np.uint8), (256, 256))
        by_opencv(first, luma, u, v)
        by_c(second, luma, u, v)
        assert np.array_equal(first, second)


def test_a_picture_without_chroma_is_grey():
    rgb = np.empty((4, 6, 3), np.uint8)
    best_squeeze((6, 4))(
        rgb,
        np.repeat(np.array([[16, 126, 235]], np.uint8), 2, axis=0),
        np.full((1, 2), 128, np.uint8),
        np.full((1, 2), 128, np.uint8),
    )
    assert (rgb[0, :, 0] == rgb[0, :, 1]).all()
    assert (rgb[0, :, 0] == rgb[0, :, 2]).all()
    assert rgb[0, 0, 0] == 0
    assert rgb[0, -1, 0] == 255
    assert (np.diff(rgb[0, :, 0].astype(int)) >= 0).all()


def test_what_does_not_fit_together_is_refused():
    squeeze, spare_bytes = native().squeeze, native().spare_bytes
    rgb, plane = np.zeros((4, 6, 3), np.uint8), np.zeros((8, 10), np.uint8)
    half, spare = plane[:4, :5], np.zeros(spare_bytes(6, 4), np.uint8)

    def refuses(why: str, *arguments: object) -> None:
        with pytest.raises((ValueError, BufferError, TypeError), match=why):
            squeeze(*arguments)

    refuses("v: is 5 x 3, wants 5 x 4", rgb, plane, half, half[:3], spare)
    refuses("y: is 0 x 8; allowed are", rgb, plane[:, :0], half, half, spare)
    refuses("u: is 8193 x 1; allowed are", rgb, plane, np.zeros((1, 8193), np.uint8), half, spare)
    refuses("u: wants a plane of bytes", rgb, plane, half.astype(float), half, spare)
    refuses("v: wants a plane of bytes", rgb, plane, half, np.zeros((4, 10), np.uint8)[:, ::2], spare)
    refuses("rgb: wants bytes, .height, width, 3", plane, plane, half, half, spare)
    refuses("rgb: wants bytes", np.zeros((4, 6, 4), np.uint8), plane, half, half, spare)
    refuses("rgb: wants bytes", np.zeros((4, 6, 3), np.uint16), plane, half, half, spare)
    refuses("rgb: is 6 x 3; both must be even", rgb[:3], plane, half, half, spare)
    refuses("rgb: is 6 x 0; both must be even", rgb[:0], plane, half, half, spare)
    refuses("contiguous", rgb[:, :4], plane, half, half, spare)
    refuses("spare: has 8 bytes, wants", rgb, plane, half, half, spare[:8])
    refuses("spare: has", rgb, plane, half, half, np.zeros(spare.size + 9, np.uint8)[1:-1])
    frozen = rgb.copy()
    frozen.flags.writeable = False
    refuses("read-only|writable", frozen, plane, half, half, spare)
    with pytest.raises(ValueError, match="both must be even"):
        spare_bytes(6, 5)
    with pytest.raises(ValueError, match="up to 8192"):
        spare_bytes(8194, 2)
    squeeze(rgb, plane, half, half, spare)
    assert (cv2.cvtColor(np.zeros((6, 6), np.uint8), cv2.COLOR_YUV2RGB_I420) == rgb).all()


def test_the_extension_is_taken_where_it_is_built():
    native()
    assert not isinstance(best_squeeze((6, 4)), OpenCVSqueeze)

"""Both ways to mix planes: exactly rounded, and the same bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core.composite.blend import Mix, OpenCVMix, best_mix

WIDTH = 256
Bytes = NDArray[np.uint8]


def native() -> Mix:
    blend = pytest.importorskip(
        "scrim.core.composite._blend", reason="the extension in C was not built: no compiler"
    )
    mix: Mix = blend.mix
    return mix


@pytest.fixture(params=["native", "opencv"])
def mix(request: pytest.FixtureRequest) -> Mix:
    return native() if request.param == "native" else OpenCVMix(WIDTH)


def everything() -> tuple[Bytes, Bytes]:
    """All pairs of a value and an alpha."""
    value, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    return np.ascontiguousarray(value), np.ascontiguousarray(alpha)


def test_over_black_each_product_is_rounded_to_the_nearest(mix):
    camera, alpha = everything()
    out = np.zeros_like(camera)
    mix(out, camera, alpha)
    exact = np.round(camera.astype(float) * alpha / 255)
    assert np.array_equal(out, exact)


def test_alpha_0_keeps_and_255_replaces(mix):
    camera, out = everything()
    before = out.copy()
    mix(out, camera, np.zeros_like(camera))
    assert np.array_equal(out, before)
    mix(out, camera, np.full_like(camera, 255))
    assert np.array_equal(out, camera)


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 260), st.integers(1, WIDTH)),
    left=st.integers(0, 40),
)
def test_both_give_the_same_bytes_in_any_window(seed, size, left):
    height, width = size
    random = np.random.default_rng(seed)
    planes = random.integers(0, 256, (3, height, width + left), np.uint8)
    room, camera, alpha = (plane[:, left:] for plane in planes)
    by_opencv, by_native = planes[0].copy(), planes[0].copy()
    OpenCVMix(WIDTH)(by_opencv[:, left:], camera, alpha)
    native()(by_native[:, left:], camera, alpha)
    assert np.array_equal(by_opencv, by_native)
    assert np.array_equal(by_native[:, :left], planes[0][:, :left])
    del room


def test_what_is_no_plane_is_refused():
    mix = native()
    plane = np.zeros((4, 6), np.uint8)
    with pytest.raises(ValueError, match="differ in shape"):
        mix(plane, plane, np.zeros((4, 5), np.uint8))
    with pytest.raises(ValueError, match="camera: wants a plane of bytes"):
        mix(plane, np.zeros((4, 12), np.uint8)[:, ::2], plane)
    with pytest.raises(ValueError, match="out: wants a plane of bytes"):
        mix(np.zeros((4, 6), np.uint16), plane, plane)
    frozen = plane.copy()
    frozen.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        mix(frozen, plane, plane)


def test_the_extension_is_taken_where_it_is_built():
    assert best_mix(WIDTH) is native()

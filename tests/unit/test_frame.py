"""Planes, caps and the pool of buffers."""

import gc
import threading

import numpy as np
import pytest

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.frame import Caps, FramePool, Planes, SafeFrame

SIZE = (8, 6)


def test_planes_are_views_into_the_buffer():
    i420 = np.arange(72, dtype=np.uint8).reshape(9, 8)
    planes = Planes.of(i420)
    assert planes.size == SIZE
    assert [plane.shape for plane in planes] == [(6, 8), (3, 4), (3, 4)]
    assert [int(plane[0, 0]) for plane in planes] == [0, 48, 60]
    assert all(np.shares_memory(plane, i420) for plane in planes)


@pytest.mark.parametrize(
    ("caps", "named"),
    [
        ((641, 480, 30), "width = 641"),
        ((640, 481, 30), "height"),
        ((0, 480, 30), "width"),
        ((8194, 480, 30), "width"),
        ((640, 480, 0), "frame_rate"),
        ((640, 480, float("nan")), "frame_rate"),
        ((640, 480, 1001), "frame_rate"),
    ],
)
def test_caps_that_no_camera_has_are_refused(caps: tuple[int, int, float], named: str):
    with pytest.raises(ValueError, match=named):
        Caps(*caps)


def test_caps_read_as_people_write_them():
    assert str(Caps(1280, 720, 30.0)) == "1280x720@30"
    assert Caps(1280, 720, 25).frame_interval_s == 0.04


def test_a_pool_never_allocates():
    pool = FramePool(SIZE, 2)
    first, second = pool.lease(), pool.lease()
    assert first is not None
    assert second is not None
    assert first.shape == (9, 8)
    assert pool.lease() is None
    assert pool.free == 0


def test_a_buffer_comes_back_when_the_last_view_of_it_is_gone():
    pool = FramePool(SIZE, 1)
    buffer = pool.lease()
    assert buffer is not None
    at = buffer.ctypes.data
    luma = Planes.of(buffer).y[1:3]
    del buffer
    gc.collect()
    assert pool.free == 0
    del luma
    assert pool.free == 1
    again = pool.lease()
    assert again is not None
    assert again.ctypes.data == at


def test_a_buffer_comes_back_whichever_thread_held_it():
    pool = FramePool(SIZE, 3)

    def hold_and_drop() -> None:
        for _ in range(500):
            pool.lease()

    threads = [threading.Thread(target=hold_and_drop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.free == 3


def test_a_safe_frame_s_pixels_are_read_only():
    frame = PlaceholderPainter(SIZE).paint(Reason.STARTING, 1)
    for pixels in (frame.i420, *frame.planes):
        with pytest.raises(ValueError, match="read-only"):
            pixels[0, 0] = 1
    with pytest.raises(TypeError):
        SafeFrame()

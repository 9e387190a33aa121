"""Where frames come from, and when they were taken."""

import time

import pytest

from scrim.core.capture.buffers import Buffers, capture_time_ns


def test_a_plausible_stamp_is_kept() -> None:
    stamp = time.monotonic_ns() - 20_000_000
    assert capture_time_ns(stamp) == stamp


@pytest.mark.parametrize("off_ns", [60_000_000_000, -60_000_000_000, None])
def test_any_other_stamp_becomes_now(off_ns: int | None) -> None:
    before = time.monotonic_ns()
    stamp = None if off_ns is None else before + off_ns
    assert before <= capture_time_ns(stamp) <= time.monotonic_ns()


def test_buffers_come_back_when_their_frames_go() -> None:
    buffers = Buffers(2)
    buffers.prepare((8, 4))
    leases = [buffers.lease(), buffers.lease()]
    assert all(lease is not None for lease in leases)
    assert buffers.lease() is None
    leases.clear()
    assert buffers.lease() is not None

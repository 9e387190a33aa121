"""When a process has taken more memory than it may."""

from pathlib import Path

import pytest

from scrim.rss_guard import (
    CORE,
    GATEWAY,
    LOOK_S,
    SETTLED_S,
    Excess,
    RssGuard,
    Share,
    limit_mb,
    resident_bytes,
)


class Process:
    """Resident memory, a guard, and a clock that only the test moves."""

    def __init__(self, limit: float = 200) -> None:
        self.now_s = 0.0
        self.rss_mb: float | None = 80.0
        self.guard = RssGuard(limit, self._rss_bytes, lambda: self.now_s)

    def _rss_bytes(self) -> int | None:
        return None if self.rss_mb is None else int(self.rss_mb * 1e6)

    def live(self, seconds: float) -> Excess | None:
        """What the guard says within this time, first."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += 0.25
            excess = self.guard.step()
            if excess is not None:
                return excess
        return None


def test_who_stays_below_lives_for_ever() -> None:
    process = Process()
    process.rss_mb = 199.9
    assert process.live(24 * 3600) is None


def test_who_grows_beyond_is_told_within_half_a_minute() -> None:
    process = Process()
    assert process.live(3600) is None
    process.rss_mb = 200.1
    before_s = process.now_s
    excess = process.live(60)
    assert excess == Excess(200.1, 200)
    assert process.now_s - before_s <= 4 * LOOK_S
    assert str(excess) == "200 MB are resident, more than the 200 MB allowed"


def test_a_moment_s_peak_is_none() -> None:
    process = Process()
    process.live(SETTLED_S)
    for _ in range(20):
        process.rss_mb = 900.0
        assert process.live(2 * LOOK_S) is None
        process.rss_mb = 80.0
        assert process.live(LOOK_S) is None


def test_what_is_large_from_the_start_is_not_restarted_for_ever() -> None:
    process = Process(limit=64)
    process.rss_mb = 100.0
    assert process.live(3600) is None
    process.rss_mb = 151.0
    assert process.live(60) == Excess(151, 150)


def test_a_process_that_cannot_look_at_itself_goes_on() -> None:
    process = Process()
    process.rss_mb = None
    assert process.live(3600) is None


@pytest.mark.parametrize(
    ("configured", "share", "total_mb", "allowed_mb"),
    [
        (0, CORE, 512, 300),
        (0, CORE, 1000, 500),
        (0, CORE, 8000, 1000),
        (0, GATEWAY, 512, 150),
        (0, GATEWAY, 1000, 250),
        (0, GATEWAY, 8000, 500),
        (77, CORE, 8000, 77),
    ],
)
def test_the_limit(configured: int, share: Share, total_mb: int, allowed_mb: float) -> None:
    assert limit_mb(configured, share, total_mb * 1_000_000) == allowed_mb


def test_the_limit_of_this_machine() -> None:
    assert CORE.least_mb <= limit_mb(0, CORE) <= CORE.most_mb


def test_resident_memory_is_read(tmp_path: Path) -> None:
    resident = resident_bytes()
    assert resident is not None
    assert 5e6 < resident < 1e10
    assert resident_bytes(tmp_path / "missing") is None

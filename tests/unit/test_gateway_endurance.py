"""A gateway that grows: it says so, and ends to be started again."""

import asyncio
import logging
from itertools import count
from pathlib import Path

import pytest

from scrim.config import Settings
from scrim.gateway import endurance
from scrim.gateway.service import serve
from scrim.rss_guard import LOOK_S, RssGuard

PATIENCE_S = 180.0


def growing() -> RssGuard:
    """Of a process that takes 5 MB more at each look; its clock runs as fast as it is looked at."""
    looks, sizes_mb = count(), count(80, 5)
    return RssGuard(100, lambda: next(sizes_mb) * 1_000_000, lambda: next(looks) * LOOK_S)


def test_a_gateway_that_grows_ends_and_asks_to_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endurance, "LOOK_S", 0.001)  # the clock of the test's guard runs as fast
    settings = Settings().patched({"web": {"port": 0}})

    async def until_it_ends() -> bool:
        async with asyncio.timeout(PATIENCE_S):
            return await serve(
                tmp_path / "core.sock", settings, lambda _: None, asyncio.Event(), guard=growing()
            )

    with caplog.at_level(logging.WARNING, endurance.__name__):
        assert asyncio.run(until_it_ends())
    assert caplog.messages == [
        "gateway: 135 MB are resident, more than the 120 MB allowed; it is started again"
    ]


def test_a_gateway_that_is_stopped_does_not_ask_for_it(tmp_path: Path) -> None:
    async def stopped_at_once() -> bool:
        stop = asyncio.Event()
        stop.set()
        settings = Settings().patched({"web": {"port": 0}})
        return await serve(tmp_path / "core.sock", settings, lambda _: None, stop)

    assert not asyncio.run(stopped_at_once())

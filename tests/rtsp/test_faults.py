"""Core, encoder, streaming process or gateway gone: who watches sees the placeholder, or can come again."""

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests import waiting

from scrim.gateway.rtsp.support import Support, environment, interpreter

from .players import playing
from .stage import PATIENCE_S, SIZE, FeedCore, core_at, plan, served, streaming, until

pytestmark = pytest.mark.usefixtures("players")


def test_without_a_core_the_placeholder_plays(place: Path) -> None:
    """From the start; the core is found when it comes, lost when it goes, and found again."""

    async def scenario() -> None:
        core = FeedCore(place)
        async with (
            asyncio.timeout(PATIENCE_S),
            streaming(place, plan()) as part,
            playing(part.url or "", SIZE) as player,
        ):
            await player.placeholder()
            await until(lambda: part.figures["is_placeholder"])
            for _ in range(2):
                core.start()
                try:
                    number = await player.number()
                    assert number in core.taken_ns
                    await until(lambda: not part.figures["is_placeholder"])
                finally:
                    core.stop()
                await player.placeholder()

    asyncio.run(scenario())


def test_a_core_that_hangs_gives_way_to_the_placeholder(place: Path) -> None:
    """No frame for half a second: what was seen last must not stand there for ever."""

    async def scenario() -> None:
        async with (
            served(place) as (core, part),
            playing(part.url or "", SIZE) as player,
        ):
            await player.number()
            core.is_hushed = True
            await player.placeholder()
            core.is_hushed = False
            await player.number()

    asyncio.run(scenario())


def test_a_core_of_another_size_goes_on_in_the_same_stream(place: Path) -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            streaming(place, plan()) as part,
            playing(part.url or "", SIZE) as player,
        ):
            with core_at(place):
                await player.number()
            await player.placeholder()
            with core_at(place, (640, 480)) as core:
                number = await player.number()
                assert number in core.taken_ns

    asyncio.run(scenario())


def test_a_feed_that_is_none_is_not_believed(place: Path) -> None:
    """The part goes on, with the placeholder, when the memory that comes is not what it should be."""

    async def scenario() -> None:
        with core_at(place) as core:
            core.feed.share = lambda: os.memfd_create("nonsense")  # type: ignore[method-assign]
            async with (
                asyncio.timeout(PATIENCE_S),
                streaming(place, plan()) as part,
                playing(part.url or "", SIZE) as player,
            ):
                await player.placeholder()
                await until(lambda: part.figures["is_placeholder"])

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_takes_nothing_with_it_and_another_takes_its_place(
    place: Path, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with served(place) as (core, part):
            first = part.pid
            assert first is not None
            async with playing(part.url or "", SIZE, "gst tcp") as player:
                await player.number()
                os.kill(first, number)
                await until(lambda: part.pid != first)
                await until(lambda: core.subscribers == 0)
            await until(lambda: part.url and part.figures)
            async with playing(part.url or "", SIZE, "gst tcp") as player:
                await player.number()

    caplog.set_level(logging.INFO)
    asyncio.run(scenario())
    assert f"killed by {signal.Signals(number).name}" in caplog.text
    assert "Traceback" not in caplog.text


def test_one_that_hangs_is_replaced(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrim.gateway.rtsp.part.SILENCE_S", 3.0)

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), streaming(place, plan()) as part:
            first = part.pid
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            await until(lambda: part.pid != first)
            # Its successor may take longer to start.
            monkeypatch.setattr("scrim.gateway.rtsp.part.SILENCE_S", 60.0)
            await until(lambda: part.pid not in {first, None} and part.url)
            assert not Path(f"/proc/{first}").exists()

    asyncio.run(scenario())


def test_it_ends_with_the_gateway_however_that_ends(
    tmp_path: Path, scrim_environment: dict[str, str]
) -> None:
    log = tmp_path / "log"
    options = ["web.is_enabled=false", "rtsp.is_enabled=true", "rtsp.port=0"]
    command = [sys.executable, "-m", "scrim", "gateway", *(f"--set={option}" for option in options)]
    with log.open("wb") as file, subprocess.Popen(command, env=scrim_environment, stderr=file) as gateway:
        try:
            child = waiting.until(lambda: children_of(gateway.pid))[0]
            waiting.until(lambda: re.search(r"rtsp://127\.0\.0\.1:\d+/scrim", log.read_text()))
            assert Path(f"/proc/{child}").exists()
        finally:
            gateway.kill()
    waiting.until(lambda: not Path(f"/proc/{child}").exists() or not Path(f"/proc/{child}/exe").exists())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_gateway_stops_it_without_a_complaint(
    tmp_path: Path, scrim_environment: dict[str, str], number: int
) -> None:
    """As a unit's end does it: the signal goes to both."""
    log = tmp_path / "log"
    options = ["web.is_enabled=false", "rtsp.is_enabled=true", "rtsp.port=0"]
    command = [sys.executable, "-m", "scrim", "gateway", *(f"--set={option}" for option in options)]
    with log.open("wb") as file, subprocess.Popen(command, env=scrim_environment, stderr=file) as gateway:
        child = waiting.until(lambda: children_of(gateway.pid))[0]
        waiting.until(lambda: "rtsp://" in log.read_text())
        os.kill(child, number)
        gateway.send_signal(number)
        assert gateway.wait(PATIENCE_S) == 0
    assert not Path(f"/proc/{child}").exists()
    assert not re.search(r" [WE] |Traceback", log.read_text()), log.read_text()


def test_a_port_that_is_taken_is_told_once_with_its_mend(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from dataclasses import replace

    from scrim.gateway.rtsp.part import RtspPart

    monkeypatch.setattr("scrim.gateway.rtsp.part.FIRST_PAUSE_S", 0.1)

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), streaming(place, plan()) as holder:
            port = int((holder.url or "").rpartition(":")[2].partition("/")[0])
            what = plan()
            assert what.serve is not None
            part = RtspPart(place, replace(what, serve=replace(what.serve, port=port)))
            running = asyncio.create_task(part.run())
            pids = set()
            while len(pids) < 3:
                pids.add(part.pid)
                await asyncio.sleep(0.02)
            running.cancel()
            await asyncio.wait({running})

    asyncio.run(scenario())
    said = [record.getMessage() for record in caplog.records if "rtsp.port" in record.getMessage()]
    assert len(said) == 1
    assert "already in use" in said[0]


@pytest.mark.parametrize("case", ["fails", "hangs", "cannot start"])
def test_an_encoder_that_fails_gives_way_to_the_next(case: str, support: Support) -> None:
    """Run where GStreamer is: the first encoder is one that breaks."""
    found, said = broken(case, support)
    assert found["encoder"] == support.encoders[-1]
    assert found["units"] >= 3
    assert found["begins_with_key"] is True
    assert "takes its place" in said


def test_a_machine_that_stops_for_seconds_costs_no_encoder(support: Support) -> None:
    found, said = broken("is slow", support)
    assert found["encoder"] == "broken"
    assert found["units"] >= 3
    assert "takes its place" not in said


def broken(case: str, support: Support) -> tuple[dict[str, Any], str]:
    """What comes of a stream whose first encoder has something, and what it says."""
    script = Path(__file__).with_name("broken_encoder.py")
    result = subprocess.run(
        [interpreter(), str(script), case, support.encoders[-1]],
        env=environment() | {"PYTHONPATH": str(Path(__file__).parents[2] / "daemon")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(result.stdout), result.stderr


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

"""Clients that go without a word are let go of within half a minute, however they went."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from scrim.gateway.rtsp.limits import CLEAN_S, GRACE_S, SESSION_S, STALL_S
from scrim.gateway.rtsp.part import RtspPart

from .players import playing
from .raw import connected
from .stage import SIZE, FeedCore, core_at, plan, streaming, until

GONE_S = 30.0
HASTE_S = 15.0 if os.environ.get("SCRIM_LONG") == "1" else 270.0
"""What a busy test machine may add to that; where the encoder is slow, the kernel's room fills slowly."""

PASSWORD = "correct-horse-battery"
TCP, UDP = "RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP;unicast;client_port=25004-25005"
HOST, CLIENT = "10.213.7.1", "10.213.7.2"

pytestmark = pytest.mark.usefixtures("players")


@contextlib.asynccontextmanager
async def noted(part: RtspPart, core: FeedCore) -> AsyncIterator[None]:
    """Somebody watches before, and nobody after, in time."""
    await until(lambda: part.figures["is_wanted"] and part.figures["clients"])
    yield
    await until(lambda: not part.figures["is_wanted"], GONE_S + HASTE_S)
    await until(lambda: not part.figures["is_encoding"])
    await until(lambda: core.subscribers == 0)


async def killed(part: RtspPart, core: FeedCore, kind: str, number: int) -> None:
    async with playing(part.url or "", SIZE, kind) as player:
        await player.number()
        async with noted(part, core):
            player.process.send_signal(number)


async def silent(part: RtspPart, core: FeedCore, transport: str) -> None:
    """Plays by hand and then says and takes nothing; by TCP the kernel's room must fill up first."""
    async with connected(part.url or "") as client:
        await client.play(transport)
        async with noted(part, core):
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]


async def curious(part: RtspPart, core: FeedCore) -> None:
    """Asks what there is, and stays."""
    async with connected(part.url or "") as client:
        assert (await client.ask("DESCRIBE")).status == 200
        async with noted(part, core):
            pass


CASES: dict[str, Callable[[RtspPart, FeedCore], Awaitable[None]]] = {
    "a killed client by TCP": lambda part, core: killed(part, core, "ffmpeg tcp", signal.SIGKILL),
    "a killed client by UDP": lambda part, core: killed(part, core, "ffmpeg udp", signal.SIGKILL),
    "a killed GStreamer by UDP": lambda part, core: killed(part, core, "gst udp", signal.SIGKILL),
    "a stopped client by UDP": lambda part, core: killed(part, core, "ffmpeg udp", signal.SIGSTOP),
    "a silent client by UDP": lambda part, core: silent(part, core, UDP),
    "a silent client by TCP": lambda part, core: silent(part, core, TCP),
    "a client that only asked": curious,
}


@pytest.mark.slow
def test_clients_that_go_without_a_word(tmp_path: Path) -> None:
    """All at once, each with a stream of its own: it takes half a minute."""

    async def one(number: int, case: Callable[[RtspPart, FeedCore], Awaitable[None]]) -> None:
        folder = tmp_path / f"run{number}"
        folder.mkdir(mode=0o700)
        with core_at(folder / "core.sock", is_noisy=True) as core:
            async with streaming(folder / "core.sock", plan()) as part:
                await case(part, core)

    async def scenario() -> None:
        outcomes = await asyncio.gather(
            *(one(number, case) for number, case in enumerate(CASES.values())), return_exceptions=True
        )
        failed = {name: outcome for name, outcome in zip(CASES, outcomes, strict=True) if outcome is not None}
        assert failed == {}

    asyncio.run(scenario())


def test_the_times_add_up() -> None:
    assert SESSION_S + GRACE_S + CLEAN_S < GONE_S
    assert STALL_S + CLEAN_S < GONE_S


# A host that vanishes: nothing answers, nothing says good-bye.


@pytest.fixture
def host() -> Iterator[str]:
    """Another host, by its name in ip-netns(8)."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("another host is a network namespace: needs root and the package iproute2")
    name, ours, theirs = f"scrim{os.getpid()}", f"vs{os.getpid()}", f"vc{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    try:
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        ip("address", "add", f"{HOST}/24", "dev", ours)
        ip("link", "set", ours, "up")
        ip("-n", name, "address", "add", f"{CLIENT}/24", "dev", theirs)
        ip("-n", name, "link", "set", theirs, "up")
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", ours], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def unplug(host: str) -> None:
    ip("-n", host, "link", "set", f"vc{host.removeprefix('scrim')}", "down")


@pytest.mark.slow
def test_a_host_that_vanishes(host: str, tmp_path: Path) -> None:
    """One client by TCP, one by UDP, then the cable is pulled."""
    player = Path(__file__).with_name("far_player.py")

    @contextlib.asynccontextmanager
    async def far(url: str, transport: str) -> AsyncIterator[None]:
        command = ["ip", "netns", "exec", host, sys.executable, str(player), url, PASSWORD, transport]
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=nothing)
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"playing\n"
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def one(number: int, transport: str, plugged: asyncio.Barrier) -> None:
        folder = tmp_path / f"run{number}"
        folder.mkdir(mode=0o700)
        with core_at(folder / "core.sock") as core:
            what = plan(host=HOST, password=PASSWORD)
            async with streaming(folder / "core.sock", what) as part, far(part.url or "", transport):
                await plugged.wait()
                async with noted(part, core):
                    unplug(host)

    async def scenario() -> None:
        async with asyncio.timeout(600):
            plugged = asyncio.Barrier(2)
            await asyncio.gather(one(1, TCP, plugged), one(2, UDP, plugged))

    asyncio.run(scenario())

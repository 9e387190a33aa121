"""What players see, and what it costs: one encode for all, none for nobody."""

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import pytest

from scrim.gateway.rtsp.support import Support

from .players import playing
from .raw import connected
from .stage import PATIENCE_S, SIZE, core_at, fresh_figures, plan, served, streaming, until

pytestmark = pytest.mark.usefixtures("players")

MOST_IDLE_MS = 50 if os.environ.get("SCRIM_LONG") == "1" else 500
"""Processor time; a crowded machine takes more for the same, and longer to show so many pictures."""

KINDS = ["ffmpeg tcp", "ffmpeg udp", "gst tcp", "gst udp"]


@pytest.mark.parametrize("kind", KINDS)
def test_programs_play_the_stream(place: Path, kind: str) -> None:
    async def scenario() -> None:
        async with (
            served(place) as (core, part),
            playing(part.url or "", SIZE, kind) as player,
        ):
            numbers = [await player.number() for _ in range(20)]
        assert numbers == sorted(set(numbers))
        assert set(numbers) <= core.taken_ns.keys()

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [(322, 242), (640, 360)])
@pytest.mark.parametrize("encoder", ["openh264enc", "x264enc"])
def test_every_encoder_encodes_every_even_size(
    place: Path, encoder: str, size: tuple[int, int], support: Support
) -> None:
    if encoder not in support.encoders:
        pytest.skip(f"{encoder} is not installed here")

    async def scenario() -> None:
        async with (
            served(place, plan(encoder=encoder, size=size)) as (core, part),
            playing(part.url or "", size) as player,
        ):
            numbers = [await player.number() for _ in range(5)]
            await until(lambda: part.figures["is_encoding"])
            assert part.figures["encoder"] == encoder
        assert set(numbers) <= core.taken_ns.keys()

    asyncio.run(scenario())


def test_nobody_watching_costs_nothing(place: Path) -> None:
    async def scenario() -> None:
        async with served(place) as (core, part):
            shown, cpu_ms = core.number, cpu_ms_of(part.pid)
            await until(lambda: core.number > shown + 45)
            assert core.subscribers == 0
            assert part.figures["encoded"] == 0
            assert cpu_ms_of(part.pid) - cpu_ms <= MOST_IDLE_MS, "1.5 s of doing nothing"
            async with playing(part.url or "", SIZE) as player:
                await player.number()
                assert core.subscribers == 1
            await until(lambda: core.subscribers == 0)
            await until(lambda: not part.figures["is_wanted"])
            await until(lambda: not part.figures["is_encoding"])
            encoded, shown = part.figures["encoded"], core.number
            await until(lambda: core.number > shown + 45)
            assert part.figures["encoded"] == encoded
            assert part.figures["is_encoding"] is False

    asyncio.run(scenario())


def test_clients_share_one_encode(place: Path) -> None:
    async def scenario() -> None:
        async with (
            served(place) as (core, part),
            playing(part.url or "", SIZE, "gst tcp") as first,
            playing(part.url or "", SIZE, "gst udp") as second,
            playing(part.url or "", SIZE, "ffmpeg tcp") as third,
        ):
            for player in (first, second, third):
                await player.number()
            await until(lambda: part.figures["clients"] == 3)
            shown = core.number
            encoded = (await fresh_figures(part))["encoded"]
            for player in (first, second, third):
                for _ in range(45):
                    await player.number()
            await until(lambda: part.figures["encoded"] > encoded)
            assert part.figures["encoded"] - encoded <= core.number - shown + 35, "the figures are 1 s old"
            assert core.subscribers == 1

    asyncio.run(scenario())


def test_who_comes_later_need_not_wait_for_a_key_frame(place: Path) -> None:
    """Between two key frames of the clock there are ten minutes, 18,000 pictures."""

    async def scenario() -> None:
        async with (
            served(place, plan(key_frame_interval_s=600.0)) as (core, part),
            playing(part.url or "", SIZE, "gst tcp") as first,
        ):
            for _ in range(15):
                await first.number()
            for kind in ("gst tcp", "ffmpeg udp"):
                asked = core.number
                async with playing(part.url or "", SIZE, kind) as later:
                    assert await later.number() - asked < 6000

    asyncio.run(scenario())


def test_the_first_picture_is_the_placeholder(place: Path) -> None:
    async def scenario() -> None:
        async with (
            served(place) as (_, part),
            playing(part.url or "", SIZE, "gst tcp") as player,
        ):
            luma = await player.picture()
            assert abs(float(luma[:8].mean()) - 40) < 3, "the placeholder's ground"
            assert float(luma[SIZE[1] * 2 // 5, SIZE[0] // 2]) > 70, "the placeholder's figure"
            await player.number()

    asyncio.run(scenario())


def test_nobody_gets_a_picture_from_before_he_played(place: Path) -> None:
    """Who asks what there is and plays much later must not see who stood there meanwhile."""

    async def scenario() -> None:
        async with (
            served(place) as (_, part),
            connected(part.url or "") as client,
        ):
            assert (await client.ask("DESCRIBE")).status == 200
            await until(lambda: part.figures["is_encoding"])
            encoded = part.figures["encoded"]
            await until(lambda: part.figures["encoded"] > encoded + 30)
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
            await client.ask("SETUP", f"{client.url}/stream=0", Transport=transport)
            assert (await client.ask("PLAY")).status == 200
            times = sorted({rtp_time(await client.packet()) for _ in range(8)})
            # First the placeholder of the beginning, then what is now: a second lies between.
            assert times[1] - times[0] > 0.8 * 90_000
            assert min(later - one for one, later in pairwise(times[1:])) < 0.5 * 90_000

    asyncio.run(scenario())


def test_no_two_pictures_have_the_same_time(place: Path) -> None:
    """Not even where the core repeats a picture, as it does when a camera falls behind."""

    async def scenario() -> None:
        with core_at(place) as core:
            core.repeats = 2
            async with (
                asyncio.timeout(PATIENCE_S),
                streaming(place, plan()) as part,
                connected(part.url or "") as client,
            ):
                await client.play()
                ends = []
                while len(ends) < 40:
                    packet = await client.packet()
                    if packet[1] & 0x80:  # the marker: the last packet of a picture
                        ends.append(rtp_time(packet))
                assert len(set(ends)) == len(ends)

    asyncio.run(scenario())


def test_pausing_is_refused_for_it_would_keep_an_old_picture(place: Path) -> None:
    async def scenario() -> None:
        async with (
            served(place) as (_, part),
            connected(part.url or "") as client,
        ):
            await client.play()
            await client.packet()
            assert (await client.ask("PAUSE")).status == 405
            for _ in range(10):
                await client.packet()
            assert (await client.ask("TEARDOWN")).status == 200

    asyncio.run(scenario())


def cpu_ms_of(pid: int | None) -> float:
    """Processor time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def rtp_time(packet: bytes) -> int:
    """An RTP packet's time stamp, of 90 kHz (RFC 3550)."""
    return int.from_bytes(packet[4:8], "big")

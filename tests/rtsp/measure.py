"""Measures the stream: latency, first pictures, processor time and memory. Run by hand, on a quiet machine:

    python -m tests.rtsp.measure [--size 1280x720] [--encoder auto] [--seconds 10]

Latency is from the capture's time stamp to the decoded picture in another process, told by the number in the
picture. Processor time is that of the streaming process alone, user and system, per picture.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import numpy as np

from scrim.core.capture.room import room_picture
from scrim.frame import Plane, Planes
from scrim.gateway.rtsp.part import RtspPart

from .coded import is_numbered, number_in, numbered
from .players import Player, playing
from .stage import FeedCore, plan, streaming, until

KINDS = ("gst tcp", "gst udp", "ffmpeg tcp", "ffmpeg udp")
CLOCK_HZ = os.sysconf("SC_CLK_TCK")


class RoomCore(FeedCore):
    """Shows a room full of detail, part of which moves, below the number."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        super().__init__(path, size)
        self._room = room_picture(size)

    def picture(self) -> Plane:
        width, height = self.size
        bars, picture = numbered(self.size, self.number), self._room.copy()
        luma, quarter = Planes.of(picture).y, height // 4
        luma[:quarter] = bars[:quarter]
        left = self.number * 7 % (width * 3 // 4)
        luma[height // 2 : height * 3 // 4, left : left + width // 4] ^= np.uint8(255)
        return picture


def cpu_ms(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / CLOCK_HZ


def memory_mb(pid: int | None) -> str:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {name: int(rest.split()[0]) / 1000 for name, _, rest in (line.partition(":") for line in lines)}
    return f"RSS {found['Rss']:.0f} MB, PSS {found['Pss']:.0f}, of its own {found['Private_Dirty']:.0f}"


async def first_ms(player: Player) -> float:
    """From the player's start to its first picture of the camera."""
    await player.number()
    return (time.monotonic_ns() - player.began_ns) / 1e6


async def latencies_ms(player: Player, core: FeedCore, seconds: float) -> list[float]:
    found, end_s = [], time.monotonic() + seconds
    while time.monotonic() < end_s:
        luma, now_ns = await player.picture(), time.monotonic_ns()
        if is_numbered(luma):
            found.append((now_ns - core.taken_ns.get(number_in(luma), now_ns)) / 1e6)
    return found[len(found) // 5 :]


async def watched(
    part: RtspPart, core: FeedCore, players: list[Player], seconds: float
) -> tuple[list[float], float]:
    """Latencies of the first player; processor time of a picture while all of them play."""
    encoded, used = part.figures["encoded"], cpu_ms(part.pid)
    found, *_ = await asyncio.gather(*(latencies_ms(player, core, seconds) for player in players))
    return found, (cpu_ms(part.pid) - used) / max(1, part.figures["encoded"] - encoded)


async def measure(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    width, height = map(int, options.size.split("x"))
    folder = Path(tempfile.mkdtemp(prefix="scrim-measure-"))
    core = RoomCore(folder / "core.sock", (width, height))
    core.start()
    what = plan(size=(width, height), encoder=options.encoder, bit_rate_kbps=3000)
    try:
        async with streaming(core.path, what) as part:
            url = part.url or ""
            before = cpu_ms(part.pid)
            await asyncio.sleep(5)
            say(
                f"idle: {(cpu_ms(part.pid) - before) / 5:.1f} ms of processor a second; {memory_mb(part.pid)}"
            )
            for kind in KINDS:
                async with playing(url, core.size, kind) as player:
                    first = await first_ms(player)
                    await until(lambda: part.figures["is_encoding"])
                    found, each = await watched(part, core, [player], options.seconds)
                    streaming_memory = memory_mb(part.pid)
                    async with playing(url, core.size, kind) as later:
                        second = await first_ms(later)
                        _, for_two = await watched(part, core, [player, later], options.seconds)
                say(
                    f"{kind}, {part.figures['encoder']}: first picture {first:.0f} ms, a second client's "
                    f"{second:.0f} ms; latency p50 {median(found):.1f} ms, p95 "
                    f"{quantiles(found, n=20)[-1]:.1f} ms; {each:.2f} ms of processor a picture, for two "
                    f"clients {for_two:.2f} ms; {streaming_memory}"
                )
                await until(lambda: not part.figures["is_wanted"])
            await asyncio.sleep(1.5)
            say(f"after: {memory_mb(part.pid)}")
    finally:
        core.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--seconds", type=float, default=10.0)
    asyncio.run(measure(parser.parse_args(), lambda text: print(text, file=sys.stdout)))  # noqa: T201


if __name__ == "__main__":
    main()

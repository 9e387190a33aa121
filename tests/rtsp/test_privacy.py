"""End to end: a filmed room with a code on it, all of scrim, and a search for the code in what is played."""

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.capture.demo import Demo
from scrim.detector import BLOCK_PX, THRESHOLD, CodedBackground, Detector
from scrim.frame import Caps, Plane
from scrim.local.client import Client

from .players import FFMPEG, Player, playing
from .stage import PATIENCE_S

SIZE = (640, 480)
KEY = "tests/rtsp"
FRAMES = 45
WALL = np.array([140, 126, 130], np.uint8)
RAW = ("--set", "privacy.allow_raw=true", "--set", "effect=off")

pytestmark = pytest.mark.usefixtures("players")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.bool_]]:
    """A lossless clip of the demo before a plain wall with the code; and the blocks that nobody stands near.

    Plain, for the model takes some of the demo's furniture for the person, which is then shown.
    """
    assert FFMPEG is not None
    path = tmp_path_factory.mktemp("film") / "coded.mkv"
    code, reach = CodedBackground(SIZE, KEY), np.ones((25, 25), np.uint8)
    near: Plane = np.zeros(SIZE[::-1], np.uint8)
    demo = Demo(Caps(*SIZE, 30), pace=False)
    demo.open()
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "{}x{}".format(*SIZE), "-r", "30", "-i", "-"]
    command = [FFMPEG, "-v", "error", *raw, "-c:v", "ffv1", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        for sequence in range(FRAMES):
            frame = demo.read()
            assert frame is not None
            person = np.asarray(cv2.dilate(demo.alpha(sequence), reach), np.uint8)
            near |= person
            planes = [
                np.where(_at(plane, person), plane, wall)
                for plane, wall in zip(frame.planes, WALL, strict=True)
            ]
            writer.stdin.write(code.mark(planes[0], person).tobytes())
            writer.stdin.write(planes[1].tobytes() + planes[2].tobytes())
    assert writer.returncode == 0
    columns, rows = SIZE[0] // BLOCK_PX, SIZE[1] // BLOCK_PX
    return path, near.reshape(rows, BLOCK_PX, columns, BLOCK_PX).max(axis=(1, 3)) == 0


def _at(plane: Plane, person: Plane) -> NDArray[np.bool_]:
    """Where a plane shows the person."""
    return person[:: person.shape[0] // plane.shape[0], :: person.shape[1] // plane.shape[1]] > 0


@contextlib.asynccontextmanager
async def filmed(
    clip: Path, folder: Path, environment: dict[str, str], *options: str
) -> AsyncIterator[tuple[str, Client]]:
    """Core and gateway with the clip as the camera; the stream's URL."""
    folder.mkdir(mode=0o700)
    log, width_and_height = folder / "log", zip(("camera.width", "camera.height"), SIZE, strict=True)
    settings = [f"{key}={value}" for key, value in width_and_height]
    settings += [f"camera.source=file:{clip}", "rtsp.is_enabled=true", "rtsp.port=0", "web.port=0"]
    settings += ["rtsp.bit_rate_kbps=25000"]
    command = [sys.executable, "-m", "scrim", "run", *(f"--set={one}" for one in settings), *options]
    place = folder / "core.sock"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment | {"SCRIM_SOCKET": str(place)}, stdout=file, stderr=file
        )
    try:
        while not (found := re.search(r"rtsp://127\.0\.0\.1:\d+/scrim", log.read_text())):
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
        with Client(place, timeout_s=PATIENCE_S) as client:
            yield found.group(), client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def highest(player: Player, detector: Detector, count: int) -> float:
    """The highest score in the next pictures."""
    return max([float(detector.blocks(await player.picture()).max()) for _ in range(count)])


def test_the_code_is_found_in_the_stream_where_the_room_may_be_seen(
    film: tuple[Path, NDArray[np.bool_]], tmp_path: Path, scrim_environment: dict[str, str]
) -> None:
    """H.264 leaves enough of it: what the next test does not find would be found."""
    clip, room = film

    async def scenario() -> None:
        async with (
            asyncio.timeout(2 * PATIENCE_S),
            filmed(clip, tmp_path / "run", scrim_environment, *RAW) as (url, _),
            playing(url, SIZE) as player,
        ):
            detector = Detector(SIZE, KEY)
            while detector.flagged(await player.picture())[room].mean() < 0.9:
                pass

    asyncio.run(scenario())


def test_the_code_is_nowhere_in_what_players_decode(
    film: tuple[Path, NDArray[np.bool_]], tmp_path: Path, scrim_environment: dict[str, str]
) -> None:
    """From the first picture on, over changes of everything, with the effect off, and without a core."""
    clip, _ = film
    changes: list[dict[str, Any]] = [
        {"effect": "blur", "strength": "high"},
        {"effect": "blur", "strength": "low"},
        {"effect": "color", "color": "teal"},
        {"matte": {"refine": False}},
    ]

    async def scenario() -> None:
        async with (
            asyncio.timeout(3 * PATIENCE_S),
            filmed(clip, tmp_path / "run", scrim_environment, "--set=effect=color") as (url, client),
            playing(url, SIZE, "gst tcp") as player,
        ):
            detector = Detector(SIZE, KEY)
            scores = [await highest(player, detector, 20)]
            for patch in changes:
                await asyncio.to_thread(client.set, patch)
                scores.append(await highest(player, detector, 15))
            with contextlib.suppress(Exception):  # "off" is answered with an error, and shows the placeholder
                await asyncio.to_thread(client.set, {"effect": "off"})
            scores.append(await highest(player, detector, 15))
            assert max(scores) < THRESHOLD, scores

    asyncio.run(scenario())

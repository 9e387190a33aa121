"""The memory that the gateway takes with everything on, and its streaming process with it."""

import asyncio
import contextlib
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np

from scrim.gateway.rtsp.support import probe
from scrim.image_header import MAX_IMAGE_BYTES

MARGIN = 1.0 if os.environ.get("SCRIM_LONG") == "1" else 1.15
"""The long suite holds the goals; a machine that is busy has more pictures and answers under way at once."""

MOST_RSS_MB = 60.0 * MARGIN
"""Of the gateway's process: resident, what it shares with others counted whole."""

MOST_PSS_MB = 85.0 * MARGIN
"""Of gateway and streaming process: what several processes share counted in parts, so nothing twice."""

PATIENCE_S = 180.0
UPLOAD = {"X-Scrim": "1", "Content-Type": "image/png"}
PLAY = ("-nostdin", "-loglevel", "fatal", "-rtsp_transport", "tcp")


def memory_mb(pid: int, kind: str) -> float:
    """``Rss`` or ``Pss``, in 10^6 bytes."""
    found = re.search(rf"^{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def streaming_process(gateway: int) -> int:
    """The gateway's only child that stays."""
    children = Path(f"/proc/{gateway}/task/{gateway}/children").read_text().split()
    return next(
        int(pid) for pid in children if b"rtsp/child/launch.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )


@contextlib.contextmanager
def playing(url: str) -> Iterator[None]:
    player = subprocess.Popen(["ffmpeg", *PLAY, "-i", url, "-c", "copy", "-f", "null", "-"])
    try:
        yield
    finally:
        player.kill()
        player.wait()


async def until_figures(session: aiohttp.ClientSession, metrics: str, line: str) -> None:
    """Poll Prometheus' page until it has a line."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{metrics}/metrics") as answer:
                    if re.search(line, await answer.text(), re.MULTILINE):
                        return
            await asyncio.sleep(0.2)


async def watch(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(f"{url}/preview.mjpg") as pictures:
        async for _ in pictures.content.iter_any():
            pass


async def upload(session: aiohttp.ClientSession, url: str) -> None:
    """What is taken, what is as large as may be, and what is none; then a still."""
    sizes = ((1080, 1920), (4096, 4096))
    images = [cv2.imencode(".png", np.full((*size, 3), 9, np.uint8))[1].tobytes() for size in sizes]
    for data in (*images, np.random.default_rng(1).bytes(MAX_IMAGE_BYTES)):
        body, to = io.BytesIO(data), f"{url}/api/backgrounds?name=room.png"
        async with session.post(to, data=body, headers=UPLOAD) as answer:
            assert answer.status in (200, 422)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(f"{url}/snapshot.jpg?size=small") as still:
                if still.status == 200:
                    return


def test_with_everything_on_the_gateway_stays_small(real_scrim: Any, mosquitto: Any, free_ports: Any) -> None:
    """MQTT at a broker, Prometheus, two who watch the page, uploads; and two who play the stream."""
    can_stream = not probe().missing and shutil.which("ffmpeg") is not None
    prometheus, rtsp = free_ports(2)
    stream = f"rtsp://127.0.0.1:{rtsp}/scrim"

    async def scenario(scrim: Any) -> None:
        metrics = f"http://127.0.0.1:{prometheus}"
        async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
            await until_figures(session, metrics, r"^scrim_mqtt_connected 1")
            await until_figures(session, metrics, r"^scrim_up 1")
            for _ in range(2):
                viewer = asyncio.create_task(watch(session, scrim.url))
                stack.callback(viewer.cancel)
                if can_stream:
                    stack.enter_context(playing(stream))
            if can_stream:
                await until_figures(session, metrics, r"^scrim_rtsp_clients 2")
                await until_figures(session, metrics, r"^scrim_rtsp_encoded_total [1-9]\d")
            await upload(session, scrim.url)
            own_mb = memory_mb(scrim.gateway.pid, "Rss")
            assert own_mb < MOST_RSS_MB
            if can_stream:
                pids = (scrim.gateway.pid, streaming_process(scrim.gateway.pid))
                assert sum(memory_mb(pid, "Pss") for pid in pids) < MOST_PSS_MB

    words = {
        "mqtt.is_enabled": "true",
        "mqtt.port": mosquitto.port,
        "prometheus.is_enabled": "true",
        "prometheus.port": prometheus,
        "rtsp.is_enabled": str(can_stream).lower(),
        "rtsp.port": rtsp,
    }
    more = " ".join(f"--set {key}={value}" for key, value in words.items())
    with real_scrim("--set", "camera.source=demo:", web=more) as scrim:
        asyncio.run(scenario(scrim))

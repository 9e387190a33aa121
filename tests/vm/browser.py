"""A meeting's view of the webcam: Chromium's getUserMedia, driven through the DevTools protocol."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-port=0",
)
DEADLINE_S = 300.0

_WATCH = """
(async () => {
    const stream = await navigator.mediaDevices.getUserMedia({video: {width: WIDTH, height: HEIGHT}});
    const track = stream.getVideoTracks()[0];
    const video = document.createElement('video');
    video.srcObject = stream;
    video.muted = true;
    await video.play();
    let frames = 0;
    await new Promise(resolve => {
        const next = () => ++frames < FRAMES ? video.requestVideoFrameCallback(next) : resolve();
        video.requestVideoFrameCallback(next);
    });
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext('2d');
    const pixel = (x, y) => Array.from(context.getImageData(x, y, 1, 1).data.slice(0, 3));
    let seen, plain;
    do {
        await new Promise(resolve => video.requestVideoFrameCallback(resolve));
        context.drawImage(video, 0, 0);
        seen = {
            label: track.label, width: canvas.width, height: canvas.height, frames: ++frames,
            corner: pixel(5, 5), middle: pixel(canvas.width / 2, canvas.height / 2),
        };
        plain = Math.max(...seen.corner.map((value, at) => Math.abs(value - COLOR[at]))) < 12;
    } while (!plain && frames < 20 * FRAMES);
    track.stop();
    return seen;
})()
"""


class _Page(BaseHTTPRequestHandler):
    """Any page will do; cameras are for pages of a server only."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>meeting</title>")

    def log_message(self, *_: Any) -> None:
        """Nothing to tell."""


def seen_by_chromium(
    folder: Path, size: tuple[int, int], color: tuple[int, int, int], frames: int = 20
) -> dict[str, Any]:
    """What a page is given that asks for the camera: its name, size, and the colour of two pixels.

    Args:
        folder: for the browser's profile.
        size: (width, height) that the page asks for.
        color: red, green and blue that are expected; more frames are waited for while it is another.
        frames: how many it waits for.
    """
    script = _WATCH.replace("WIDTH", str(size[0])).replace("HEIGHT", str(size[1]))
    script = script.replace("COLOR", str(list(color)))
    with _served() as url:
        return asyncio.run(_evaluated(folder, url, script.replace("FRAMES", str(frames))))


@contextlib.contextmanager
def _served() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Page)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def _evaluated(folder: Path, url: str, script: str) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_S), _tab(folder, url) as socket:
        await _until_ready(socket)
        question = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = await _ask(socket, "Runtime.evaluate", **question)
        assert "exceptionDetails" not in answer, answer
        return dict(answer["result"]["value"])


async def _until_ready(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Until the page is there: before, it is none that may see a camera."""
    is_there = "location.protocol === 'http:' && navigator.mediaDevices !== undefined"
    while True:
        answer = await _ask(socket, "Runtime.evaluate", expression=is_there)
        if answer["result"].get("value") is True:
            return
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _tab(folder: Path, url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    assert CHROMIUM is not None
    browser = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as session:
            debugger = await _debugger(session, folder, url)
            async with session.ws_connect(debugger, max_msg_size=0) as socket:
                yield socket
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()


async def _debugger(session: aiohttp.ClientSession, folder: Path, url: str) -> str:
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError, ValueError, IndexError, aiohttp.ClientError, StopIteration):
            port = int((folder / "DevToolsActivePort").read_text().split()[0])
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                return str(
                    next(tab["webSocketDebuggerUrl"] for tab in await answer.json() if tab["url"] == url)
                )
        await asyncio.sleep(0.1)
    raise AssertionError("Chromium did not start")


async def _ask(socket: aiohttp.ClientWebSocketResponse, method: str, **params: Any) -> dict[str, Any]:
    await socket.send_json({"id": 1, "method": method, "params": params})
    while True:
        message = json.loads(await socket.receive_str(timeout=DEADLINE_S))
        if message.get("id") == 1:
            assert "error" not in message, message
            return dict(message["result"])

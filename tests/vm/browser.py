"""A meeting's view of the webcam: Chromium's getUserMedia."""

import asyncio
import contextlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests import chromium

_IS_THERE = "location.protocol === 'http:' && navigator.mediaDevices !== undefined"
"""Before that a page may see no camera."""

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
    async with (
        asyncio.timeout(chromium.DEADLINE_S),
        chromium.browser(folder, "--use-fake-ui-for-media-stream") as socket,
    ):
        tab = chromium.Tab(socket)
        await tab.command("Page.navigate", url=url)
        await tab.until(_IS_THERE)
        return dict(await tab.value(script))

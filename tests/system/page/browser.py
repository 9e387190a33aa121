"""A real browser, driven through the DevTools protocol."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
]
DEADLINE_S = 180.0
PHONE, DESKTOP = (390, 844), (1280, 900)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium")


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)
        self.complaints: list[str] = []

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = json.loads(await self._socket.receive_str(timeout=DEADLINE_S))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.complaints.append(message["params"]["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))

    async def value(self, expression: str) -> Any:
        result = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str) -> None:
        """Poll until ``expression`` is true."""
        deadline = time.monotonic() + DEADLINE_S
        while not await self.value(expression):
            assert time.monotonic() < deadline, f"never true: {expression}; {self.complaints}"
            await asyncio.sleep(0.05)

    async def look(self, size: tuple[int, int], dark: bool = False) -> None:
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])

    async def key(self, name: str) -> None:
        code = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "Enter": 13, " ": 32, "Escape": 27}[name]
        text = {"Enter": "\r", " ": " "}.get(name, "")
        for kind in ("keyDown", "keyUp"):
            await self.command(
                "Input.dispatchKeyEvent",
                type=kind,
                key=name,
                code={" ": "Space"}.get(name, name),
                text=text if kind == "keyDown" else "",
                windowsVirtualKeyCode=code,
            )

    async def type(self, element_id: str, text: str) -> None:
        """Into a field, in place of what is there; and leave it."""
        await self.value(f"document.getElementById('{element_id}').focus()")
        await self.value(f"document.getElementById('{element_id}').select()")
        await self.command("Input.insertText", text=text)

    async def click(self, selector: str) -> None:
        """With the mouse, in the middle; whatever lies there gets it."""
        await self.value(f"document.querySelector(`{selector}`).scrollIntoView({{block: 'center'}})")
        box = await self.value(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector(`{selector}`).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.command(
                "Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1
            )

    async def choose_file(self, selector: str, path: Path) -> None:
        """As a person who picks a file in the browser's dialog."""
        root = (await self.command("DOM.getDocument"))["root"]["nodeId"]
        node = await self.command("DOM.querySelector", nodeId=root, selector=selector)
        await self.command("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(path)])

    async def screenshot(self, path: Path) -> None:
        shot = await self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def open_page(url: str) -> AsyncIterator[Tab]:
    """A browser of our own at ``url``, ended by its process group."""
    with tempfile.TemporaryDirectory(prefix="scrim-chromium-", ignore_cleanup_errors=True) as folder:
        assert CHROMIUM is not None
        browser = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C.UTF-8"},  # or it cannot open a file with an umlaut in its name
            start_new_session=True,
        )
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(await _debugger(session, Path(folder)), max_msg_size=0) as socket,
            ):
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await tab.command(f"{domain}.enable")
                await tab.look(DESKTOP)
                await tab.command("Page.navigate", url=url)
                await tab.until("document.getElementById('version') !== null")
                yield tab
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


async def _debugger(session: aiohttp.ClientSession, folder: Path) -> str:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError, IndexError, aiohttp.ClientError, StopIteration):
            port = int((folder / "DevToolsActivePort").read_text().split()[0])
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                return next(
                    tab["webSocketDebuggerUrl"] for tab in await answer.json() if tab["type"] == "page"
                )
        await asyncio.sleep(0.1)
    raise AssertionError("Chromium did not start")


Scenario = Callable[[Tab, str], Awaitable[None]]


def play(gateway: Any, path: Path, scenario: Scenario, settings: Any = None) -> None:
    """Run ``scenario`` in a browser that shows the page of a gateway for the core at ``path``."""

    async def go() -> None:
        async with asyncio.timeout(4 * DEADLINE_S), gateway(path, settings) as url, open_page(url) as tab:
            await scenario(tab, url)

    asyncio.run(go())


HAS_PICTURE = "((image) => image?.naturalWidth === 640 && !image.hidden)(document.getElementById('picture'))"
IS_READY = "document.getElementById('controls')?.disabled === false"


def text(element_id: str) -> str:
    return f"document.getElementById('{element_id}').textContent"


def shown(element_id: str) -> str:
    return f"document.getElementById('{element_id}').checkVisibility()"

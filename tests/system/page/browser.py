"""The page in a real browser: what a person does there."""

import asyncio
import base64
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests import chromium

DEADLINE_S = 180.0
PHONE, DESKTOP = (390, 844), (1280, 900)

needs_chromium = pytest.mark.skipif(
    chromium.CHROMIUM is None, reason="no Chromium: install the package chromium"
)


class Tab(chromium.Tab):
    """The page.

    Attributes:
        complaints: errors in its console.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket)
        self.complaints: list[str] = []

    def hear(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.complaints.append(message["params"]["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))

    def __str__(self) -> str:
        return str(self.complaints)

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
    """A browser of our own at ``url``."""
    with tempfile.TemporaryDirectory(prefix="scrim-chromium-", ignore_cleanup_errors=True) as folder:
        async with chromium.browser(Path(folder), "--hide-scrollbars") as socket:
            tab = Tab(socket)
            for domain in ("Page", "Runtime", "Log"):
                await tab.command(f"{domain}.enable")
            await tab.look(DESKTOP)
            await tab.command("Page.navigate", url=url)
            await tab.until("document.getElementById('version') !== null")
            yield tab


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

"""A real browser, driven through the DevTools protocol."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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
    "--remote-debugging-port=0",
)
DEADLINE_S = 300.0


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = json.loads(await self._socket.receive_str(timeout=DEADLINE_S))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self.hear(message)

    async def value(self, expression: str) -> Any:
        result = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str) -> None:
        """Poll until ``expression`` is true."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not await self.value(expression):
            assert time.monotonic() < deadline_s, f"never true: {expression}; {self}"
            await asyncio.sleep(0.05)

    def hear(self, message: dict[str, Any]) -> None:
        """What the browser says without being asked."""


@contextlib.asynccontextmanager
async def browser(folder: Path, *flags: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A browser of our own with an empty page, ended by its process group.

    Args:
        folder: for its profile.
        flags: besides ``FLAGS``.
    """
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"LC_ALL": "C.UTF-8"},  # or it cannot open a file with an umlaut in its name
        start_new_session=True,
    )
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _debugger(session, folder), max_msg_size=0) as socket,
        ):
            yield socket
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _debugger(session: aiohttp.ClientSession, folder: Path) -> str:
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError, ValueError, IndexError, aiohttp.ClientError, StopIteration):
            port = int((folder / "DevToolsActivePort").read_text().split()[0])
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                tabs = await answer.json()
                return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
        await asyncio.sleep(0.1)
    raise AssertionError("Chromium did not start")

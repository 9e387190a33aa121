"""The page in a real browser, driven through the DevTools protocol."""

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
from urllib.parse import quote

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
DEADLINE_S = 20.0
PHONE, DESKTOP = (390, 844), (1280, 900)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium")


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
        code = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "Enter": 13, " ": 32}[name]
        for kind in ("keyDown", "keyUp"):
            await self.command(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code
            )

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


def play(gateway: Any, path: Path, scenario: Scenario) -> None:
    """Run ``scenario`` in a browser that shows the page of a gateway for the core at ``path``."""

    async def go() -> None:
        async with asyncio.timeout(120), gateway(path) as url, open_page(url) as tab:
            await scenario(tab, url)

    asyncio.run(go())


HAS_PICTURE = (
    "!document.getElementById('picture').hidden && document.getElementById('picture').naturalWidth === 640"
)


def text(element_id: str) -> str:
    return f"document.getElementById('{element_id}').textContent"


def test_the_live_picture_and_the_state_are_shown(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.sinks = [
        {"name": "v4l2loopback:/dev/video10", "state": "open", "delivered": 5, "dropped": 1, "error": None},
        {"name": "file:/x.mkv", "state": "failed", "delivered": 0, "dropped": 0, "error": "no space left"},
    ]
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        await tab.until(f"{text('state-text')} === 'Background blurred'")
        shown = await tab.value("document.body.innerText")
        for word in (
            "30.0",
            "29.9",
            "21 ms",
            "person-256x144, int8",
            "LiteRT",
            "31 %",
            "142 MB",
            "v4l2:/dev/video0",
        ):
            assert word in shown
        for word in ("v4l2loopback:/dev/video10", "Open: 5 frames", "file:/x.mkv", "Failed", "no space left"):
            assert word in shown
        assert tab.complaints == []

    play(gateway, stand_in_core.path, scenario)


def test_the_page_survives_the_core_and_comes_back_by_itself(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        stand_in_core.stop()
        await tab.until(f"{text('state-text')} === 'scrim is not running'")
        assert await tab.value("document.getElementById('picture').hidden")
        assert await tab.value("document.getElementById('controls').disabled")
        assert await tab.value("document.getElementById('blank').innerText.includes('comes back by itself')")
        assert "30.0" not in await tab.value("document.querySelector('main').innerText")
        stand_in_core.start()
        stand_in_core.play()
        await tab.until(HAS_PICTURE)
        await tab.until("!document.getElementById('controls').disabled")
        assert tab.complaints == []

    play(gateway, stand_in_core.path, scenario)


def test_the_placeholder_says_why(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.state, stand_in_core.placeholder_reason = "placeholder", "camera_lost"

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(f"{text('state-text')} === 'Placeholder: camera is not available'")

    play(gateway, stand_in_core.path, scenario)


def test_a_plain_picture_is_a_warning(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.settings = stand_in_core.settings.patched({"effect": "off"})

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(f"{text('state-text')} === 'Plain picture: the room is visible'")
        assert await tab.value("document.getElementById('state').dataset.tone") == "bad"

    play(gateway, stand_in_core.path, scenario)


def test_off_with_a_placeholder_is_no_warning(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.settings = stand_in_core.settings.patched({"effect": "off"})
    stand_in_core.state, stand_in_core.placeholder_reason = "off", "effect_off"

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(f"{text('state-text')} === 'Off: a placeholder is shown'")

    play(gateway, stand_in_core.path, scenario)


def test_effects_are_chosen_and_sent_as_patches(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        async def click(selector: str, wanted: dict[str, Any]) -> None:
            await tab.value(f"document.querySelector(`{selector}`).click()")
            await tab.until(f"{text('saved')} === 'Applied.'")
            await tab.until(f"document.querySelector('[value={wanted_effect()}]').checked")
            assert stand_in_core.patches[-1] == wanted

        def wanted_effect() -> str:
            return stand_in_core.settings.effect

        await tab.until("!document.getElementById('controls').disabled")
        await click("[data-strength=high]", {"background_blur": {"strength": "high"}})
        await tab.until(f"{text('strength-text')} === 'high (30)'")
        color = await tab.value("document.getElementById('color').value")
        await click(
            "[name=effect][value=color]",
            {"effect": "color", "background_replacement": {"default_color": color}},
        )
        await click(
            "#swatches button",
            {"effect": "color", "background_replacement": {"default_color": "#0f766e"}},
        )
        await click("[name=effect][value=blur]", {"effect": "blur"})
        await click("[name=effect][value=off]", {"effect": "off"})

    play(gateway, stand_in_core.path, scenario)


def test_an_image_is_chosen_before_anything_is_sent(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until("!document.getElementById('controls').disabled")
        await tab.value("document.querySelector('[name=effect][value=image]').click()")
        await tab.until("document.getElementById('image').offsetParent !== null")
        assert stand_in_core.patches == []
        image = "file:/var/lib/scrim/backgrounds/shelf.jpg"
        await tab.value(
            f"document.getElementById('image').value = '{image}';"
            "document.getElementById('image-apply').click()"
        )
        await tab.until(f"{text('saved')} === 'Applied.'")
        assert stand_in_core.patches == [
            {"effect": "image", "background_replacement": {"background_image_url": image, "fit": "cover"}}
        ]

    play(gateway, stand_in_core.path, scenario)


def test_an_error_stands_at_its_field_and_nothing_typed_is_lost(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.settings = stand_in_core.settings.patched({"effect": "color", "color": "#336699"})

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until("document.getElementById('color-text').offsetParent !== null")
        await tab.value("document.getElementById('color-text').focus()")
        await tab.value("document.getElementById('color-text').select()")
        await tab.command("Input.insertText", text="ultraviolet")
        await tab.value("document.getElementById('color-apply').click()")
        await tab.until("!document.getElementById('color-error').hidden")
        assert "'ultraviolet': is not an opaque colour" in await tab.value(text("color-error"))
        assert await tab.value("document.getElementById('color-text').getAttribute('aria-invalid')") == "true"
        assert await tab.value("document.getElementById('color-text').value") == "ultraviolet"
        await tab.value("document.getElementById('color-text').select()")
        await tab.command("Input.insertText", text="teal")
        await tab.value("document.getElementById('color-apply').click()")
        await tab.until("document.getElementById('color-error').hidden")
        await tab.until(f"{text('saved')} === 'Applied.'")
        assert stand_in_core.settings.background_replacement.default_color == "#008080"

    play(gateway, stand_in_core.path, scenario)


def test_the_keyboard_reaches_and_works_everything(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until("document.querySelector('[name=effect]:checked') !== null")
        reached = []
        for _ in range(8):
            await tab.key("Tab")
            reached.append(
                await tab.value("document.activeElement.id || document.activeElement.textContent.trim()")
            )
        assert reached[0].startswith("Skip to")
        assert reached[2:6] == ["strength", "Low", "Medium", "High"]
        await tab.value("document.getElementById('strength').focus()")
        await tab.key("ArrowRight")
        await tab.until(f"{text('saved')} === 'Applied.'")
        assert stand_in_core.settings.background_blur.strength == 16
        await tab.value("document.querySelector('[name=effect]:checked').focus()")
        await tab.key("ArrowRight")
        await tab.until("document.querySelector('[value=image]').checked")

    play(gateway, stand_in_core.path, scenario)


def test_everything_has_a_name_for_a_screen_reader(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until("document.querySelector('[name=effect]:checked') !== null")
        tree = (await tab.command("Accessibility.getFullAXTree"))["nodes"]
        roles = {"button", "radio", "slider", "textbox", "combobox", "image", "link", "radiogroup"}
        nodes = [node for node in tree if not node["ignored"] and node["role"]["value"] in roles]
        named = {(node["role"]["value"], node["name"]["value"]) for node in nodes}
        assert ("radiogroup", "Background") in named
        assert ("slider", "Strength") in named
        assert {name for role, name in named if role == "radio"} == {"Blur", "Image", "Colour", "Off"}
        assert all(name for _, name in named), named

    play(gateway, stand_in_core.path, scenario)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP, (320, 640)], ids=str)
def test_nothing_is_cut_off_and_all_text_can_be_read(
    gateway: Any, stand_in_core: Any, size: tuple[int, int], dark: bool
) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.look(size, dark)
        await tab.until(HAS_PICTURE)
        assert await tab.value("document.documentElement.scrollWidth <= innerWidth")
        assert await tab.value(f"({CUT_OFF})()") == []
        await tab.until(f"({LOW_CONTRAST})().length === 0")
        width = await tab.value("document.getElementById('screen').getBoundingClientRect().width")
        assert width >= size[0] * (0.6 if size == DESKTOP else 0.99)

    play(gateway, stand_in_core.path, scenario)


# Whatever reaches out of its card, with the settings of every effect open at once.
CUT_OFF = """() => {
  for (const hidden of document.querySelectorAll(".pane, .error")) hidden.hidden = false;
  const right = (node) => node.getBoundingClientRect().right;
  const nodes = [...document.querySelectorAll(".card *, .strip *")].filter((node) => node.checkVisibility());
  const cut = nodes.filter((node) => right(node) > right(node.closest(".card, .strip")));
  return cut.map((node) => node.outerHTML);
}"""

# Text below 4.5 : 1 against the nearest ground behind it (WCAG 2.2, 1.4.3), as far as both are plain colours.
LOW_CONTRAST = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if ((color[3] ?? 1) === 1) return color;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.offsetParent || node.closest("svg, option, noscript, .unseen")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) bad.push(node.outerHTML);
  }
  return bad;
}"""


def test_a_hidden_tab_costs_no_encode(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        await tab.value(
            "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        deadline_s = time.monotonic() + DEADLINE_S
        while stand_in_core.feed.subscribers:
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.02)
        await tab.value("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
        await tab.until(HAS_PICTURE)

    play(gateway, stand_in_core.path, scenario)


def test_no_other_site_can_show_or_use_the_page(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        foreign = (
            f"<iframe src='{url}/'></iframe><img src='{url}/preview.mjpg' onerror='window.refused = true'>"
            f"<form method=post enctype=text/plain action='{url}/api/settings'>"
            """<input name='{"effect":"off","a":"' value='"}'></form>"""
        )
        await tab.command("Page.navigate", url="data:text/html," + quote(foreign))
        await tab.until("window.refused === true")
        sent = await tab.value(
            f"fetch('{url}/api/settings', {{method: 'POST', body: '{{}}', headers: "
            "{'X-Scrim': '1', 'Content-Type': 'application/json'}}).then(() => 'sent', () => 'refused')"
        )
        assert sent == "refused"
        await tab.value("document.forms[0].submit()")
        await tab.until(f"location.href === '{url}/api/settings'")
        assert stand_in_core.patches == []

    play(gateway, stand_in_core.path, scenario)

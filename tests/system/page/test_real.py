"""The page of a real scrim: a camera, a model, two processes, and a browser."""

import asyncio
from typing import Any

from .browser import DEADLINE_S, Tab, needs_chromium, open_page, text

pytestmark = needs_chromium

SMALL = ("--set", "camera.source=demo:", "--set", "camera.width=640", "--set", "camera.height=360")
CORNER = """(() => {
  const canvas = document.createElement("canvas");
  const image = document.getElementById("picture");
  canvas.width = canvas.height = 8;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 16, 16, 0, 0, 8, 8);
  return [...context.getImageData(4, 4, 1, 1).data];
})()"""
HAS_PICTURE = "document.getElementById('picture')?.naturalWidth === 640 && !picture.hidden"


async def shows(tab: Tab, rgb: tuple[int, int, int]) -> None:
    """Wait until the live picture's upper left, which nobody covers, has a colour."""
    async with asyncio.timeout(DEADLINE_S):
        while max(abs(one - other) for one, other in zip(await tab.value(CORNER), rgb, strict=False)) > 8:
            await asyncio.sleep(0.2)


def test_from_start_to_a_change_a_lost_core_and_back(real_scrim: Any) -> None:
    async def scenario(scrim: Any) -> None:
        async with asyncio.timeout(4 * DEADLINE_S), open_page(scrim.url) as tab:
            await tab.until(f"{text('state-text')} === 'Background blurred'")
            await tab.until(HAS_PICTURE)
            await tab.click("[name=effect][value=color]")
            await tab.until("document.querySelector('#swatches button')?.checkVisibility()")
            await tab.click("#swatches button[value='#0f766e']")
            await tab.until(f"{text('saved')} === 'Applied.'")
            await shows(tab, (0x0F, 0x76, 0x6E))
            await tab.click("#camera")
            await tab.until(f"{text('state-text')} === 'Camera is off'")
            await tab.click("#camera")
            await tab.until(f"{text('state-text')} === 'Background replaced'")
            scrim.core.terminate()  # not killed: what was changed in the last 10 s would not be remembered
            await tab.until(f"{text('state-text')} === 'scrim is not running'")
            scrim.restart_core()
            await tab.until(f"{text('state-text')} === 'Background replaced'")
            await tab.until(HAS_PICTURE)
            await shows(tab, (0x0F, 0x76, 0x6E))
            assert tab.complaints == []

    with real_scrim(*SMALL) as scrim:
        asyncio.run(scenario(scrim))

"""An audit of the page as it stands in the browser: audit.js, and Chromium's accessibility tree."""

import asyncio
import time
from pathlib import Path
from typing import Any

from .browser import DEADLINE_S, Tab

RULES = Path(__file__).with_name("audit.js").read_text().partition("\n")[2]

INTERACTIVE = {
    *("button", "checkbox", "combobox", "link", "listbox", "radio", "searchbox", "slider", "spinbutton"),
    *("switch", "textbox", "ColorWell", "DisclosureTriangle"),
}
"""Roles of Chromium's accessibility tree that a person can use."""

NAMED = INTERACTIVE | {"radiogroup", "dialog", "form", "image", "group", "region", "figure"}


async def faults(tab: Tab) -> dict[str, list[Any]]:
    """What is wrong with the page, by rule; not what is so for a moment only, while colours change."""
    deadline_s = time.monotonic() + DEADLINE_S / 3
    while found := await _faults(tab):
        if time.monotonic() > deadline_s:
            break
        await asyncio.sleep(0.2)
    return found


async def _faults(tab: Tab) -> dict[str, list[Any]]:
    found = await tab.value(f"({RULES})()")
    named = [node for node in await nodes(tab) if node["role"]["value"] in NAMED]
    found["everything that can be used has a name"] = [
        node["role"]["value"] for node in named if not node["name"]["value"].strip()
    ]
    return {name: wrong for name, wrong in found.items() if wrong}


async def nodes(tab: Tab) -> list[dict[str, Any]]:
    """The accessibility tree, without what is left out of it."""
    tree = (await tab.command("Accessibility.getFullAXTree"))["nodes"]
    return [node for node in tree if not node["ignored"]]

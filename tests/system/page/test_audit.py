"""The page for everybody: screen readers, keyboards, small windows, dark rooms, no motion."""

from typing import Any

import pytest

from .audit import INTERACTIVE, faults, nodes
from .browser import DESKTOP, HAS_PICTURE, IS_READY, PHONE, Tab, needs_chromium, play, text

pytestmark = needs_chromium

NARROW = (320, 640)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP, NARROW], ids=["phone", "desktop", "narrow"])
def test_every_pane_passes_the_audit(
    gateway: Any, stand_in_core: Any, size: tuple[int, int], dark: bool
) -> None:
    stand_in_core.sinks = [
        {"name": "file:/x.mkv", "state": "failed", "delivered": 0, "dropped": 0, "error": "no space left"}
    ]
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.look(size, dark)
        await tab.until(HAS_PICTURE)
        await tab.until("document.querySelectorAll('#gallery .tile').length > 6")
        width = await tab.value("document.getElementById('screen').getBoundingClientRect().width")
        assert width >= size[0] * (0.6 if size == DESKTOP else 0.99)
        for kind in ("blur", "image", "color", "off"):
            await tab.value(f"document.querySelector('[name=effect][value={kind}]').click()")
            await tab.until(f"document.querySelector('[data-pane={kind}]').checkVisibility()")
            assert await faults(tab) == {}, kind
        await tab.value("for (const node of document.querySelectorAll('.error')) node.hidden = false")
        await tab.value("document.getElementById('settings').open = true")
        await tab.until("document.querySelectorAll('#settings-form .setting').length > 10")
        await tab.value("document.getElementById('from-file').open = true")
        assert await faults(tab) == {}, "all settings"

    play(gateway, stand_in_core.path, scenario)


def test_a_screen_reader_is_told_what_everything_is(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        await tab.until("document.querySelector('#rate-line path')?.getAttribute('d').includes('L')")
        found = {(node["role"]["value"], node["name"]["value"]) for node in await nodes(tab)}
        assert {
            ("banner", ""),
            ("main", ""),
            ("contentinfo", ""),
            ("link", "Skip to the background"),
            ("region", "Live picture"),
            ("image", "Live picture, as others see it"),
            ("form", "Background"),
            ("radiogroup", "Background"),
            *(("radio", name) for name in ("Blur", "Picture", "Colour", "Off")),
            ("slider", "Strength"),
            ("spinbutton", "Strength as a number"),
            ("switch", "Camera"),
            ("image", "Frame rate, last two minutes: 30 to 30 fps"),
            ("region", "Outputs"),
            ("region", "Activity"),
            ("region", "Device"),
            ("button", "Mirror this view only"),
        } <= found
        status = [node for node in await nodes(tab) if node["role"]["value"] == "status"]
        assert len(status) >= 2
        said = await tab.value("document.getElementById('strength').getAttribute('aria-valuetext')")
        assert said == "15, medium"

    play(gateway, stand_in_core.path, scenario)


def test_an_error_is_told_with_its_field(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(IS_READY)
        await tab.type("strength-number", "200")
        await tab.key("Tab")
        await tab.until("!document.getElementById('strength-error').hidden")
        field = next(node for node in await nodes(tab) if node["name"]["value"] == "Strength as a number")
        told = {each["name"]: each["value"]["value"] for each in field["properties"]}
        assert told["invalid"] == "true"
        assert "out of range" in field["description"]["value"]

    play(gateway, stand_in_core.path, scenario)


FOCUSED = """(() => {
  const node = document.activeElement;
  const outlined = node.type === "radio" ? node.closest(".kind") : node;
  const { outlineStyle, outlineWidth } = getComputedStyle(outlined);
  return [node.id || node.value || node.dataset.id || node.textContent.trim(), node.tagName,
          outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
})()"""


def test_the_keyboard_alone_reaches_everything_in_order_and_is_always_seen(
    gateway: Any, stand_in_core: Any
) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        await tab.until("document.querySelector('[name=effect]:checked') !== null")
        reached = []
        for _ in range(40):
            await tab.key("Tab")
            name, tag, is_seen = await tab.value(FOCUSED)
            if tag == "BODY":
                break
            assert is_seen, name
            reached.append(name)
        assert reached == [
            *("Skip to the background", "mirror", "full", "camera", "blur", "strength-number", "strength"),
            *("Low", "Medium", "High", "activity"),
            reached[-1],
        ]
        assert reached[-1].startswith("All settings")
        usable = [node for node in await nodes(tab) if node["role"]["value"] in INTERACTIVE]
        radios = [node for node in usable if node["role"]["value"] == "radio"]
        # One stop for all four cards, one more for the list that scrolls.
        assert len(reached) == len(usable) - len(radios) + 1 + 1

    play(gateway, stand_in_core.path, scenario)


def test_the_keyboard_alone_does_everything(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        settings = lambda: stand_in_core.settings  # noqa: E731
        await tab.until(IS_READY)
        await tab.until("document.querySelectorAll('#gallery .tile').length > 6")
        await tab.value("document.getElementById('strength').focus()")
        await tab.key("ArrowRight")
        await tab.until(f"{text('saved')} === 'Applied.'")
        assert settings().background_blur.strength == 16
        await tab.value("document.querySelector('[name=effect]:checked').focus()")
        await tab.key("ArrowRight")
        await tab.until("document.querySelector('[data-pane=image]').checkVisibility()")
        while not await tab.value("document.activeElement.dataset.id?.startsWith('daylight')"):
            await tab.key("Tab")
        await tab.key("Enter")
        await tab.until("document.querySelector('#gallery [aria-pressed=true] .title')?.checkVisibility()")
        assert settings().effect == "image"
        await tab.until("document.activeElement.classList.contains('tile')")
        await tab.value("document.querySelector('[name=effect]:checked').focus()")
        await tab.key("ArrowRight")
        await tab.until("document.querySelector('[value=color]').checked")
        await tab.until(f"{text('saved')} === 'Applied.'")
        await tab.value("document.getElementById('camera').focus()")
        await tab.key(" ")
        await tab.until(f"{text('camera-state')} === 'Off'")
        assert not settings().camera.is_enabled

    play(gateway, stand_in_core.path, scenario)


def test_who_feels_motion_sees_none(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        moving = (
            "[...document.querySelectorAll('*')].filter((node) => { const style = getComputedStyle(node);"
            " return style.transitionDuration !== '0s' || style.animationName !== 'none'; }).length"
        )
        await tab.until(IS_READY)
        assert await tab.value(moving) > 0
        feature = {"name": "prefers-reduced-motion", "value": "reduce"}
        await tab.command("Emulation.setEmulatedMedia", features=[feature])
        assert await tab.value(moving) == 0

    play(gateway, stand_in_core.path, scenario)

"""The page: what it shows, what it sends, and how it takes a lost core."""

import asyncio
import time
from typing import Any
from urllib.parse import quote

from .browser import DEADLINE_S, HAS_PICTURE, IS_READY, PHONE, Tab, needs_chromium, open_page, play, text

SLIDE_MS = 200
"""So often the page sends where a slider is, while it moves."""

pytestmark = needs_chromium

APPLIED = f"{text('saved')} === 'Applied.'"


# What it shows


def test_the_live_picture_and_the_state_are_shown(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.sinks = [
        {"name": "v4l2loopback:/dev/video10", "state": "open", "delivered": 5, "dropped": 1, "error": None},
        {"name": "file:/x.mkv", "state": "failed", "delivered": 0, "dropped": 0, "error": "no space left"},
    ]
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        await tab.until(f"{text('state-text')} === 'Background blurred'")
        await tab.until("document.querySelector('#rate-line path')?.getAttribute('d').includes('L')")
        label = await tab.value("document.getElementById('rate-line').getAttribute('aria-label')")
        assert label == "Frame rate, last two minutes: 30 to 30 fps"
        said = await tab.value("document.body.innerText")
        for word in (
            *("29.9 fps", "21 ms", "person-256x144, int8", "LiteRT", "31 %", "142 MB", "v4l2:/dev/video0"),
            *("v4l2loopback:/dev/video10", "Open: 5 frames", "file:/x.mkv", "Failed", "no space left"),
            *("Capture", "6.8 ms", "scrim is running", "Full"),
        ):
            assert word in said, word
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
        assert await tab.value("document.getElementById('camera').disabled")
        assert await tab.value("document.getElementById('blank').innerText.includes('comes back by itself')")
        assert "29.9" not in await tab.value("document.querySelector('main#page').innerText")
        assert "scrim is not running" in await tab.value("document.getElementById('activity').innerText")
        stand_in_core.start()
        stand_in_core.play()
        await tab.until(HAS_PICTURE)
        await tab.until(IS_READY)
        assert tab.complaints == []

    play(gateway, stand_in_core.path, scenario)


def test_the_state_is_told_in_words(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        async def says(words: str, tone: str) -> None:
            await tab.until(f"{text('state-text')} === '{words}'")
            assert await tab.value("document.getElementById('state').dataset.tone") == tone

        stand_in_core.state, stand_in_core.placeholder_reason = "placeholder", "camera_lost"
        await says("Placeholder: camera is not available", "warn")
        stand_in_core.state, stand_in_core.placeholder_reason = "off", "effect_off"
        stand_in_core.settings = stand_in_core.settings.patched({"effect": "off"})
        await says("Off: a placeholder is shown", "wait")
        stand_in_core.state, stand_in_core.placeholder_reason = "running", None
        await says("Plain picture: the room is visible", "bad")
        stand_in_core.settings = stand_in_core.settings.patched({"effect": "color"})
        await says("Background replaced", "good")

    play(gateway, stand_in_core.path, scenario)


def test_what_happens_is_listed_the_newest_first(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(f"{text('activity')}.includes('scrim is running')")
        rows = "[...document.querySelectorAll('#activity li > span:nth-child(2)')].map((n) => n.textContent)"
        while "Camera is back" not in await tab.value(rows):
            for _ in range(3):
                stand_in_core.publish("filter_frame_duration_high")
            stand_in_core.publish("camera_lost")
            stand_in_core.publish("camera_back")
            await asyncio.sleep(0.2)
        await tab.until(f"{rows}.slice(0, 2).join() === 'Camera is back,Camera lost'")
        found = await tab.value(rows)
        assert any(row.startswith("Filtering a frame takes long (") for row in found)

    play(gateway, stand_in_core.path, scenario)


def test_two_viewers_see_the_same_and_each_the_other_s_change(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        async with open_page(url) as other:
            for each in (tab, other):
                await each.until(HAS_PICTURE)
            await tab.until("fetch('/api/status').then((r) => r.json()).then((a) => a.gateway.viewers === 2)")
            await tab.click("[data-strength=high]")
            await other.until("document.querySelector('[data-strength=high]').ariaPressed === 'true'")
            await other.click("[name=effect][value=color]")
            await tab.until("document.querySelector('[value=color]').checked")
            assert other.complaints == tab.complaints == []

    play(gateway, stand_in_core.path, scenario)


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


def test_the_view_is_mirrored_for_me_alone(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        is_mirrored = "getComputedStyle(document.getElementById('picture')).transform.startsWith('matrix(-1')"
        await tab.until(HAS_PICTURE)
        assert not await tab.value(is_mirrored)
        await tab.click("#mirror")
        assert await tab.value(is_mirrored)
        await tab.command("Page.reload")
        await tab.until(HAS_PICTURE)
        assert await tab.value(is_mirrored)
        assert stand_in_core.patches == []

    play(gateway, stand_in_core.path, scenario)


# What it sends


def test_effects_are_chosen_and_sent_as_patches(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        async def click(selector: str, wanted: dict[str, Any]) -> None:
            await tab.value("document.getElementById('saved').textContent = ''")
            await tab.click(selector)
            await tab.until(APPLIED)
            await tab.until(f"document.querySelector('[value={stand_in_core.settings.effect}]').checked")
            assert stand_in_core.patches[-1] == wanted

        await tab.until(IS_READY)
        await click("[data-strength=high]", {"background_blur": {"strength": "high"}})
        await tab.until("document.getElementById('strength-number').value === '30'")
        assert await tab.value(text("strength-name")) == "high"
        color = await tab.value("document.getElementById('color').value")
        await click(
            "[name=effect][value=color]",
            {"effect": "color", "background_replacement": {"default_color": color}},
        )
        await click(
            "#swatches button[value='#0f766e']",
            {"effect": "color", "background_replacement": {"default_color": "#0f766e"}},
        )
        fill = await tab.value("getComputedStyle(document.getElementById('card-color')).fill")
        assert fill == "rgb(15, 118, 110)"
        await click("[name=effect][value=blur]", {"effect": "blur"})
        await click("[name=effect][value=off]", {"effect": "off"})

    play(gateway, stand_in_core.path, scenario)


def test_a_slider_that_moves_is_followed_and_ends_where_it_was_left(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(IS_READY)
        took_ms = await tab.value(
            """(async () => {
              const began_ms = performance.now();
              const slider = document.getElementById("strength");
              for (let value = 20; value <= 50; value += 1) {
                slider.value = value;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                await new Promise((resolve) => setTimeout(resolve, 20));
              }
              slider.dispatchEvent(new Event("change", { bubbles: true }));
              return performance.now() - began_ms;
            })()"""
        )
        await tab.until("document.getElementById('strength-number').value === '50'")
        deadline_s = time.monotonic() + DEADLINE_S
        while stand_in_core.settings.background_blur.strength != 50:
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.02)
        sent = [patch["background_blur"]["strength"] for patch in stand_in_core.patches]
        assert sent[-1] == 50
        assert 1 < len(sent) <= 2 + took_ms / SLIDE_MS
        assert sent == sorted(sent)

    play(gateway, stand_in_core.path, scenario)


def test_the_camera_is_switched_off_and_on(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        is_on = "document.getElementById('camera').ariaChecked === 'true'"
        await tab.until(IS_READY)
        await tab.until(is_on)
        await tab.click("#camera")
        await tab.until(f"{text('state-text')} === 'Camera is off'")
        assert stand_in_core.patches == [{"camera": {"is_enabled": False}}]
        assert not await tab.value(is_on)
        assert await tab.value(text("camera-state")) == "Off"
        # Somebody else opens it again, and then the button on the device closes it.
        stand_in_core.handle("set", {"patch": {"camera": {"is_enabled": True}}})
        await tab.until(is_on)
        stand_in_core.closed_by = ["button"]
        await tab.until(f"{text('camera-note')} === 'Switched off by the button'")

    play(gateway, stand_in_core.path, scenario)


def test_an_error_stands_at_its_field_and_nothing_typed_is_lost(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.settings = stand_in_core.settings.patched({"effect": "color", "color": "#336699"})

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until("document.getElementById('color-text').offsetParent !== null")
        await tab.type("color-text", "ultraviolet")
        await tab.click("#color-apply")
        await tab.until("!document.getElementById('color-error').hidden")
        assert "'ultraviolet': is not an opaque colour" in await tab.value(text("color-error"))
        assert await tab.value("document.getElementById('color-text').getAttribute('aria-invalid')") == "true"
        assert await tab.value("document.getElementById('color-text').value") == "ultraviolet"
        await tab.type("color-text", "teal")
        await tab.key("Enter")
        await tab.until("document.getElementById('color-error').hidden")
        await tab.until(APPLIED)
        assert stand_in_core.settings.background_replacement.default_color == "#008080"
        await tab.click("[name=effect][value=blur]")
        await tab.until("document.getElementById('strength-number').offsetParent !== null")
        await tab.type("strength-number", "0")
        await tab.key("Tab")
        await tab.until("!document.getElementById('strength-error').hidden")
        assert "above 0 and up to 100" in await tab.value(text("strength-error"))
        assert stand_in_core.settings.background_blur.strength == "medium"

    play(gateway, stand_in_core.path, scenario)


def test_a_phone_keeps_the_picture_in_sight(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.look(PHONE)
        await tab.until(HAS_PICTURE)
        await tab.value("document.getElementById('background').scrollIntoView()")
        top, width, height = await tab.value(
            "(({top, width, height}) => [top, width, height])"
            "(document.getElementById('screen').getBoundingClientRect())"
        )
        assert (top, width) == (0, PHONE[0])
        assert 150 < height <= 0.46 * PHONE[1]
        await tab.click("[name=effect][value=color]")
        await tab.until(APPLIED)

    play(gateway, stand_in_core.path, scenario)


# Who may not


def test_no_other_site_can_show_or_use_the_page(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(HAS_PICTURE)
        foreign = (
            f"<iframe src='{url}/'></iframe><img src='{url}/preview.mjpg' onerror='window.refused = true'>"
            f"<img src='{url}/snapshot.jpg' onerror='window.refusedToo = true'>"
            f"<form method=post enctype=text/plain action='{url}/api/settings'>"
            """<input name='{"effect":"off","a":"' value='"}'></form>"""
        )
        await tab.command("Page.navigate", url="data:text/html," + quote(foreign))
        await tab.until("window.refused === true && window.refusedToo === true")
        for at in ("settings", "backgrounds", "restart", "login"):
            sent = await tab.value(
                f"fetch('{url}/api/{at}', {{method: 'POST', body: '{{}}', headers: "
                "{'X-Scrim': '1', 'Content-Type': 'application/json'}}).then(() => 'sent', () => 'refused')"
            )
            assert sent == "refused"
        await tab.value("document.forms[0].submit()")
        await tab.until(f"location.href === '{url}/api/settings'")
        assert stand_in_core.patches == []

    play(gateway, stand_in_core.path, scenario)


def test_nothing_comes_from_elsewhere_and_no_script_stands_in_the_page(
    gateway: Any, stand_in_core: Any
) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(IS_READY)
        loaded = await tab.value("performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert len(loaded) > 10
        assert [name for name in loaded if not name.startswith(url)] == []
        inline = "document.querySelectorAll('[style*=javascript], script:not([src]), style').length"
        assert await tab.value(inline) == 0
        injected = await tab.value(
            """new Promise((resolve) => {
              addEventListener("securitypolicyviolation", (event) => resolve(event.violatedDirective));
              const script = document.createElement("script");
              script.textContent = "window.injected = true";
              document.body.append(script);
            })"""
        )
        assert injected.startswith("script-src")
        assert not await tab.value("window.injected === true")

    play(gateway, stand_in_core.path, scenario)

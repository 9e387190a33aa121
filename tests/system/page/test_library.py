"""The library of pictures on the page: choosing, and every way by which a picture comes or is refused."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .browser import IS_READY, PHONE, Tab, needs_chromium, play, shown, text

pytestmark = needs_chromium

TITLES = "[...document.querySelectorAll('#gallery .title')].map((node) => node.textContent)"
CHOSEN = "document.querySelector('#gallery [aria-pressed=true] .title')?.textContent"
SHIPPED = ["Daylight", "Dunes", "Evening", "Forest", "Linen", "Studio"]


def picture(path: Path, shade: int = 90) -> Path:
    cv2.imwrite(str(path), np.full((90, 160, 3), (shade, 120, 60), np.uint8))
    return path


async def open_library(tab: Tab) -> None:
    await tab.until(IS_READY)
    await tab.click("[name=effect][value=image]")
    await tab.until(f"{TITLES}.length >= {len(SHIPPED)}")


def test_the_pictures_that_came_along_are_there_to_choose(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await open_library(tab)
        assert await tab.value(text("saved")) == "Choose a picture to apply."
        assert stand_in_core.patches == []
        assert await tab.value(TITLES) == SHIPPED
        await tab.until("[...document.querySelectorAll('#gallery img')].every((i) => i.naturalWidth === 320)")
        await tab.click("#gallery [data-id^=dunes]")
        await tab.until(f"{CHOSEN} === 'Dunes'")
        (patch,) = stand_in_core.patches
        assert patch["effect"] == "image"
        assert patch["background_replacement"]["background_image_url"].startswith("library:dunes-")
        assert await tab.value("document.getElementById('card-image').src.includes('/backgrounds/dunes-')")
        assert tab.complaints == []

    play(gateway, stand_in_core.path, scenario)


def test_a_picture_is_uploaded_shown_chosen_and_removed(
    gateway: Any, stand_in_core: Any, tmp_path: Path
) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await open_library(tab)
        await tab.choose_file("#file", picture(tmp_path / "Mein Büro.png"))
        await tab.until(f"{CHOSEN} === 'Mein Büro'")
        chosen = stand_in_core.settings.background_replacement.background_image_url
        assert chosen.startswith("library:mein-buro-")
        # In use it stays; once something else is chosen it can go, by the keyboard alone.
        await tab.value("document.querySelector('.remove').focus()")
        await tab.key("Enter")
        await tab.until("document.getElementById('question').open")
        await tab.value("document.getElementById('question-yes').focus()")
        await tab.key("Enter")
        await tab.until(f"{text('image-error')}.includes('choose another background first')")
        await tab.click("#gallery [data-id^=studio]")
        await tab.until(f"{CHOSEN} === 'Studio'")
        await tab.value("document.querySelector('.remove').focus()")
        await tab.key(" ")
        await tab.until("document.getElementById('question').open")
        await tab.key("Escape")
        await tab.until("!document.getElementById('question').open")
        assert "Mein Büro" in await tab.value(TITLES)
        await tab.key("Enter")
        await tab.until("document.getElementById('question').open")
        await tab.value("document.getElementById('question-yes').focus()")
        await tab.key("Enter")
        await tab.until(f"!{TITLES}.includes('Mein Büro')")
        await tab.until("document.activeElement.dataset.id === 'add'")
        assert await tab.value(text("saved")) == "Mein Büro was removed."

    play(gateway, stand_in_core.path, scenario)


def test_a_question_that_follows_another_at_once_is_answered(
    gateway: Any, stand_in_core: Any, tmp_path: Path
) -> None:
    """A browser tells of a dialog's close with the next frame it paints; another may be open by then."""

    async def scenario(tab: Tab, url: str) -> None:
        await open_library(tab)
        await tab.choose_file("#file", picture(tmp_path / "one.png"))
        await tab.until(f"{CHOSEN} === 'one'")
        await tab.click("#gallery [data-id^=studio]")
        await tab.until(f"{CHOSEN} === 'Studio'")
        await tab.value(
            "(() => { const [button, dialog] = [document.querySelector('.remove'), question];"
            " button.click(); dialog.close(); button.click(); })()"
        )
        await tab.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        await tab.click("#question-yes")
        await tab.until(f"!{TITLES}.includes('one')")
        await tab.until(f"{text('saved')} === 'one was removed.'")
        assert tab.complaints == []

    play(gateway, stand_in_core.path, scenario)


DROP = """async (kind, name, type, data, target) => {
  const transfer = new DataTransfer();
  if (name) transfer.items.add(new File([Uint8Array.from(data)], name, { type }));
  else transfer.setData("text/uri-list", data);
  const [event, key] = kind === "paste" ? [ClipboardEvent, "clipboardData"] : [DragEvent, "dataTransfer"];
  document.body.dispatchEvent(new event(kind, { bubbles: true, cancelable: true, [key]: transfer }));
}"""


def test_a_picture_is_dropped_or_pasted_anywhere(gateway: Any, stand_in_core: Any, tmp_path: Path) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(IS_READY)
        for kind, shade in (("drop", 10), ("paste", 200)):
            data = list(picture(tmp_path / f"{kind}.png", shade).read_bytes())
            await tab.value(f"({DROP})('dragenter', 'x.png', 'image/png', [])")
            assert await tab.value(shown("drop"))
            await tab.value(f"({DROP})('drop', 'nothing.txt', 'text/plain', [])")
            assert not await tab.value(shown("drop"))
            await tab.value(f"({DROP})('{kind}', '{kind}.png', 'image/png', {data})")
            await tab.until(f"{CHOSEN} === '{kind}'")
        await tab.value(f"({DROP})('drop', null, null, 'https://127.0.0.1/x.png')")
        await tab.until(f"{text('image-error')}.includes('127.0.0.1')")

    play(gateway, stand_in_core.path, scenario)


HOLD = """(() => {
    const real = window.fetch;
    window.released = new Promise((go) => { window.release = go; });
    window.fetch = async (address, options) => {
        const answer = await real(address, options);
        if (String(address).includes('/api/settings') && options?.method === 'POST') {
            const read = answer.text.bind(answer);
            answer.text = async () => {
                window.isAnswered = true;
                await window.released;
                const found = await read();
                setTimeout(() => { window.isHeard = true; }, 200);  // whoever waits for it has long gone on
                return found;
            };
        }
        return answer;
    };
})()"""
"""Holds back the answers to changes of settings until ``release()``."""


def test_the_answer_to_an_older_change_does_not_wipe_away_a_newer_error(
    gateway: Any, stand_in_core: Any
) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await open_library(tab)
        await tab.value(HOLD)
        await tab.click("#gallery [data-id^=linen]")
        await tab.until("window.isAnswered")
        await tab.value(f"({DROP})('drop', 'notes.txt', 'text/plain', [65])")
        await tab.until(f"{text('image-error')}.includes('notes.txt is not a picture')")
        await tab.value("window.release()")
        await tab.until("window.isHeard")
        assert "notes.txt is not a picture" in await tab.value(text("image-error"))

    play(gateway, stand_in_core.path, scenario)


def test_a_wrong_picture_is_refused_at_its_field_and_the_old_one_stays(
    gateway: Any, stand_in_core: Any, tmp_path: Path
) -> None:
    wrong = tmp_path / "holiday.png"
    wrong.write_bytes(b"<html>no picture at all</html>")
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (20_000).to_bytes(4, "big") * 2 + bytes(9))
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(8 * 2**20 + 1))
    text_file = tmp_path / "notes.txt"
    text_file.write_text("notes")

    async def scenario(tab: Tab, url: str) -> None:
        await open_library(tab)
        await tab.click("#gallery [data-id^=linen]")
        await tab.until(f"{CHOSEN} === 'Linen'")
        for path, said in (
            (wrong, "holiday: is not an image"),
            (bomb, "20000 x 20000"),
            (large, "larger than 8 MiB"),
            (text_file, "notes.txt is not a picture"),
        ):
            await tab.choose_file("#file", path)
            await tab.until(f"{text('image-error')}.includes('{said}')")
            assert await tab.value(CHOSEN) == "Linen"
            assert await tab.value("document.getElementById('image').ariaInvalid") == "true"
        for address, said in (
            ("https://127.0.0.1:1/x.png", "not one on the internet"),
            ("gopher://x/y", "not fetched"),
            ("file:/etc/passwd", "Allowed: "),
            ("", "Type the address"),
        ):
            await tab.type("image", address)
            await tab.click("#image-add")
            await tab.until(f"{text('image-error')}.includes('{said}')")
        assert await tab.value(TITLES) == SHIPPED
        assert await tab.value(CHOSEN) == "Linen"

    def refuse(method: str, params: dict[str, Any]) -> Any:
        from scrim.errors import ConfigError, Problem

        image = params.get("patch", {}).get("background_replacement", {}).get("background_image_url", "")
        if image.startswith("file:"):
            key = "background_replacement.background_image_url"
            raise ConfigError([Problem(key, image, "must be below the folder", "a picture there")])
        return handle(method, params)

    handle, stand_in_core.handle = stand_in_core.handle, refuse
    play(gateway, stand_in_core.path, scenario)


def test_a_picture_in_effect_that_is_not_of_the_library_is_shown_too(
    gateway: Any, stand_in_core: Any
) -> None:
    address = "https://example.org/rooms/sea%20side.jpg?size=large"
    stand_in_core.settings = stand_in_core.settings.patched({"effect": "image", "image": address})

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(f"{CHOSEN} === 'sea side.jpg'")
        assert not await tab.value("document.getElementById('card-image').checkVisibility()")

    play(gateway, stand_in_core.path, scenario)


def test_a_phone_uploads_too(gateway: Any, stand_in_core: Any, tmp_path: Path) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.look(PHONE)
        await open_library(tab)
        await tab.choose_file("#file", picture(tmp_path / "IMG_2034.jpg"))
        await tab.until(f"{CHOSEN} === 'IMG 2034'")

    play(gateway, stand_in_core.path, scenario)

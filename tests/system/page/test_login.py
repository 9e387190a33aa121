"""The page where a password is asked for."""

from pathlib import Path
from typing import Any

import pytest

from scrim.config import Settings
from scrim.gateway.web.login import TRIES

from .audit import faults
from .browser import HAS_PICTURE, PHONE, Tab, needs_chromium, play, shown, text

pytestmark = needs_chromium

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "password"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    return Settings().patched({"web": {"password_file": str(path)}})


async def sign_in(tab: Tab, password: str) -> None:
    await tab.until("document.activeElement.id === 'password'")
    await tab.type("password", password)
    await tab.key("Enter")


def test_nothing_is_shown_before_the_password_and_everything_after(
    gateway: Any, stand_in_core: Any, settings: Settings
) -> None:
    stand_in_core.play()

    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(shown("login-form"))
        assert not await tab.value(shown("page"))
        assert await tab.value("document.title") == "Sign in · scrim"
        assert stand_in_core.feed.subscribers == 0
        for size, dark in ((PHONE, True), ((1280, 900), False)):
            await tab.look(size, dark)
            assert await faults(tab) == {}
        await sign_in(tab, "wrong")
        await tab.until(f"{text('login-error')} === 'the password is wrong'")
        await sign_in(tab, PASSWORD)
        await tab.until(HAS_PICTURE)
        assert not await tab.value(shown("login-form"))
        assert await tab.value("document.cookie") == ""
        await tab.command("Page.reload")
        await tab.until(HAS_PICTURE)
        await tab.click("#log-out")
        await tab.until(shown("login-form"))
        while stand_in_core.feed.subscribers:
            await tab.value("1")

    play(gateway, stand_in_core.path, scenario, settings)


def test_who_guesses_is_told_how_long_to_wait(gateway: Any, stand_in_core: Any, settings: Settings) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await tab.until(shown("login-form"))
        for _ in range(TRIES):
            await sign_in(tab, "guess")
            await tab.until(f"{text('login-error')} === 'the password is wrong'")
            await tab.value("document.getElementById('login-error').textContent = ''")
        await sign_in(tab, PASSWORD)
        await tab.until(f"{text('login-error')}.includes('try again in')")

    play(gateway, stand_in_core.path, scenario, settings)

"""All settings on the page: the form that is made from their schema."""

from typing import Any

from scrim.config.schema import form_schema

from .browser import IS_READY, Tab, needs_chromium, play, text

pytestmark = needs_chromium


def live_keys() -> list[str]:
    found = []
    for section, schema in form_schema()["properties"].items():
        for key, leaf in schema.get("properties", {"": schema}).items():
            if leaf["isLive"]:
                found.append(f"{section}.{key}".rstrip("."))
    return found


def field(key: str) -> str:
    return f"setting-{key.replace('.', '-')}"


async def open_form(tab: Tab) -> None:
    await tab.until(IS_READY)
    await tab.click("#settings > summary")
    await tab.until(f"document.getElementById('{field('person.nobody')}')?.value === 'blur'")


async def error_at(tab: Tab, key: str) -> str:
    await tab.until(f"document.getElementById('{field(key)}-error').checkVisibility()")
    assert await tab.value(f"document.getElementById('{field(key)}').ariaInvalid") == "true"
    return str(await tab.value(text(f"{field(key)}-error")))


def test_every_setting_that_can_be_changed_now_has_a_field_and_every_other_is_told(
    gateway: Any, stand_in_core: Any
) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await open_form(tab)
        fields = "document.querySelectorAll('#settings-form :is(input, select)')"
        ids = await tab.value(f"[...{fields}].map((node) => node.id)")
        assert sorted(ids) == sorted(map(field, live_keys()))
        for described in await tab.value(f"[...{fields}].map((n) => n.getAttribute('aria-describedby'))"):
            hint, error = described.split()
            assert await tab.value(text(hint))
            assert await tab.value(text(error)) == ""
        await tab.click("#from-file > summary")
        told = await tab.value("document.getElementById('file-settings').innerText")
        assert "source\nauto" in told
        assert "allow_raw\nno" in told
        restart = await tab.value("document.querySelector('#from-file > summary').innerText")
        assert "in effect after a restart" in restart

    play(gateway, stand_in_core.path, scenario)


def test_each_kind_of_field_sends_what_was_chosen(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        async def sent(patch: dict[str, Any]) -> None:
            await tab.until(f"{text('settings-saved')} === 'Applied.'")
            assert stand_in_core.patches[-1] == patch
            await tab.value("document.getElementById('settings-saved').textContent = ''")

        await open_form(tab)
        await tab.click(f"#{field('framing.is_enabled')}")
        await sent({"framing": {"is_enabled": True}})
        await tab.type(field("framing.max_zoom"), "2.5")
        await tab.key("Tab")
        await sent({"framing": {"max_zoom": 2.5}})
        await tab.value(
            f"(node => {{ node.value = 'placeholder'; node.dispatchEvent(new Event('change')); }})"
            f"(document.getElementById('{field('person.nobody')}'))"
        )
        await sent({"person": {"nobody": "placeholder"}})
        for typed, value in (("high", "high"), ("12.5", 12.5)):
            await tab.type(field("background_blur.strength"), typed)
            await tab.key("Enter")
            await sent({"background_blur": {"strength": value}})
        await tab.type(field("processing_budget_per_frame"), "40")
        await tab.key("Tab")
        await sent({"processing_budget_per_frame": 40})
        await tab.type(field("framing.max_zoom"), "")
        await tab.command("Input.insertText", text="")
        await tab.value(f"document.getElementById('{field('framing.max_zoom')}').value = ''")
        await tab.value(
            f"document.getElementById('{field('framing.max_zoom')}').dispatchEvent(new Event('change'))"
        )
        await sent({"framing": {"max_zoom": None}})
        await tab.until(f"document.getElementById('{field('framing.max_zoom')}').value === '1.5'")

    play(gateway, stand_in_core.path, scenario)


def test_each_error_stands_at_its_field_and_what_was_typed_stays(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await open_form(tab)
        for key, typed, said in (
            ("background_blur.strength", "ultra", "low, medium, high"),
            ("framing.max_zoom", "9", "1 to 3"),
            ("background_replacement.default_color", "ultraviolet", "CSS colour name"),
            ("background_replacement.background_image_url", "nonsense", "https:"),
            ("reporting_period_ms", "0", "above 0"),
        ):
            await tab.type(field(key), typed)
            await tab.key("Tab")
            assert said in await error_at(tab, key)
            assert await tab.value(f"document.getElementById('{field(key)}').value") == typed
        await tab.click(f"#{field('background_replacement.is_enabled')}")
        assert "both are enabled" in await error_at(tab, "background_replacement.is_enabled")
        assert stand_in_core.settings.effect == "blur"
        await tab.type(field("framing.max_zoom"), "2")
        await tab.key("Tab")
        await tab.until(f"document.getElementById('{field('framing.max_zoom')}-error').hidden")
        assert stand_in_core.settings.framing.max_zoom == 2

    play(gateway, stand_in_core.path, scenario)


def test_what_waits_for_a_restart_is_told_at_its_field(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await open_form(tab)
        assert "after a restart" in await tab.value(text(f"{field('camera.width')}-hint"))
        assert "after a restart" not in await tab.value(text(f"{field('camera.mirror')}-hint"))
        stand_in_core.restart_needed = ["camera.width"]
        await tab.until(f"{text('waiting')} === 'camera.width: in effect after a restart.'")
        waits = "document.querySelectorAll('.setting.waiting input')"
        assert await tab.value(f"[...{waits}].map((input) => input.id)") == [field("camera.width")]
        assert await tab.value("document.getElementById('restart').classList.contains('primary')")
        stand_in_core.restart_needed = []
        await tab.until(f"{text('waiting')} === ''")

    play(gateway, stand_in_core.path, scenario)


def test_what_somebody_else_changes_is_shown(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(tab: Tab, url: str) -> None:
        await open_form(tab)
        stand_in_core.handle("set", {"patch": {"framing": {"max_zoom": 2.25}}})
        await tab.until(f"document.getElementById('{field('framing.max_zoom')}').value === '2.25'")
        await tab.click("[data-strength=low]")
        await tab.until(f"document.getElementById('{field('background_blur.strength')}').value === 'low'")

    play(gateway, stand_in_core.path, scenario)


def test_going_back_and_restarting_are_asked_about_first(gateway: Any, stand_in_core: Any) -> None:
    stand_in_core.settings = stand_in_core.settings.patched({"strength": 33})

    async def scenario(tab: Tab, url: str) -> None:
        async def answered(button: str, answer: str) -> None:
            await tab.click(f"#{button}")
            await tab.until("document.getElementById('question').open")
            await tab.click(f"#question [value={answer}]")
            await tab.until("!document.getElementById('question').open")

        await open_form(tab)
        for button in ("reset", "restart"):
            await answered(button, "no")
        assert not {"reset", "restart"} & set(stand_in_core.asked)
        await answered("reset", "yes")
        await tab.until(f"{text('settings-saved')} === 'The settings are as the file has them.'")
        await tab.until(f"document.getElementById('{field('background_blur.strength')}').value === 'medium'")
        await answered("restart", "yes")
        await tab.until(f"{text('settings-saved')} === 'scrim is starting again.'")
        assert stand_in_core.asked.count("reset") == stand_in_core.asked.count("restart") == 1

    play(gateway, stand_in_core.path, scenario)

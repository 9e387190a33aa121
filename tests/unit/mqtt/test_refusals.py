"""Each refusal has the code that docs/mqtt.md promises, as the real settings and the real core word it."""

import re
from pathlib import Path
from typing import Any

import pytest

from scrim.config import Settings
from scrim.decode import decode_bytes
from scrim.errors import ConfigError, ImageError, LocalError, Problem
from scrim.gateway.addresses import AddressRules
from scrim.gateway.images import ImageFetcher
from scrim.gateway.mqtt.own_values import check_image, checked_color, checked_groups, checked_interval
from scrim.gateway.mqtt.refusals import IMAGE_KEY, RefusalError, code_of, refusals

DOCUMENT = (Path(__file__).parents[3] / "docs" / "mqtt.md").read_text()


def codes(patch: dict[str, Any]) -> set[str]:
    with pytest.raises(ConfigError) as caught:
        Settings().patched(patch, live=True)
    return {refusal.code for refusal in refusals(caught.value)}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"efect": "blur"}, "unknown_field"),
        ({"background_blur": {"stength": 1}}, "unknown_field"),
        ({"background_blur": {"isEnabled": True, "is_enabled": True}}, "unknown_field"),
        ({"effect": "pixelate"}, "out_of_range"),
        ({"processing_budget_per_frame": 0}, "out_of_range"),
        ({"filter_cpu_utilization": 101}, "out_of_range"),
        ({"model": {"name": "../../etc/passwd"}}, "out_of_range"),
        ({"strength": "ultra"}, "invalid_strength"),
        ({"strength": 0}, "invalid_strength"),
        ({"color": "transparent"}, "invalid_color"),
        ({"background_replacement": {"is_enabled": True}}, "both_effects_enabled"),
        ({"effect": "color", "color": "red", "image": "https://a.example/b.jpg"}, "image_and_color"),
        ({"image": "ftp://a.example/b.jpg"}, "image_url_invalid"),
        ({"image": "https:///b.jpg"}, "image_url_invalid"),
        ({"image": "https://a.example/ b.jpg"}, "image_url_invalid"),
        ({"image": "http://a.example/b.jpg"}, "image_url_invalid"),
        ({"image": "data:nonsense"}, "image_url_invalid"),
        ({"image": "https://a.example/" + "b" * 5000}, "image_url_invalid"),
        ({"image": 7}, "image_url_invalid"),
        ({"privacy": {"allow_raw": True}}, "unsupported"),
        ({"camera": {"source": "test:"}}, "unsupported"),
        ({"sinks": ["file:/tmp/x.mkv"]}, "unsupported"),
        ({"keep": {"regions": [[0, 0, 1, 1]]}}, "unsupported"),
        ({"budget": {"reuse_masks": True}}, "unsupported"),
    ],
)
def test_settings(patch: dict[str, Any], code: str) -> None:
    assert codes(patch) == {code}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("the server answered 404 Not Found", "image_fetch_failed"),
        ("has no address", "image_fetch_failed"),
        ("scrim's gateway did not deliver it within 15 s", "image_fetch_failed"),
        ("must be below /var/lib/scrim/backgrounds; copy the image there", "image_url_invalid"),
    ],
)
def test_images_that_are_not_to_be_had(message: str, code: str) -> None:
    assert code_of(Problem(IMAGE_KEY, "https://a.example/b.jpg", message, "an image")) == code


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"no image", "image_decode_failed"), (b"\xff\xd8\xff" + bytes(9 << 20), "image_too_large")],
)
def test_images_that_cannot_be_decoded(data: bytes, code: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode_bytes(data, "b.jpg")
    message = str(caught.value).removeprefix("b.jpg: ")
    assert code_of(Problem(IMAGE_KEY, "https://a.example/b.jpg", message, "an image")) == code


def test_what_the_gateway_checks_itself() -> None:
    wrong = [
        (lambda: checked_color("transparent"), "invalid_color"),
        (lambda: checked_color(5), "invalid_color"),
        (lambda: checked_groups(["Office"]), "out_of_range"),
        (lambda: checked_groups(["office"] * 9), "out_of_range"),
        (lambda: checked_groups("office"), "out_of_range"),
        (lambda: checked_interval(1.9), "out_of_range"),
        (lambda: checked_interval(True), "out_of_range"),
        (lambda: checked_interval("10"), "out_of_range"),
        (lambda: check_image("file:/etc/passwd", allow_http=True), "image_url_invalid"),
        (lambda: check_image("http://a.example/b.jpg", allow_http=False), "image_url_invalid"),
        (lambda: check_image(5, allow_http=False), "image_url_invalid"),
    ]
    for check, code in wrong:
        with pytest.raises(ConfigError) as caught:
            check()
        assert refusals(caught.value)[0].code == code
    assert checked_color("Teal") == "#008080"
    assert checked_groups(["office", "floor-2"]) == ["office", "floor-2"]
    assert checked_interval(2) == 2.0
    check_image("http://a.example/b.jpg", allow_http=True)
    check_image("https://a.example/b.jpg", allow_http=False)


def test_the_core_s_own_words() -> None:
    def code(text: str) -> str:
        return refusals(LocalError(text))[0].code

    assert code("superseded by a later request; nothing of this one is in effect") == "busy"
    assert code("set: too many changes wait already; try again in a second") == "busy"
    assert code("if_revision = 3: revision 4 is in effect; read the settings again") == "rev_conflict"
    assert code("/run/scrim/core.sock: no core is listening") == "core_unavailable"
    assert "/run" not in refusals(LocalError("/run/scrim/core.sock: no core is listening"))[0].message


def test_every_code_is_in_the_document_and_no_other() -> None:
    section = DOCUMENT.partition("| code | means |")[2].partition("\n\n")[0]
    documented = {
        code for row in section.splitlines()[2:] for code in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    source = "".join(
        (Path(__file__).parents[3] / "daemon/scrim/gateway/mqtt" / f"{name}.py").read_text()
        for name in ("refusals", "requests", "commands", "shadow")
    )
    used = set(re.findall(r'"((?:[a-z]+_)+[a-z]+|busy|internal|unsupported)"', source)) & documented
    assert used == documented
    assert refusals(RefusalError("busy", "x"))[0].code == "busy"


def test_fetching_is_worded_as_told() -> None:
    """The fetcher's refusals by address and wording keep to the codes above."""
    import asyncio

    fetcher = ImageFetcher(AddressRules(()), allow_http=True)
    with pytest.raises(ImageError) as caught:
        asyncio.run(fetcher.fetch("http://127.0.0.1:9/x.jpg"))
    assert code_of(Problem(IMAGE_KEY, "x", str(caught.value).partition(": ")[2], "")) == "image_fetch_failed"

"""The settings document and its patches, line by line of what was promised."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from scrim.config import (
    LIVE_KEYS,
    MAX_SETTINGS_BYTES,
    EffectName,
    Settings,
    blur_sigma_px,
    from_document,
    load,
    strength_name,
    strength_number,
)
from scrim.config.document import live_keys_of
from scrim.core.capture.registry import make_source
from scrim.core.sinks.registry import make_sink
from scrim.errors import ConfigError, Problem
from scrim.frame import Caps
from scrim.patch import combine, merge, parse_assignment
from scrim.reference import as_toml

GOLDEN = Path(__file__).parents[1] / "golden"
SHIPPED = Path(__file__).parents[2] / "config" / "scrim.toml"
CSS_COLORS: dict[str, str] = json.loads((GOLDEN / "css_colors.json").read_text())
SIGMAS_PX: dict[str, int] = json.loads((GOLDEN / "blur_sigma.json").read_text())["sigma_px"]
IMAGE = "file:/usr/share/scrim/backgrounds/office.jpg"


def problems(call: Any, *arguments: Any, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    assert caught.value.exit_status == 78
    assert all(problem.allowed and problem.message for problem in caught.value.problems)
    return caught.value.problems


def keys(found: tuple[Problem, ...]) -> list[str]:
    return [problem.key for problem in found]


# Modes: blur, replacement or none; both is invalid.


def test_the_default_is_medium_blur():
    settings = Settings()
    assert settings.effect == "blur"
    assert settings.background_blur.strength == "medium"
    assert settings.privacy.allow_raw is False


def test_both_effects_enabled_names_both_keys():
    (problem,) = problems(Settings().patched, {"background_replacement": {"is_enabled": True}})
    assert "background_blur.is_enabled" in problem.key
    assert "background_replacement.is_enabled" in problem.key


@pytest.mark.parametrize("effect", ["off", "blur", "color"])
@pytest.mark.parametrize("before", ["off", "blur", "color", "image"])
def test_the_shorthand_switches_both_effects(before: str, effect: str):
    start = Settings().patched({"effect": before} | ({"image": IMAGE} if before == "image" else {}))
    settings = start.patched({"effect": effect})
    assert settings.effect == effect
    assert settings.background_blur.is_enabled is (effect == "blur")
    assert settings.background_replacement.is_enabled is (effect == "color")


def test_the_shorthand_for_an_image_names_it_or_takes_the_one_there_is():
    shown = Settings().patched({"effect": "image", "image": IMAGE})
    assert shown.effect == "image"
    assert shown.patched({"effect": "blur"}).patched({"effect": "image"}).effect == "image"


def test_the_shorthand_for_an_image_without_one_is_an_error():
    (problem,) = problems(Settings().patched, {"effect": "image"})
    assert "background_image_url" in problem.allowed


@pytest.mark.parametrize("effect", ["pixelate", "Blur", "", None, 1, True, ["blur"], {"blur": 1}])
def test_another_effect_is_an_error(effect: object):
    (problem,) = problems(Settings().patched, {"effect": effect})
    assert problem.key == "effect"
    assert problem.allowed == ", ".join(get_args(EffectName))


# Strength: three names or a number in (0, 100].


@pytest.mark.parametrize(("name", "number"), [("low", 7), ("medium", 15), ("high", 30)])
def test_a_strength_has_a_name_in_any_case(name: str, number: float):
    for spelled in (name, name.upper(), name.title()):
        settings = Settings().patched({"strength": spelled})
        assert settings.background_blur.strength == name
        assert strength_number(settings.background_blur.strength) == number


@pytest.mark.parametrize("number", [1e-300, 0.1, 1, 7, 15.5, 100])
def test_a_number_is_kept_as_a_number(number: float):
    kept = Settings().patched({"strength": number}).background_blur.strength
    assert isinstance(kept, float)
    assert kept == number


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -0.0,
        -1,
        101,
        100.0001,
        10**400,
        *map(float, ("nan", "inf", "-inf")),
        True,
        False,
        "ultra",
        "15",
        "",
    ],
)
def test_any_other_strength_is_an_error(wrong: object):
    (problem,) = problems(Settings().patched, {"strength": wrong})
    assert problem.key == "background_blur.strength"
    assert problem.allowed == "low, medium, high, or a number above 0 and up to 100"


@pytest.mark.parametrize(
    ("number", "name"), [(1, "low"), (7, "low"), (10, "low"), (12, "medium"), (22, "medium"), (23, "high")]
)
def test_a_number_s_nearest_name_is_known(number: float, name: str):
    assert strength_name(number) == name


# Strength to picture.


@pytest.mark.parametrize("at", SIGMAS_PX)
def test_sigma_is_the_sdk_s(at: str):
    strength, height = at.split("@")
    assert blur_sigma_px(float(strength), int(height)) == SIGMAS_PX[at]


def test_the_table_of_sigmas_is_whole():
    assert len(SIGMAS_PX) == 128


@pytest.mark.parametrize(("height", "sigmas_px"), [(720, (9, 20, 40)), (1080, (14, 30, 60))])
def test_the_named_strengths_mean_the_documented_sigmas(height: int, sigmas_px: tuple[int, ...]):
    named = tuple(blur_sigma_px(strength_number(name), height) for name in ("low", "medium", "high"))
    assert named == sigmas_px


# Replacement by colour or image.


@pytest.mark.parametrize("name", CSS_COLORS)
def test_every_css_colour_name_is_known_in_any_case(name: str):
    for spelled in (name, name.upper()):
        assert Settings().patched({"color": spelled}).background_replacement.default_color == CSS_COLORS[name]


def test_the_list_of_css_colours_is_whole():
    assert len(CSS_COLORS) == 148
    assert CSS_COLORS["teal"] == "#008080"
    assert CSS_COLORS["rebeccapurple"] == "#663399"


@pytest.mark.parametrize(
    ("spelled", "color"),
    [
        ("#A1b2C3", "#a1b2c3"),
        ("a1B2c3", "#a1b2c3"),
        ("#AbC", "#aabbcc"),
        ("aBc", "#aabbcc"),
        ("000000", "#000000"),
        (" teal ", "#008080"),
    ],
)
def test_the_hexadecimal_colours(spelled: str, color: str):
    assert Settings().patched({"color": spelled}).background_replacement.default_color == color


@pytest.mark.parametrize(
    "wrong",
    [
        *("transparent", "#12345678", "12345678", "#1234", "1234", "rgba(0,0,0,0)", "rgb(1,2,3)"),
        *("currentcolor", "tealish", "#gggggg", "#", "#12", "##abc", "ﬀﬀﬀ", "１２３", "x" * 100_000),
        *(0, 255, True, ["teal"]),
    ],
)
def test_alpha_and_every_other_colour_is_an_error(wrong: object):
    (problem,) = problems(Settings().patched, {"color": wrong})
    assert problem.key == "background_replacement.default_color"
    assert len(str(problem)) < 500


def test_image_and_colour_together_name_both_keys():
    (problem,) = problems(Settings().patched, {"image": IMAGE, "color": "teal"})
    assert "background_replacement.background_image_url" in problem.key
    assert "background_replacement.default_color" in problem.key


def test_naming_one_kind_of_replacement_drops_the_other():
    image = Settings().patched({"effect": "color", "color": "teal"}).patched({"image": IMAGE})
    assert image.effect == "image"
    assert image.background_replacement.default_color is None
    color = image.patched({"color": "teal"})
    assert color.effect == "color"
    assert color.background_replacement.background_image_url is None


def test_an_empty_image_leaves_the_colour():
    settings = Settings().patched({"effect": "color", "color": "teal"}).patched({"image": ""})
    assert settings.background_replacement.default_color == "#008080"


def test_neither_image_nor_colour_is_a_colour_too():
    settings = Settings().patched({"effect": "color"})
    assert settings.effect == "color"
    assert settings.background_replacement.default_color is None


@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
def test_the_fits(fit: str):
    assert Settings().patched({"fit": fit}).background_replacement.fit == fit


def test_cover_is_the_default_and_another_fit_is_an_error():
    assert Settings().background_replacement.fit == "cover"
    (problem,) = problems(Settings().patched, {"fit": "tile"})
    assert problem.allowed == "cover, contain or stretch"


# Patches.


def test_camel_case_and_snake_case_mean_the_same():
    camel = {
        "backgroundBlur": {"isEnabled": False, "strength": "high"},
        "backgroundReplacement": {"isEnabled": True, "defaultColor": "teal"},
    }
    snake = {
        "background_blur": {"is_enabled": False, "strength": "high"},
        "background_replacement": {"is_enabled": True, "default_color": "teal"},
    }
    assert Settings().patched(camel) == Settings().patched(snake)
    url = Settings().patched({"backgroundReplacement": {"backgroundImageURL": IMAGE}})
    assert url.background_replacement.background_image_url == IMAGE


def test_a_key_in_both_spellings_is_an_error():
    patch = {"backgroundBlur": {"strength": "low"}, "background_blur": {"strength": "high"}}
    (problem,) = problems(Settings().patched, patch)
    assert problem.key == "background_blur"


def test_none_sets_a_key_or_a_section_back():
    changed = Settings().patched({"strength": 3, "effect": "color", "color": "teal"})
    assert changed.patched({"background_blur": {"strength": None}}).background_blur.strength == "medium"
    assert changed.patched({"color": None}).background_replacement.default_color is None
    whole = changed.patched({"background_blur": None, "background_replacement": None})
    assert whole == Settings()


def local_keys() -> list[str]:
    """Every key that only the local file may have, sections that are its alone as one."""
    found = []
    for section in sorted(Settings.model_fields.keys() - LIVE_KEYS):
        live = live_keys_of(section)
        keys = type(getattr(Settings(), section)).model_fields if live else ()
        found += [f"{section}.{key}" for key in sorted(keys) if key not in live] or [section]
    return found


@pytest.mark.parametrize("key", local_keys())
def test_a_live_patch_may_not_touch_local_keys(key: str):
    section, _, inner = key.partition(".")
    value = getattr(Settings(), section)
    if inner:
        value = {inner: getattr(value, inner)}
    elif not isinstance(value, tuple):
        value = value.model_dump()
    (problem,) = problems(Settings().patched, {section: value}, live=True)
    assert problem.key == key
    assert "local settings file" in problem.message


def test_a_section_that_is_live_in_part_is_not_reset_as_a_whole():
    (problem,) = problems(Settings().patched, {"camera": None}, live=True)
    assert problem.key == "camera"


def test_an_unknown_key_beside_live_ones_is_unknown_and_not_local():
    (problem,) = problems(Settings().patched, {"camera": {"isEnabeld": False}}, live=True)
    assert "did you mean is_enabled?" in str(problem)


def test_the_camera_may_be_switched_off_and_on_live():
    off = Settings().patched({"camera": {"isEnabled": False}}, live=True)
    assert not off.camera.is_enabled
    assert off.patched({"camera": {"is_enabled": None}}, live=True) == Settings()


def test_raw_cannot_be_allowed_live_in_any_spelling():
    for patch in ({"privacy": {"allow_raw": True}}, {"Privacy": {"allowRaw": True}}, {"privacy": None}):
        assert problems(Settings().patched, patch, live=True)


def test_a_live_patch_lists_local_and_wrong_keys_together():
    patch = {"camera": {"source": "test:"}, "strength": 0, "effect": "pixelate"}
    assert set(keys(problems(Settings().patched, patch, live=True))) == {
        "camera.source",
        "background_blur.strength",
        "effect",
    }


def test_an_invalid_patch_changes_nothing():
    settings = Settings()
    before = settings.model_dump()
    problems(settings.patched, {"strength": "low", "color": "transparent"})
    assert settings.model_dump() == before


# All mistakes at once.

TEN_MISTAKES: dict[str, Any] = {
    "camera": {"width": 641, "height": 10, "source": "webcam", "framerate": 25},
    "model": {"form": "int4", "threads": True},
    "background_blur": {"strength": "ultra"},
    "background_replacement": {"default_color": "transparent", "fit": "tile"},
    "sinks": ["printer:"],
}


def test_ten_mistakes_are_ten_problems_with_key_value_and_allowed():
    found = problems(from_document, TEN_MISTAKES)
    assert set(keys(found)) == {
        "camera.width",
        "camera.height",
        "camera.source",
        "camera.framerate",
        "model.form",
        "model.threads",
        "background_blur.strength",
        "background_replacement.default_color",
        "background_replacement.fit",
        "sinks.0",
    }
    text = str(ConfigError(found, "x.toml"))
    assert text.startswith("x.toml: 10 problems")
    for value in ("641", "10", "'webcam'", "25", "'int4'", "true", "'ultra'", "'transparent'", "'printer:'"):
        assert value in text
    assert text.count("(allowed: ") == 10
    assert len(text.splitlines()) == 11


def test_contradictions_are_listed_beside_other_mistakes():
    document = {
        "background_blur": {"is_enabled": True, "strength": 0},
        "background_replacement": {
            "is_enabled": True,
            "background_image_url": IMAGE,
            "default_color": "teal",
            "fit": "tile",
        },
        "web": {"port": 65536},
    }
    found = problems(from_document, document)
    assert len(found) == 5
    assert sum(" and " in key for key in keys(found)) == 2


def test_an_unknown_key_suggests_a_known_one():
    (problem,) = problems(from_document, {"background_blur": {"strenght": 7}})
    assert "did you mean strength?" in problem.message
    (problem,) = problems(from_document, {"bakground_blur": {"strength": 7}})
    assert "did you mean background_blur?" in problem.message
    (problem,) = problems(from_document, {"qqq": 1})
    assert "did you mean" not in problem.message
    assert "background_blur" in problem.allowed


@pytest.mark.parametrize(
    "section", [name for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)]
)
def test_a_section_that_is_none_is_one_problem(section: str):
    (problem,) = problems(from_document, {section: 5})
    assert problem.key == section


# Sources and sinks are the ones there are.


@pytest.mark.parametrize(
    "url", ["auto", "demo:", "test:", "picamera:0", "v4l2:/dev/video0", "file:/x.mp4", "file:x.png", "test"]
)
def test_a_source_in_the_settings_is_one_that_can_be_made(url: str):
    assert Settings().patched({"camera": {"source": url}}).camera.source == url
    make_source(url, Caps(64, 64, 30))


@pytest.mark.parametrize("url", ["v4l2loopback:/dev/video10", "file:out.mkv", "images:/folder", "memory:"])
def test_a_sink_in_the_settings_is_one_that_can_be_made(url: str):
    assert Settings().patched({"sinks": [url]}).sinks == (url,)
    make_sink(url)


@pytest.mark.parametrize("url", ["", "usb", "v4l2:video0", "picamera:front", "file:", "rtsp://x/y", "auto:x"])
def test_another_source_is_an_error(url: str):
    (problem,) = problems(Settings().patched, {"camera": {"source": url}})
    assert problem.key == "camera.source"


@pytest.mark.parametrize("url", ["", "v4l2loopback:video10", "file:", "rtmp://x", "memory:x", 7])
def test_another_sink_is_an_error(url: object):
    (problem,) = problems(Settings().patched, {"sinks": [url]})
    assert problem.key == "sinks.0"
    assert "v4l2loopback" in problem.allowed


# The file.


def test_the_shipped_file_is_the_defaults_and_the_reference():
    assert load(SHIPPED) == Settings()
    assert SHIPPED.read_text() == as_toml(Settings())


def test_an_empty_file_is_the_defaults(tmp_path: Path):
    path = tmp_path / "x.toml"
    path.write_text("")
    assert load(path) == Settings()


def write_file(folder: Path, content: bytes) -> Path:
    path = folder / "x.toml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"[camera",
        b"width = 640\nwidth = 640",
        b"\xff\xfe",
        b"# caf\xe9",
        b"\x00",
        b"x = " + b"[" * 50_000,
        b"x = " + b"{a=" * 50_000,
        b"x = " + b"1" * 5000,
        b"a." * 20_000 + b"a = 1",
        b"[" + b"a." * 20_000 + b"a]",
        b"x = 1" + b" " * MAX_SETTINGS_BYTES,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_file_that_is_no_settings_is_one_clear_problem(tmp_path: Path, content: bytes):
    path = write_file(tmp_path, content)
    (problem,) = problems(load, path)
    assert len(str(problem)) < 600


def test_a_file_just_below_the_limit_is_read(tmp_path: Path):
    assert load(write_file(tmp_path, b"#" * MAX_SETTINGS_BYTES)) == Settings()


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path):
    for path in (tmp_path / "none.toml", tmp_path):
        (problem,) = problems(load, path)
        assert problem.key == str(path)


def test_the_file_s_name_stands_above_its_mistakes(tmp_path: Path):
    path = write_file(tmp_path, b"[web]\nport = -1\n")
    with pytest.raises(ConfigError, match=r"x\.toml: 1 problem\n  web\.port = -1"):
        load(path)


# Properties.

text = st.text(st.characters(codec="utf-8"), max_size=20)
file_url = st.text("abcxyz-_", min_size=1).map("file:/var/lib/scrim/backgrounds/{}.jpg".format)
paths = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\x85\u2028\u2029"), min_size=1, max_size=9
)
strengths = st.sampled_from(["low", "medium", "high"]) | st.floats(0, 100, exclude_min=True)
colors = st.sampled_from(sorted(CSS_COLORS)) | st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)
sections: dict[str, st.SearchStrategy[Any]] = {
    "camera": st.fixed_dictionaries(
        {},
        optional={
            "source": st.sampled_from(["auto", "test:", "picamera:1"])
            | paths.map(lambda path: "file:" + path),
            "width": st.integers(32, 2048).map(lambda half: 2 * half),
            "height": st.integers(32, 2048).map(lambda half: 2 * half),
            "frame_rate": st.floats(1, 120),
        },
    ),
    "background_blur": st.fixed_dictionaries(
        {}, optional={"is_enabled": st.just(False), "strength": strengths}
    ),
    "background_replacement": st.fixed_dictionaries(
        {},
        optional={"background_image_url": file_url, "fit": st.sampled_from(["cover", "contain", "stretch"])},
    )
    | st.fixed_dictionaries({"default_color": colors}),
    "matte": st.fixed_dictionaries({}, optional={"refine": st.booleans(), "smooth": st.booleans()}),
    "privacy": st.fixed_dictionaries({"allow_raw": st.booleans()}),
    "sinks": st.lists(paths.map(lambda path: "file:" + path), max_size=3),
    "web": st.fixed_dictionaries({}, optional={"port": st.integers(0, 65535), "host": text}),
}
patches = st.fixed_dictionaries({}, optional=sections)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [*Settings.model_fields, "effect", "strength", "color", "image", "fit", "backgroundBlur"]
)
wild_patches = st.dictionaries(names | st.text(max_size=5), anything, max_size=4)


@given(patches)
def test_what_show_config_prints_is_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, patch: Any):
    settings = Settings().patched(patch)
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_bytes(as_toml(settings).encode())
    assert load(path) == settings


@given(patches, patches)
def test_patching_leaves_the_original_and_is_idempotent(first: Any, second: Any):
    settings = Settings().patched(first)
    before = settings.model_dump_json()
    once = settings.patched(second)
    assert settings.model_dump_json() == before
    assert once.patched(second) == once


@given(patches, patches)
def test_merging_is_idempotent_and_touches_nothing(base: Any, changes: Any):
    copies = json.dumps([base, changes])
    merged = merge(base, changes)
    assert merge(merged, changes) == merged
    assert json.dumps([base, changes]) == copies


@given(wild_patches, st.booleans())
def test_any_patch_gives_settings_or_a_config_error(patch: Any, live: bool):
    settings = Settings()
    changed = settings
    with contextlib.suppress(ConfigError):
        changed = settings.patched(patch, live=live)
    assert from_document(changed.model_dump()) == changed
    assert not live or changed.privacy == settings.privacy
    assert settings == Settings()


# Assignments on the command line.


@pytest.mark.parametrize(
    ("text", "patch"),
    [
        ("effect=blur", {"effect": "blur"}),
        ("camera.width=640", {"camera": {"width": 640}}),
        ("background_blur.strength = 7.5", {"background_blur": {"strength": 7.5}}),
        ("matte.refine=false", {"matte": {"refine": False}}),
        ('sinks=["file:/a=b.mkv"]', {"sinks": ["file:/a=b.mkv"]}),
        ("color=#abc", {"color": "#abc"}),
        ("image=", {"image": ""}),
        ("web.port=" + "1" * 5000, {"web": {"port": "1" * 5000}}),
        ("color=" + "[" * 50_000, {"color": "[" * 50_000}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_assignment_is_a_patch(text: str, patch: dict[str, Any]):
    assert parse_assignment(text) == patch


@pytest.mark.parametrize("text", ["effect", "=blur", ".a=1", "a..b=1", "", "a." * 5000 + "a=1"])
def test_what_is_no_assignment_says_so(text: str):
    (problem,) = problems(parse_assignment, text)
    assert problem.key == "--set"


def test_assignments_are_checked_together():
    texts = ["effect=image", f"image={IMAGE}", "backgroundBlur.strength=low", "background_blur.strength=high"]
    settings = Settings().patched(combine(map(parse_assignment, texts)))
    assert settings.effect == "image"
    assert settings.background_blur.strength == "high"


def test_the_manual_pages_are_up_to_date():
    root = SHIPPED.parents[1]
    paths = [str(root / "scripts"), str(root / "daemon")]
    program = (
        f"import sys; sys.path[:0] = {paths}; from man_build.cli import main; sys.exit(main(['--check']))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.stderr == ""

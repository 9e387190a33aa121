"""The settings of the two software kits that scrim follows: taken or refused, case by case."""

import json
from math import inf, nan
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scrim.config import STRENGTHS, Settings
from scrim.core.look import prepare_look
from scrim.errors import ConfigError, ImageError

GOLDEN = Path(__file__).parents[1] / "golden"
V2_CASES: list[dict[str, Any]] = json.loads((GOLDEN / "v2_settings.json").read_text())["cases"]
OPTIONS: list[dict[str, Any]] = json.loads((GOLDEN / "filter_events.json").read_text())["resolveOptions"]


def patch_of(case: dict[str, Any]) -> dict[str, Any]:
    """The case as the kit writes it: a colour alone stands for a replacement by it."""
    if "patch" in case:
        return dict(case["patch"])
    replacement = {"isEnabled": True, "defaultColor": case["color"]}
    return {"backgroundBlur": {"isEnabled": False}, "backgroundReplacement": replacement}


def is_taken(patch: dict[str, Any], folder: Path) -> bool:
    """Whether everything a change needs can be made ready."""
    (folder / "there.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    text = json.dumps(patch)
    text = text.replace("IMAGE", f"file:{folder}/there.png").replace("MISSING", f"file:{folder}/none.png")
    try:
        prepare_look(Settings().patched(json.loads(text), live=True), (64, 48), 2, (folder,))
    except (ConfigError, ImageError):
        return False
    return True


@pytest.mark.parametrize("case", V2_CASES, ids=lambda case: json.dumps(patch_of(case))[-80:])
def test_the_v2_settings_are_taken_or_refused(case: dict[str, Any], tmp_path: Path) -> None:
    assert is_taken(patch_of(case), tmp_path) is case["scrim"]


def test_every_v2_setting_that_differs_has_a_reason() -> None:
    assert len(V2_CASES) == 34
    for case in V2_CASES:
        assert (case["sdk"] != case["scrim"]) == ("why" in case)


# The budget: v2 takes 0, NaN and any text too.


@pytest.mark.parametrize("percent", [1, 1.5, 50, 99.9, 100])
def test_a_budget_from_1_to_100_percent_is_taken(percent: float) -> None:
    for name in ("processing_budget_per_frame", "processingBudgetPerFrame"):
        assert Settings().patched({name: percent}, live=True).processing_budget_per_frame == percent


def test_half_the_frame_interval_is_the_default_budget() -> None:
    assert Settings().processing_budget_per_frame == 50
    changed = Settings().patched({"processing_budget_per_frame": 20.0})
    assert changed.patched({"processing_budget_per_frame": None}).processing_budget_per_frame == 50


@pytest.mark.parametrize("wrong", [-1, -0.001, 0, 0.999, 100.0001, 101, nan, inf, "50", "abc", True, [50]])
def test_any_other_budget_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings().patched({"processing_budget_per_frame": wrong})
    (problem,) = caught.value.problems
    assert problem.key == "processing_budget_per_frame"
    assert problem.allowed == "1 to 100"


V1_KEYS = {
    "blurStrength": ("strength", lambda settings: settings.background_blur.strength),
    "filterCPUUtilization": ("filterCPUUtilization", lambda settings: settings.filter_cpu_utilization),
    "reportingPeriodMillis": ("reportingPeriodMillis", lambda settings: settings.reporting_period_ms),
}


@pytest.mark.parametrize("case", OPTIONS, ids=lambda case: json.dumps(case["in"]))
def test_the_v1_options_are_taken_or_refused(case: dict[str, Any]) -> None:
    """What v1 takes within the range is taken, null is the default; what it replaces is refused."""
    for key, value in case["in"].items():
        name, read = V1_KEYS[key]
        if (value is not None and value <= 0) or case["out"][key] != value is not None:
            with pytest.raises(ConfigError):
                Settings().patched({name: value})
        else:
            changed = read(Settings().patched({name: value}))
            assert STRENGTHS.get(changed, changed) == case["out"][key]


def test_the_v1_defaults() -> None:
    settings, taken = Settings(), OPTIONS[0]["out"]
    assert STRENGTHS[str(settings.background_blur.strength)] == taken["blurStrength"] == 15
    assert settings.filter_cpu_utilization == taken["filterCPUUtilization"] == 30
    assert settings.reporting_period_ms == taken["reportingPeriodMillis"] == 1000


def test_the_three_strengths() -> None:
    assert STRENGTHS == {"low": 7, "medium": 15, "high": 30}


@pytest.mark.parametrize("patch", [{"backgroundBlur": {"isEnabled": True}}, {"effect": "blur"}])
def test_only_the_shorthand_switches_the_other_effect_off(patch: dict[str, Any]) -> None:
    replaced = Settings().patched({"effect": "color", "color": "teal"})
    if "effect" in patch:
        assert replaced.patched(patch).effect == "blur"
    else:
        with pytest.raises(ConfigError, match=r"background_blur\.is_enabled and background_replacement"):
            replaced.patched(patch)

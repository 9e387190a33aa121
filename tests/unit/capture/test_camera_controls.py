"""camera.controls: what is set on the camera, in which order, and what a refusal says."""

import errno
from dataclasses import replace

import pytest

from scrim.config import ControlValue
from scrim.core.capture.camera_controls import apply, ranges
from scrim.core.node_controls import Control, spelled
from scrim.core.videodev2_fake import FakeCamera

BRIGHTNESS = Control(0x980901, "brightness", "integer", 0, 255, 1, 128, 128)
GAIN = Control(0x980902, "gain", "integer", 10, 100, 10, 50, 50)
FLICKER = Control(
    0x980903, "power_line_frequency", "menu", 0, 2, 1, 1, 1, {0: "Disabled", 1: "50 Hz", 2: "60 Hz"}
)
FOCUS_AUTO = Control(0x980905, "focus_automatic_continuous", "boolean", 0, 1, 1, 1, 1)
FOCUS = Control(0x980904, "focus_absolute", "integer", 0, 250, 5, 0, 0)
SHUTTER = Control(0x980906, "privacy", "boolean", 0, 1, 1, 0, 0, is_fixed=True)


class OneShotCamera(FakeCamera):
    """Its focus can be set only after the automatic was switched off, as of real cameras."""

    def controls(self) -> list[Control]:
        is_automatic = bool(self.values[FOCUS_AUTO.number])
        return [
            replace(control, is_inactive=is_automatic) if control.number == FOCUS.number else control
            for control in super().controls()
        ]


def camera() -> FakeCamera:
    node = OneShotCamera({}, lambda *_: b"")
    return node.with_controls(BRIGHTNESS, GAIN, FLICKER, FOCUS, FOCUS_AUTO, SHUTTER)


@pytest.mark.parametrize(
    ("name", "value", "number", "becomes"),
    [
        ("brightness", 0, 0x980901, 0),
        ("brightness", 255, 0x980901, 255),
        ("brightness", 12.0, 0x980901, 12),
        ("gain", 30, 0x980902, 30),
        ("power_line_frequency", 2, 0x980903, 2),
        ("power_line_frequency", "60 hz", 0x980903, 2),
        ("focus_automatic_continuous", False, 0x980905, 0),
        ("focus_automatic_continuous", 1, 0x980905, 1),
    ],
)
def test_a_value_is_set(name: str, value: ControlValue, number: int, becomes: int) -> None:
    node = camera()
    assert apply(node, {name: value}) == []
    assert node.values[number] == becomes


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "brightness",
            256,
            "camera.controls.brightness = 256: not a value of it; allowed: 0 to 255 (default 128)",
        ),
        ("brightness", "high", "allowed: 0 to 255"),
        ("brightness", True, "camera.controls.brightness = true"),
        ("brightness", 1.5, "allowed: 0 to 255"),
        ("gain", 35, "allowed: 10 to 100 in steps of 10"),
        (
            "power_line_frequency",
            "55 Hz",
            'allowed: "Disabled" or 0, "50 Hz" or 1, "60 Hz" or 2 (default "50 Hz")',
        ),
        ("power_line_frequency", 3, '"60 Hz" or 2'),
        ("focus_automatic_continuous", 2, "allowed: true or false (default true)"),
        ("focus_absolute", 100, "switch the automatic one off"),
        ("privacy", True, "it can only be read, and is false"),
        ("brightnes", 1, "did you mean brightness?"),
        ("zoom", 1, "the camera has no such control; it has brightness, gain"),
    ],
)
def test_a_value_that_cannot_be_set_is_told_with_what_is_allowed(
    name: str, value: ControlValue, says: str
) -> None:
    node = camera()
    before = dict(node.values)
    [refusal] = apply(node, {name: value})
    assert says in refusal
    assert node.values == before


def test_automatics_are_switched_off_before_what_they_hold() -> None:
    node = camera()
    assert apply(node, {"focus_absolute": 100, "focus_automatic_continuous": False}) == []
    assert node.values[FOCUS.number] == 100


def test_one_refusal_does_not_stop_the_others() -> None:
    node = camera()
    assert len(apply(node, {"brightness": -1, "gain": 20, "colour": 1})) == 2
    assert node.values[GAIN.number] == 20


def test_what_the_driver_refuses_is_told() -> None:
    node = camera()
    node.failures["set_control"] = errno.EBUSY
    [refusal] = apply(node, {"gain": 20})
    assert "the driver refuses it" in refusal


def test_a_camera_that_is_gone_is_no_refusal() -> None:
    node = camera()
    node.failures["set_control"] = errno.ENODEV
    with pytest.raises(OSError, match="No such device"):
        apply(node, {"gain": 20})


def test_names_are_spelled_as_v4l2_ctl_spells_them() -> None:
    assert spelled("White Balance, Automatic") == "white_balance_automatic"
    assert spelled("Exposure (Absolute)") == "exposure_absolute"
    assert ranges(FOCUS) == "0 to 250 in steps of 5"

"""Button and lights, on gpiozero's mock pins."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin
from tests.waiting import until

from scrim.config import PanelSettings, Settings
from scrim.core.panel import Panel, is_wanted, light_of
from scrim.core.service import run
from scrim.errors import ConfigError, DeviceError
from scrim.local.client import Client
from scrim.statefile import StateFile

BUTTON, OFF, PROTECTED, RAW = 17, 22, 23, 24
PINS = PanelSettings(button_pin=BUTTON, off_led_pin=OFF, protected_led_pin=PROTECTED, raw_led_pin=RAW)
PATIENCE_S = 180.0


class Switch:
    """Remembers what it was told last."""

    def __init__(self) -> None:
        self.is_private: bool | None = None

    def set_private(self, is_private: bool) -> None:
        self.is_private = is_private


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    factory = MockFactory()
    yield factory
    factory.close()


@pytest.fixture
def memory(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "panel.json")


def press(pins: MockFactory) -> None:
    hold(pins)
    release(pins)


def hold(pins: MockFactory) -> None:
    pins.pin(BUTTON).drive_low()


def release(pins: MockFactory) -> None:
    pins.pin(BUTTON).drive_high()


def lit(pins: MockFactory) -> set[int]:
    return {pin for pin in (OFF, PROTECTED, RAW) if pins.pin(pin).state}


def test_a_press_closes_and_the_next_one_opens(pins, memory):
    switch = Switch()
    panel = Panel(PINS, switch, memory, pins)
    assert switch.is_private is False
    press(pins)
    assert switch.is_private is True
    press(pins)
    assert switch.is_private is False
    panel.close()


def test_a_latching_button_closes_while_it_is_held(pins, memory):
    switch = Switch()
    panel = Panel(PINS.model_copy(update={"button_kind": "latching"}), switch, memory, pins)
    hold(pins)
    assert switch.is_private is True
    release(pins)
    assert switch.is_private is False
    panel.close()


class HeldPin(MockPin):
    """A pin that somebody has connected to ground already."""

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if value == "up":
            self.drive_low()


def test_a_latching_button_that_is_held_at_start_closes_at_once(pins, memory):
    pins.pin(BUTTON, pin_class=HeldPin)
    switch = Switch()
    panel = Panel(PINS.model_copy(update={"button_kind": "latching"}), switch, memory, pins)
    assert switch.is_private is True
    panel.close()


def test_what_was_closed_by_hand_is_closed_after_a_restart(pins, tmp_path):
    panel = Panel(PINS, Switch(), StateFile(tmp_path / "panel.json"), pins)
    press(pins)
    panel.step()
    panel.close()
    switch = Switch()
    again = Panel(PINS, switch, StateFile(tmp_path / "panel.json"), pins)
    assert switch.is_private is True
    press(pins)
    again.step()
    assert switch.is_private is False
    again.close()


def test_a_broken_memory_is_set_aside(pins, tmp_path):
    (tmp_path / "panel.json").write_text('{"is_private": "perhaps"}')
    switch = Switch()
    panel = Panel(PINS, switch, StateFile(tmp_path / "panel.json"), pins)
    assert switch.is_private is False
    assert (tmp_path / "panel.json.bad").exists()
    panel.close()


@pytest.mark.parametrize(
    ("showing", "is_private", "light"),
    [
        ("effect", False, PROTECTED),
        ("raw", False, RAW),
        ("placeholder", False, OFF),
        ("effect", True, OFF),
        ("raw", True, OFF),
    ],
)
def test_one_light_is_lit_and_it_is_the_true_one(pins, memory, showing, is_private, light):
    panel = Panel(PINS, Switch(), memory, pins)
    panel.show("raw", is_private=False)
    panel.show(showing, is_private=is_private)
    assert lit(pins) == {light}
    panel.close()
    assert lit(pins) == set()


def test_each_part_may_be_left_out(pins, memory):
    panel = Panel(PanelSettings(raw_led_pin=RAW), Switch(), memory, pins)
    panel.show("effect", is_private=False)
    assert lit(pins) == set()
    panel.show("raw", is_private=False)
    assert lit(pins) == {RAW}
    panel.close()
    assert not is_wanted(PanelSettings())
    assert light_of("effect", is_private=False) == "protected"


def test_two_uses_of_one_pin_are_told_and_nothing_is_kept(pins, memory):
    with pytest.raises(DeviceError, match=r"\[panel\].*17"):
        Panel(PINS.model_copy(update={"raw_led_pin": BUTTON}), Switch(), memory, pins)
    Panel(PINS, Switch(), memory, pins).close()


def test_a_machine_without_pins_says_what_to_do(memory):
    with pytest.raises(DeviceError, match=r"\[panel\].*python3-lgpio.*leave the \[panel\] empty"):
        Panel(PINS, Switch(), memory)


def test_no_network_may_name_a_pin():
    with pytest.raises(ConfigError, match=r"panel = .*local settings file"):
        Settings().patched({"panel": {"button_pin": 4}}, live=True)
    with pytest.raises(ConfigError, match=r"panel\.button_pin"):
        Settings().patched({"panel": {"button_pin": 28}})


def test_the_button_closes_the_camera_of_a_running_core(pins, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    camera = {"source": "test:", "width": 128, "height": 96}
    settings = Settings().patched({"camera": camera, "panel": PINS.model_dump()})
    socket_path, stop = tmp_path / "core.sock", threading.Event()
    core = threading.Thread(target=run, args=(settings, socket_path, stop), kwargs={"pins": pins})
    core.start()
    try:
        until(socket_path.exists)
        with Client(socket_path, timeout_s=PATIENCE_S) as client:
            until(lambda: client.status()["state"] == "running")
            until(lambda: lit(pins) == {PROTECTED})
            press(pins)
            assert lit(pins) == {OFF}
            until(lambda: client.status()["camera"]["state"] == "off")
            client.set({"camera": {"is_enabled": True}})
            assert client.status()["camera"]["state"] == "off"
            press(pins)
            until(lambda: client.status()["state"] == "running")
            until(lambda: lit(pins) == {PROTECTED})
    finally:
        stop.set()
        core.join(PATIENCE_S)

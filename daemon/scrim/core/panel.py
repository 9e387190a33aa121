"""The front panel: a button that closes the camera, and lights that tell off, protected and raw apart.

The button has a party of its own among those who may close the camera: nobody on the network can open what
was closed by hand.
"""

import logging
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from scrim.core.privacy import Privacy, PrivacySwitch
from scrim.core.state import state_path
from scrim.errors import DeviceError
from scrim.frame import Origin
from scrim.statefile import Document, StateFile

if TYPE_CHECKING:
    from gpiozero import LED, Button
    from gpiozero.pins import Factory

    from scrim.config import PanelSettings

logger = logging.getLogger(__name__)

PARTY = "button"
"""Among those who may close the camera."""

BOUNCE_S = 0.02
"""A contact that opens and closes again within this is one press."""

Light = Literal["off", "protected", "raw"]
"""``off``: nothing of the camera is seen. ``protected``: through an effect. ``raw``: as it is."""

_KEY = "is_private"
_MEND = (
    "on a Raspberry Pi: apt install python3-gpiozero python3-lgpio, the user in group gpio, and no other"
    " program at these pins; or leave the [panel] empty"
)


class Panel:
    """Button and lights. Any thread may call ``show``; the button has a thread of its own.

    Args:
        settings: which pins.
        switch: the button's own.
        memory: where it is remembered that a momentary button has closed the camera.
        pins: a pin factory of gpiozero; None takes the board's.

    Raises:
        DeviceError: the pins cannot be had.
    """

    def __init__(
        self,
        settings: "PanelSettings",
        switch: PrivacySwitch,
        memory: StateFile,
        pins: "Factory | None" = None,
    ) -> None:
        self._switch = switch
        self._memory = memory
        self._lock, self._showing = threading.Lock(), threading.Lock()
        self._shown: Light | None = None
        self._is_private = False
        with ExitStack() as stack:
            try:
                self._take(settings, stack, pins if pins is not None else _board())
            except Exception as error:  # noqa: BLE001  gpiozero and what is below it have none in common
                raise DeviceError(f"[panel]: {type(error).__name__}: {error}: {_MEND}") from None
            self._open = stack.pop_all()

    def show(self, showing: Origin, *, is_private: bool) -> None:
        """Light the one light that is true.

        Args:
            showing: what goes out.
            is_private: the camera is to be closed.
        """
        light = light_of(showing, is_private=is_private)
        with self._showing:
            if light == self._shown:
                return
            self._shown = light
            for name, lamp in self._lamps.items():
                lamp.value = name == light

    def step(self) -> None:
        """Write down what the button last did, if that is not yet done."""
        self._memory.flush()

    def close(self) -> None:
        """Let go of the pins; the lights go out."""
        self._open.close()

    def _take(self, settings: "PanelSettings", stack: ExitStack, pins: "Factory") -> None:
        lamps = {
            "off": settings.off_led_pin,
            "protected": settings.protected_led_pin,
            "raw": settings.raw_led_pin,
        }
        self._lamps = {name: _lamp(pin, pins, stack) for name, pin in lamps.items() if pin is not None}
        if settings.button_pin is None:
            return
        button = _button(settings.button_pin, pins, stack)
        if settings.button_kind == "latching":
            button.when_pressed = _calling(self._set, True)
            button.when_released = _calling(self._set, False)
            self._set(is_private=button.is_pressed)
        else:
            button.when_pressed = self._toggle
            self._set(is_private=_remembered(self._memory))

    def _toggle(self) -> None:
        self._set(is_private=not self._is_private)
        self._memory.save({_KEY: self._is_private}, time.monotonic())

    def _set(self, *, is_private: bool) -> None:
        with self._lock:
            if is_private != self._is_private:
                logger.info("button: camera %s", "closed" if is_private else "free")
            self._is_private = is_private
            self._switch.set_private(is_private)


def start_panel(
    stack: ExitStack,
    settings: "PanelSettings",
    privacy: Privacy,
    showing: Callable[[], Origin],
    pins: "Factory | None",
) -> Callable[[], None]:
    """Button and lights, where there are any.

    Args:
        stack: ends them.
        settings: which pins.
        privacy: of the camera.
        showing: says what goes out.
        pins: see :class:`Panel`.

    Returns:
        What to call now and then.

    Raises:
        DeviceError: the pins cannot be had.
    """
    if not is_wanted(settings):
        return lambda: None
    memory = StateFile(state_path().with_name("panel.json"))
    panel = Panel(settings, privacy.switch(PARTY), memory, pins)
    stack.callback(panel.close)

    def show() -> None:
        panel.show(showing(), is_private=privacy.is_private)

    def step() -> None:
        show()
        panel.step()

    privacy.follow(show)
    show()
    return step


def light_of(showing: Origin, *, is_private: bool) -> Light:
    """Which light is true while ``showing`` goes out."""
    if is_private or showing == "placeholder":
        return "off"
    return "raw" if showing == "raw" else "protected"


def is_wanted(settings: "PanelSettings") -> bool:
    """Whether anything is connected."""
    return any(
        pin is not None
        for pin in (
            settings.button_pin,
            settings.off_led_pin,
            settings.protected_led_pin,
            settings.raw_led_pin,
        )
    )


def _calling(set_private: Callable[..., None], is_private: bool) -> Callable[[], None]:
    return lambda: set_private(is_private=is_private)


def _button(pin: int, pins: "Factory", stack: ExitStack) -> "Button":
    from gpiozero import Button

    button = Button(pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=pins)
    stack.callback(button.close)
    return button


def _lamp(pin: int, pins: "Factory", stack: ExitStack) -> "LED":
    from gpiozero import LED

    lamp = LED(pin, pin_factory=pins)
    stack.callback(lamp.close)
    stack.callback(lamp.off)
    return lamp


def _board() -> "Factory":
    """The board's pins, by whichever library is there."""
    from gpiozero import Device

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each library that is not there is one
        Device.ensure_pin_factory()
    return Device.pin_factory


def _remembered(memory: StateFile) -> bool:
    def check(document: Document) -> None:
        if set(document) != {_KEY} or not isinstance(document[_KEY], bool):
            raise DeviceError(f"{_KEY}: allowed is true or false")

    document = memory.load(check)
    return document is not None and bool(document[_KEY])

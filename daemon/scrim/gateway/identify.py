"""Which of them is it? Blink the computer's own light."""

import asyncio
import contextlib
import logging
from pathlib import Path

from scrim.errors import DeviceError

log = logging.getLogger(__name__)

LIGHTS_FOLDER = Path("/sys/class/leds")
LIGHTS = ("ACT", "led0")
"""What Raspberry Pi OS calls them, the one that is seen best first."""

BLINKS = 10
_HALF_S = 0.25


async def blink(
    folder: Path = Path("/sys/class/leds"), blinks: int = BLINKS, half_s: float = _HALF_S
) -> None:
    """Blink, and leave the light as it was.

    Args:
        folder: of the lights.
        blinks: how often.
        half_s: how long it is on, and off.

    Raises:
        DeviceError: there is no light that may be used.
    """
    light = _light(folder)
    try:
        trigger = _trigger(light)
        with contextlib.ExitStack() as stack:
            stack.callback(_write, light / "trigger", trigger)
            _write(light / "trigger", "none")
            for level in ("1", "0") * blinks:
                _write(light / "brightness", level)
                await asyncio.sleep(half_s)
    except OSError as error:
        raise DeviceError(
            f"{light}: {error.strerror}; a udev rule lets scrim's gateway use it: docs/mqtt.md"
        ) from None


def _light(folder: Path) -> Path:
    for name in LIGHTS:
        if (folder / name / "brightness").exists():
            return folder / name
    raise DeviceError(f"this computer has no light that can blink: none of {', '.join(LIGHTS)} in {folder}")


def _trigger(light: Path) -> str:
    """The one in brackets, such as mmc0 in "none [mmc0] timer"."""
    words = (light / "trigger").read_text().split()
    return next((word.strip("[]") for word in words if word.startswith("[")), "none")


def _write(path: Path, text: str) -> None:
    path.write_text(text)

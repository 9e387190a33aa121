"""The settings' ``camera.controls`` for libcamera: its names in snake_case, its values by number or name."""

import difflib
import importlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrim.config import ControlValue

Wishes = Mapping[str, "ControlValue"]
"""Control names, such as ``af_mode`` for libcamera's AfMode, to numbers, booleans, or names of values."""

NO_WISHES: Wishes = MappingProxyType({})

_FOCUS, _CONTINUOUS = "AfMode", 2
"""libcamera's control and its value AfModeContinuous."""


def apply(camera: Any, wishes: Wishes) -> list[str]:  # noqa: ANN401  (picamera2 has no types)
    """Give a configured camera the wished controls, before it is started.

    Args:
        camera: a ``Picamera2``.
        wishes: what is wished for.

    Returns:
        One line for each wish that could not be fulfilled: the key, the value, what is allowed.
    """
    has: Mapping[str, tuple[Any, Any, Any]] = camera.camera_controls
    names = {snake_case(name): name for name in has}
    found: dict[str, Any] = {_FOCUS: _CONTINUOUS} if _FOCUS in has else {}
    refusals = []
    for key, wish in wishes.items():
        name = names.get(key)
        value = _value(name, wish) if name is not None else None
        if name is None:
            refusals.append(f"camera.controls.{key} = {wish!r}: {_unknown(key, names)}")
        elif value is None or not _is_inside(value, has[name]):
            refusals.append(
                f"camera.controls.{key} = {wish!r}: not a value of it; allowed: {_allowed(has[name])}"
            )
        else:
            found[name] = value
    if found:
        camera.set_controls(found)
    return refusals


def snake_case(name: str) -> str:
    """``AfMode`` as ``af_mode``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _value(name: str, wish: "ControlValue") -> float | None:
    """The number that a wish means; None when it means none."""
    if not isinstance(wish, str):
        return wish
    try:
        kinds = importlib.import_module("libcamera").controls
    except ImportError:
        return None
    kind = getattr(kinds, f"{name}Enum", None)
    for value in dir(kind):
        if value.lower() == wish.replace("_", "").replace(" ", "").lower():
            return int(getattr(kind, value))
    return None


def _is_inside(value: float, limits: tuple[Any, Any, Any]) -> bool:
    lowest, highest, _ = limits
    try:
        return bool(lowest <= value <= highest)
    except TypeError:  # of arrays, which nobody can wish for
        return False


def _allowed(limits: tuple[Any, Any, Any]) -> str:
    lowest, highest, default = limits
    return f"{lowest} to {highest} (default {default})"


def _unknown(key: str, names: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(key, names, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"the camera has no such control{hint}; it has {', '.join(sorted(names)) or 'none'}"

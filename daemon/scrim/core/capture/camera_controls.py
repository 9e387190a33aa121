"""The settings' ``camera.controls`` and the camera's own: what is set, and what is refused and why."""

import difflib
import errno
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scrim.core.node_controls import Control
from scrim.core.videodev2 import Node

if TYPE_CHECKING:
    from scrim.config import ControlValue

Wishes = Mapping[str, "ControlValue"]
"""Control names, as v4l2-ctl spells them, to values: numbers, booleans, or names of a menu's items."""


def apply(node: Node, wishes: Wishes) -> list[str]:
    """Give a camera's controls the wished values.

    Switches and menus come first: they decide whether others may be set, as an automatic exposure does.

    Returns:
        One line for each wish that could not be fulfilled: the key, the value, what is allowed.

    Raises:
        OSError: the node is gone.
    """
    refusals: list[str] = []
    for is_switch in (True, False):
        controls = {control.name: control for control in node.controls()}
        for name, value in wishes.items():
            control = controls.get(name)
            if (control is not None and control.kind != "integer") == is_switch:
                refusal = _set(node, control, value) if control else _unknown(name, controls)
                refusals += [f"camera.controls.{name} = {_shown(value)}: {refusal}"] if refusal else []
    return refusals


def ranges(control: Control) -> str:
    """What a control takes, in words."""
    match control.kind:
        case "boolean":
            return "true or false"
        case "menu":
            return ", ".join(f'"{item}" or {value}' for value, item in control.items.items())
        case _:
            steps = f" in steps of {control.step}" if control.step > 1 else ""
            return f"{control.lowest} to {control.highest}{steps}"


def described(control: Control) -> str:
    """A control for people: how it stands, what it takes, and whether it can be set now."""
    state = "read only" if control.is_fixed else "held by an automatic" if control.is_inactive else ""
    stands = f"{_named(control, control.value)}; takes {ranges(control)}; default "
    return stands + _named(control, control.default) + (f"; {state}" if state else "")


def _set(node: Node, control: Control, value: "ControlValue") -> str | None:
    """Set one control; why not, if it cannot be."""
    number = _number(control, value)
    if number is None:
        return f"not a value of it; allowed: {ranges(control)} (default {_named(control, control.default)})"
    if control.is_fixed:
        return f"it can only be read, and is {_named(control, control.value)}"
    if control.is_inactive:
        return "another control has taken it over; switch the automatic one off in camera.controls too"
    try:
        node.set_control(control.number, number)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise
        return f"the driver refuses it ({error.strerror}); allowed: {ranges(control)}"
    return None


def _number(control: Control, value: "ControlValue") -> int | None:
    """The value as the driver wants it; None when it is none of the control's."""
    if isinstance(value, str):
        named = {item.lower(): number for number, item in control.items.items()}
        return named.get(value.lower())
    if control.kind == "boolean":
        return int(value) if value in (0, 1) else None
    if isinstance(value, bool) or value != int(value):
        return None
    number = int(value)
    if control.kind == "menu":
        return number if number in control.items else None
    inside = control.lowest <= number <= control.highest
    return number if inside and (number - control.lowest) % control.step == 0 else None


def _unknown(name: str, controls: Mapping[str, Control]) -> str:
    near = difflib.get_close_matches(name, controls, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"the camera has no such control{hint}; it has {', '.join(controls) or 'none'}"


def _named(control: Control, value: int | None) -> str:
    if value is None:
        return "unknown"
    if control.kind == "boolean":
        return str(bool(value)).lower()
    return f'"{control.items[value]}"' if value in control.items else str(value)


def _shown(value: "ControlValue") -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)

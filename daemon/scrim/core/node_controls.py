"""A video node's controls: what can be turned on a camera, such as exposure, focus and white balance."""

import errno
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import videodev2 as v4l2

Ioctl = Callable[[int, Any], None]
"""Makes an ioctl on one node: a request and its argument; raises OSError."""

Kind = Literal["integer", "boolean", "menu"]

_KINDS: dict[int, Kind] = {
    v4l2.V4L2_CTRL_TYPE_INTEGER: "integer",
    v4l2.V4L2_CTRL_TYPE_BOOLEAN: "boolean",
    v4l2.V4L2_CTRL_TYPE_MENU: "menu",
    v4l2.V4L2_CTRL_TYPE_INTEGER_MENU: "menu",
}
_HIDDEN = v4l2.V4L2_CTRL_FLAG_DISABLED
_CAMERA_CLASSES = (
    v4l2.V4L2_CTRL_CLASS_USER & 0x0FFF0000,
    v4l2.V4L2_CTRL_CLASS_CAMERA & 0x0FFF0000,
)
_FIRST_PRIVATE = 0x1000
"""Drivers number their own controls from here on."""

_MOST_CONTROLS = 256
_MOST_ITEMS = 256


@dataclass(frozen=True, slots=True)
class Control:
    """One control, as it stands.

    Attributes:
        number: V4L2's id.
        name: as ``v4l2-ctl --list-ctrls`` spells it, such as ``power_line_frequency``.
        kind: what values it takes.
        lowest: value; 0 of a boolean.
        highest: value; 1 of a boolean.
        step: between values.
        default: the driver's.
        value: at present; None when it cannot be read.
        items: of a menu, value to name.
        is_inactive: another control, such as an automatic, has taken it over.
        is_fixed: it can be read only.
    """

    number: int
    name: str
    kind: Kind
    lowest: int
    highest: int
    step: int
    default: int
    value: int | None
    items: dict[int, str] = field(default_factory=dict)
    is_inactive: bool = False
    is_fixed: bool = False

    @property
    def is_of_cameras(self) -> bool:
        """Whether it is one of those that cameras have, not one of a driver's own."""
        is_private = self.number & 0xFFFF >= _FIRST_PRIVATE
        return self.number & 0x0FFF0000 in _CAMERA_CLASSES and not is_private


def controls_of(ioctl: Ioctl) -> list[Control]:
    """A node's controls in the driver's order, without those that have no plain value.

    Raises:
        OSError: the node is gone.
    """
    return [_control(ioctl, query) for query in _queries(ioctl) if _is_plain(query)]


def set_control(ioctl: Ioctl, number: int, value: int) -> None:
    """Give a control a value.

    Raises:
        OSError: ERANGE, EINVAL: not this value; EBUSY: not now; EACCES: never.
    """
    ioctl(v4l2.VIDIOC_S_CTRL, v4l2.v4l2_control(id=number, value=value))


def spelled(name: str) -> str:
    """A control's name as v4l2-ctl spells it: ``White Balance, Auto`` becomes ``white_balance_auto``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _queries(ioctl: Ioctl) -> Iterator[Any]:
    number = 0
    for _ in range(_MOST_CONTROLS):
        query = v4l2.v4l2_queryctrl(id=number | v4l2.V4L2_CTRL_FLAG_NEXT_CTRL)
        try:
            ioctl(v4l2.VIDIOC_QUERYCTRL, query)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise
        number = query.id
        yield query


def _is_plain(query: Any) -> bool:  # noqa: ANN401  (videodev2 has no types)
    return query.type in _KINDS and not query.flags & _HIDDEN


def _control(ioctl: Ioctl, query: Any) -> Control:  # noqa: ANN401
    kind = _KINDS[query.type]
    return Control(
        int(query.id),
        spelled(_text(query.name)),
        kind,
        int(query.minimum),
        int(query.maximum),
        max(1, int(query.step)),
        int(query.default_value),
        _value(ioctl, query),
        _items(ioctl, query) if kind == "menu" else {},
        bool(query.flags & v4l2.V4L2_CTRL_FLAG_INACTIVE),
        bool(query.flags & v4l2.V4L2_CTRL_FLAG_READ_ONLY),
    )


def _value(ioctl: Ioctl, query: Any) -> int | None:  # noqa: ANN401
    if query.flags & v4l2.V4L2_CTRL_FLAG_WRITE_ONLY:
        return None
    asked = v4l2.v4l2_control(id=query.id)
    try:
        ioctl(v4l2.VIDIOC_G_CTRL, asked)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise
        return None
    return int(asked.value)


def _items(ioctl: Ioctl, query: Any) -> dict[int, str]:  # noqa: ANN401
    items = {}
    for index in range(query.minimum, min(query.maximum, query.minimum + _MOST_ITEMS - 1) + 1):
        item = v4l2.v4l2_querymenu(id=query.id, index=index)
        try:
            ioctl(v4l2.VIDIOC_QUERYMENU, item)
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise
            continue  # menus have holes
        is_number = query.type == v4l2.V4L2_CTRL_TYPE_INTEGER_MENU
        items[index] = str(int(item.value)) if is_number else _text(item.name)
    return items


def _text(characters: Any) -> str:  # noqa: ANN401  (a ctypes array)
    return bytes(characters).split(b"\0", 1)[0].decode("utf-8", "replace")

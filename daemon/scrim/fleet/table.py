"""The fleet for people: a line a device, eighty columns wide, whatever the devices call themselves."""

import time
import unicodedata
from collections.abc import Iterable, Sequence

from scrim.fleet.roster import Device

WIDTH = 80
"""Of a table; the longest columns give way."""

_HEAD = ("DEVICE", "NAME", "PICTURE", "EFFECT", "FPS", "°C", "VERSION", "SEEN")
_LIMITS = (16, 64, 10, 6, 5, 3, 11, 7)
"""Most columns of each: an id has at most 16, a version at most eleven, and the name takes what is left."""

_NAME = 1
_LEAST_NAME = 8
_RIGHT = frozenset({4, 5})
_UNITS = ((86_400 * 2, 86_400, "d"), (3600 * 2, 3600, "h"), (60 * 2, 60, "min"))


def table(devices: Iterable[Device], now_s: float, width: int = WIDTH) -> list[str]:
    """The lines, with a head: devices in trouble first, then by name.

    Args:
        devices: to list.
        now_s: seconds since 1970.
        width: no line is wider, unless ids, versions and words alone are.
    """
    rows = [_HEAD, *(_row(device, now_s) for device in in_order(devices))]
    rows = [tuple(cut(cell, limit) for cell, limit in zip(row, _LIMITS, strict=True)) for row in rows]
    widths = [max(columns(row[index]) for row in rows) for index in range(len(_HEAD))]
    left = width - (sum(widths) - widths[_NAME]) - (len(widths) - 1)
    widths[_NAME] = min(widths[_NAME], max(left, _LEAST_NAME))
    return [_line(row, widths) for row in rows]


def summary(devices: Sequence[Device]) -> str:
    """All of them in one line."""
    online = sum(device.status == "online" for device in devices)
    troubled = sum(device.is_troubled and device.status != "offline" for device in devices)
    return (
        f"{len(devices)} {'device' if len(devices) == 1 else 'devices'}, {online} online, "
        f"{len(devices) - online} away, {troubled} in trouble"
    )


def in_order(devices: Iterable[Device]) -> list[Device]:
    """Devices in trouble first, then by name."""
    return sorted(devices, key=lambda device: (not device.is_troubled, device.name.casefold(), device.id))


def ago(heard_s: float | None, now_s: float) -> str:
    """How long ago something was heard, in at most seven columns."""
    if heard_s is None:
        return "-"
    passed_s = max(0.0, now_s - heard_s)
    for least_s, unit_s, unit in _UNITS:
        if passed_s >= least_s:
            return f"{passed_s // unit_s:.0f} {unit}"
    return f"{passed_s:.0f} s"


def clock(now_s: float) -> str:
    """The time of day."""
    return time.strftime("%H:%M:%S", time.localtime(now_s))


def plain(text: str) -> str:
    """What a device said, without what would move a terminal's cursor or change its colours."""
    return "".join(character if character.isprintable() else "?" for character in text)


def columns(text: str) -> int:
    """How wide a text is on a terminal: two for each wide character, none for accents that combine."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, most: int) -> str:
    """At most so many columns; a mark at the end where something is missing."""
    if columns(text) <= most:
        return text
    while text and columns(text) > most - 1:
        text = text[:-1]
    return text + "…"


def _row(device: Device, now_s: float) -> tuple[str, ...]:
    rate, temperature = device.frame_rate_hz, device.temperature_c
    name = "" if device.name == device.id else device.name
    cells = (
        device.id,
        name,
        device.picture,
        device.effect or "-",
        "-" if rate is None else f"{rate:.1f}",
        "-" if temperature is None else f"{temperature:.0f}",
        device.version or "-",
        ago(device.heard_s, now_s),
    )
    return tuple(map(plain, cells))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for index, (text, width) in enumerate(zip(row, widths, strict=True)):
        fitted = cut(text, width)
        blanks = " " * (width - columns(fitted))
        cells.append(blanks + fitted if index in _RIGHT else fitted + blanks)
    return " ".join(cells).rstrip()

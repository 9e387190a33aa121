"""The command ``scrim gadget``."""

import json
from pathlib import Path
from typing import Any

from scrim.config import GadgetSettings
from scrim.errors import GadgetError
from scrim.gadget.board import UDCS, controller, load_modules, serial_number
from scrim.gadget.configfs import GADGETS, Configfs, other_gadget_on
from scrim.gadget.gadget import set_up, take_down
from scrim.gadget.plan import ENGLISH, plan
from scrim.uvc.offers import UNIT_HZ, FormatOffer, Speed, Wish, interval_of, offers_at, picture_bytes

GADGET = "scrim"
"""The name of our gadget among the kernel's."""


def up(settings: GadgetSettings) -> str:
    """Set the gadget up; what to tell a person.

    Raises:
        GadgetError: it cannot be.
    """
    load_modules()
    udc = controller(settings.udc)
    if holder := other_gadget_on(udc, GADGET):
        raise GadgetError(
            f"USB gadget: {udc} belongs to the gadget {holder!r}; take that one down, "
            "or name another controller in gadget.udc"
        )
    steps = plan(settings, settings.serial or serial_number())
    is_new = set_up(Configfs(GADGETS / GADGET), steps, udc)
    lines = [f'gadget: {"set up" if is_new else "was set up already"} on {udc} as "{settings.product}"']
    lines += [f"  {line}" for line in offer_lines(settings.wish)]
    return "\n".join([*lines, "  hosts see it while scrim runs with the sink uvc_gadget:"])


def down() -> str:
    """Take the gadget down; what to tell a person.

    Raises:
        GadgetError: the kernel keeps some of it.
    """
    return "gadget: taken down" if take_down(Configfs(GADGETS / GADGET)) else "gadget: none was set up"


def status(gadgets: Path = GADGETS, udcs: Path = UDCS) -> dict[str, Any]:
    """How the gadget is.

    Returns:
        ``is_up``; ``udc``, its ``state`` and ``speed``; ``product``, ``serial``; ``controllers`` with the
        gadget that has each, or None.
    """
    tree = Configfs(gadgets / GADGET)
    udc = _text(gadgets / GADGET / "UDC")
    names = sorted(entry.name for entry in udcs.iterdir()) if udcs.is_dir() else []
    return {
        "is_up": tree.exists() and bool(udc),
        "udc": udc,
        "state": _text(udcs / udc / "state") if udc else None,
        "speed": _text(udcs / udc / "current_speed") if udc else None,
        "product": _text(gadgets / GADGET / ENGLISH / "product"),
        "serial": _text(gadgets / GADGET / ENGLISH / "serialnumber"),
        "controllers": {name: other_gadget_on(name, "", gadgets) for name in names},
    }


def status_text(settings: GadgetSettings) -> tuple[str, bool]:
    """How the gadget is, for a person; and whether it is up."""
    now = status()
    if not now["is_up"]:
        held = [f"{udc} (gadget {by!r} has it)" if by else udc for udc, by in now["controllers"].items()]
        there = (
            f"controllers: {', '.join(held)}" if held else "there is no USB device controller: docs/gadget.md"
        )
        return f"gadget: not set up; {there}", False
    lines = [
        f'gadget: "{now["product"]}", serial {now["serial"]}, on {now["udc"]}',
        f"  host: {now['state']}, {now['speed']}",
        *(f"  {line}" for line in offer_lines(settings.wish)),
    ]
    return "\n".join(lines), True


def as_json(value: dict[str, Any]) -> str:
    """For programs."""
    return json.dumps(value, indent=2)


def offer_lines(wish: Wish) -> list[str]:
    """What is offered at high speed, a line for each size; and what is not, with the reason."""
    offers = offers_at(Speed.HIGH, wish)
    lines = [
        f"{offer.fourcc} {frame.size[0]}x{frame.size[1]} at {_rates(frame.intervals)} pictures/s"
        for offer in offers.formats
        for frame in offer.frames
    ]
    for offer in offers.formats:
        lines += _left_out(offer, wish, offers.bytes_per_s)
    return lines


def _rates(intervals: tuple[int, ...]) -> str:
    return ", ".join(f"{round(UNIT_HZ / interval)}" for interval in intervals)


def _left_out(offer: FormatOffer, wish: Wish, bytes_per_s: int) -> list[str]:
    offered = {frame.size: frame.intervals for frame in offer.frames}
    lines = []
    for size in wish.sizes:
        missing = [rate for rate in wish.rates_hz if interval_of(rate) not in offered.get(size, ())]
        if missing:
            needed = picture_bytes(offer.fourcc, size) * min(missing) * 8 / 1e6
            lines.append(
                f"not offered: {offer.fourcc} {size[0]}x{size[1]} at {', '.join(map(str, missing))}: "
                f"it takes {needed:.0f} Mbit/s or more, and {bytes_per_s * 8 / 1e6:.0f} fit through the bus"
            )
    return lines


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""

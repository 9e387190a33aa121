"""Who this device is: its id, its name, and what it is made of."""

import hashlib
import ipaddress
import platform
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scrim.config import Settings

_ID_DIGITS = 12
_SALT = b"scrim device id"
_LONGEST_TEXT = 128
_BOARD = "sys/firmware/devicetree/base"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this device is.

    Attributes:
        id: 8 to 16 of a-z, 0-9 and -; the same for ever.
        name: for people.
        area: where it stands; empty when nobody said.
        model: of the computer, such as "Raspberry Pi 5 Model B Rev 1.0".
        serial: of the computer; empty where it has none.
        hardware: the processor's architecture.
        system: the operating system.
        mac: hardware address of the first network card that has one; empty without.
        url: of the page, where others can reach it; empty otherwise.
    """

    id: str
    name: str
    area: str
    model: str
    serial: str
    hardware: str
    system: str
    mac: str
    url: str = ""


def identify(settings: "Settings", root: Path = Path("/")) -> Identity:
    """Find out who this device is.

    Args:
        settings: name it, where they do.
        root: of the file system, for tests.
    """
    device_id = settings.device.id or device_id_of(root)
    return Identity(
        id=device_id,
        name=settings.device.name or f"Scrim {device_id}",
        area=settings.device.suggested_area,
        model=_model(root),
        serial=_text(root / _BOARD / "serial-number"),
        hardware=platform.machine(),
        system=_system(root),
        mac=_mac(root),
        url=_page_url(settings),
    )


def device_id_of(root: Path = Path("/"), fallback: Callable[[], int] = uuid.getnode) -> str:
    """An id that stays the same and tells nobody the machine's own: a hash of ``/etc/machine-id``.

    Where there is none, of the hardware address of a network card.
    """
    machine = _text(root / "etc/machine-id") or f"{fallback():012x}"
    return hashlib.sha256(_SALT + machine.encode()).hexdigest()[:_ID_DIGITS]


def _page_url(settings: "Settings") -> str:
    """By the first name that was given to the page, or this machine's own."""
    web = settings.web
    if not web.is_enabled or not web.port or not _is_reachable(web.host):
        return ""
    scheme = "https" if web.certificate else "http"
    return f"{scheme}://{web.hosts[0] if web.hosts else platform.node()}:{web.port}/"


def _is_reachable(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _model(root: Path) -> str:
    board = _text(root / _BOARD / "model")
    parts = (_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    return board or " ".join(filter(None, parts)) or platform.machine() or "computer"


def _system(root: Path) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text(root / "etc/os-release", 4096), re.MULTILINE)
    return found[1] if found else platform.system()


def _mac(root: Path) -> str:
    """Cards that are real hardware have a ``device``; those of containers and bridges have none."""
    try:
        cards = sorted((root / "sys/class/net").iterdir())
    except OSError:
        return ""
    macs = (_text(card / "address") for card in cards if (card / "device").exists())
    return next((mac for mac in macs if re.fullmatch(r"(?!00:00:00:00:00:00)[0-9a-f:]{17}", mac)), "")


def _text(path: Path, most: int = _LONGEST_TEXT) -> str:
    """A small text file of the kernel or the system; empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most).decode(errors="replace").strip("\0 \n\t")
    except OSError:
        return ""

"""What the board has for a gadget: its controllers, its serial number, the kernel's modules."""

import contextlib
import hashlib
import subprocess
from pathlib import Path

from scrim.errors import GadgetError
from scrim.gadget.configfs import GADGETS

UDCS = Path("/sys/class/udc")
_DEVICE_TREE_SERIAL = Path("/sys/firmware/devicetree/base/serial-number")
_MACHINE_ID = Path("/etc/machine-id")

_NO_CONTROLLER = (
    "USB gadget: this board has no USB device controller, or it is not switched on. On a Raspberry Pi put "
    "`dtoverlay=dwc2,dr_mode=peripheral` below [all] into /boot/firmware/config.txt "
    "and restart; docs/gadget.md says which port"
)


def controller(wanted: str, udcs: Path = UDCS) -> str:
    """The controller to use.

    Args:
        wanted: its name, or "" for the first.
        udcs: where the kernel lists them.

    Raises:
        GadgetError: there is none, or none of that name.
    """
    names = controllers(udcs)
    if not names:
        raise GadgetError(_NO_CONTROLLER)
    if not wanted:
        return names[0]
    if wanted not in names:
        raise GadgetError(
            f"gadget.udc = {wanted!r}: no such USB device controller (allowed: {', '.join(names)})"
        )
    return wanted


def controllers(udcs: Path = UDCS) -> list[str]:
    """Names of all, in order."""
    return sorted(entry.name for entry in udcs.iterdir()) if udcs.is_dir() else []


def serial_number(device_tree: Path = _DEVICE_TREE_SERIAL, machine_id: Path = _MACHINE_ID) -> str:
    """The board's own; on a machine without one, 16 digits that stay the same and tell nothing else of it."""
    with contextlib.suppress(OSError):
        text = device_tree.read_bytes().split(b"\0", 1)[0].decode("ascii", "ignore").strip()
        if text:
            return text[:64]
    try:
        identity = machine_id.read_bytes().strip()
    except OSError:
        return "0"
    return hashlib.sha256(b"scrim usb gadget\n" + identity).hexdigest()[:16]


def load_modules(gadgets: Path = GADGETS) -> None:
    """Have the kernel offer gadgets.

    Raises:
        GadgetError: it has none, or it does not let this user load modules.
    """
    if gadgets.is_dir():
        return
    said = _run("modprobe", "libcomposite")
    if not gadgets.parent.is_dir() or not any(gadgets.parent.iterdir()):
        _run("mount", "-t", "configfs", "none", str(gadgets.parent))
    if not gadgets.is_dir():
        raise GadgetError(
            f"USB gadget: the kernel offers none at {gadgets}: {said or 'libcomposite is missing'}. "
            "Run this as root, on a kernel with CONFIG_USB_CONFIGFS and CONFIG_USB_CONFIGFS_F_UVC"
        )


def _run(*command: str) -> str:
    """What a command had to complain about."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip()

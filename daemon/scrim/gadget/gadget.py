"""Sets a gadget up and takes it down, completely and as often as one likes."""

import contextlib
import errno
import os
from collections.abc import Sequence

from scrim.errors import GadgetError
from scrim.gadget.configfs import GadgetTree
from scrim.gadget.plan import FUNCTION, Step

_LINK_ORDER = ("configs/", "/class/", "/header/")
"""Links are removed in this order: what still leads to something holds it."""


def set_up(tree: GadgetTree, steps: Sequence[Step], udc: str) -> bool:
    """Make the gadget what the steps say, and bind it to a controller.

    Args:
        tree: the gadget's folder.
        steps: all of them.
        udc: name of the controller.

    Returns:
        False when it was just so already, and nothing was touched.

    Raises:
        GadgetError: the kernel refuses; nothing is left of the gadget.
    """
    if tree.exists():
        if _is_so(tree, steps) and tree.read("UDC") == udc:
            return False
        take_down(tree)
    try:
        tree.make("")
        for step in steps:
            _take(tree, step)
        _bind(tree, udc)
    except GadgetError:
        with contextlib.suppress(GadgetError):
            take_down(tree)
        raise
    except OSError as error:
        raise GadgetError(_why("making the gadget", error)) from error
    return True


def take_down(tree: GadgetTree) -> bool:
    """Unbind the gadget and remove all of it, however far it was set up.

    The kernel waits until a program that serves the gadget has let its node go.

    Returns:
        False when there was none.

    Raises:
        GadgetError: the kernel keeps some of it.
    """
    if not tree.exists():
        return False
    try:
        if tree.read("UDC"):
            tree.write("UDC", "")
        for path in sorted(tree.links(), key=_link_order):
            tree.unlink(path)
        for path in sorted(tree.folders(), key=lambda path: path.count("/"), reverse=True):
            # What the kernel made by itself goes with the folder around it.
            with contextlib.suppress(PermissionError):
                tree.remove(path)
        tree.remove("")
    except OSError as error:
        raise GadgetError(_why("taking the gadget down", error)) from error
    return True


def _is_so(tree: GadgetTree, steps: Sequence[Step]) -> bool:
    links = {step.path: step.value for step in steps if step.kind == "link"}
    folders = set(tree.folders())
    made = all(step.path in folders for step in steps if step.kind == "make")
    if not made or tree.links() != links:
        return False
    return all(_says(tree, step) for step in steps if step.kind == "write" and step.is_needed)


def _says(tree: GadgetTree, step: Step) -> bool:
    """Whether an attribute has a value, however the kernel writes it."""
    try:
        return _plain(tree.read(step.path)) == _plain(step.value)
    except OSError:
        return False


def _plain(value: str) -> list[int | str]:
    return [_number(line) for line in value.split("\n")]


def _number(text: str) -> int | str:
    try:
        return int(text, 0)
    except ValueError:
        return text


def _take(tree: GadgetTree, step: Step) -> None:
    try:
        match step.kind:
            case "make":
                tree.make(step.path)
            case "write":
                tree.write(step.path, step.value)
            case "link":
                tree.link(step.path, step.value)
    except OSError as error:
        if step.is_needed:
            raise GadgetError(_refusal(step, error)) from error


def _refusal(step: Step, error: OSError) -> str:
    if step.path == FUNCTION and error.errno == errno.ENOENT:
        return (
            "USB gadget: this kernel has no camera function; `modprobe usb_f_uvc` says why "
            "(it takes CONFIG_USB_CONFIGFS_F_UVC)"
        )
    shown = step.value.replace("\n", " ")
    return _why(f"{step.kind} {step.path}{f' = {shown}' if shown else ''}", error)


def _bind(tree: GadgetTree, udc: str) -> None:
    try:
        tree.write("UDC", udc)
    except OSError as error:
        match error.errno:
            case errno.EBUSY:
                mend = "another gadget has it; `scrim gadget status` names it"
            case errno.ENODEV:
                mend = "there is no such controller; `ls /sys/class/udc` shows what there is"
            case errno.EINVAL | errno.ENOMEM:
                mend = "it cannot carry this camera; try a smaller gadget.packet_bytes"
            case _:
                mend = "`dmesg` may say more"
        raise GadgetError(f"USB gadget: {udc} refuses it ({_name(error)}): {mend}") from error


def _why(what: str, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"USB gadget: {what}: not allowed; this is root's work: `sudo scrim gadget ...`"
    if error.errno == errno.EBUSY:
        return f"USB gadget: {what}: busy; stop the program that serves it: `sudo systemctl stop scrim`"
    return f"USB gadget: {what}: {error.strerror} ({_name(error)})"


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, os.strerror(error.errno or 0))


def _link_order(path: str) -> tuple[int, str]:
    return next((place for place, part in enumerate(_LINK_ORDER) if part in path), len(_LINK_ORDER)), path

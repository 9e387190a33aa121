"""The kernel's gadgets as a tree of folders, attributes and links.

A :class:`GadgetTree` is one gadget's folder. :class:`Configfs` is the real one;
:mod:`scrim.gadget.configfs_fake` has one in memory that behaves as the kernel does.
"""

import contextlib
import os
from pathlib import Path
from typing import Protocol

GADGETS = Path("/sys/kernel/config/usb_gadget")


class GadgetTree(Protocol):
    """One gadget's folder; paths are relative to it. Every method raises OSError as the kernel does."""

    def exists(self) -> bool:
        """Whether the folder is there."""

    def make(self, path: str) -> None:
        """Make a folder; "" makes the gadget's own. The kernel fills it."""

    def write(self, path: str, value: str) -> None:
        """Set an attribute."""

    def read(self, path: str) -> str:
        """An attribute's value, without the last line end."""

    def link(self, path: str, target: str) -> None:
        """Make a link at ``path`` that leads to ``target``."""

    def links(self) -> dict[str, str]:
        """Every link in the tree, and where it leads."""

    def folders(self) -> list[str]:
        """Every folder in the tree but its own, also those that the kernel made."""

    def unlink(self, path: str) -> None:
        """Remove a link."""

    def remove(self, path: str) -> None:
        """Remove a folder; "" removes the gadget's own. PermissionError: the kernel made it, and keeps it."""


class Configfs:
    """A gadget's folder below the kernel's configfs.

    Args:
        root: of the gadget; it need not be there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self._root.is_dir()

    def make(self, path: str) -> None:
        """Make a folder."""
        self._at(path).mkdir()

    def write(self, path: str, value: str) -> None:
        """Set an attribute, in one call: the kernel takes each call for a whole value."""
        descriptor = os.open(self._at(path), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, (value + "\n").encode("ascii"))
        finally:
            os.close(descriptor)

    def read(self, path: str) -> str:
        """An attribute's value, without the last line end."""
        return self._at(path).read_text(encoding="ascii", errors="replace").rstrip("\n")

    def link(self, path: str, target: str) -> None:
        """Make a link."""
        self._at(path).symlink_to(self._at(target))

    def links(self) -> dict[str, str]:
        """Every link in the tree, and where it leads."""
        found = (Path(base, name) for base, names, _ in os.walk(self._root) for name in names)
        root = self._root.resolve()
        return {
            str(path.relative_to(self._root)): str(path.resolve().relative_to(root))
            for path in found
            if path.is_symlink()
        }

    def folders(self) -> list[str]:
        """Every folder in the tree but its own."""
        found = (Path(base, name) for base, names, _ in os.walk(self._root) for name in names)
        return [str(path.relative_to(self._root)) for path in found if not path.is_symlink()]

    def unlink(self, path: str) -> None:
        """Remove a link."""
        self._at(path).unlink()

    def remove(self, path: str) -> None:
        """Remove a folder."""
        self._at(path).rmdir()

    def _at(self, path: str) -> Path:
        return self._root / path


def other_gadget_on(udc: str, own: str, gadgets: Path = GADGETS) -> str | None:
    """The name of another gadget that is bound to a controller; None when there is none."""
    for file in sorted(gadgets.glob("*/UDC")):
        with contextlib.suppress(OSError):
            if file.parent.name != own and file.read_text(encoding="ascii").strip() == udc:
                return file.parent.name
    return None

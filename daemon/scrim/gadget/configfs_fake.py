"""A gadget's folder in memory, with the kernel's own folders, attributes and refusals."""

import errno
import os
import re
from collections.abc import Iterator

_FRAME = {
    "wWidth": "640",
    "wHeight": "360",
    "bmCapabilities": "0",
    "dwMinBitRate": "18432000",
    "dwMaxBitRate": "55296000",
    "dwMaxVideoFrameBufferSize": "460800",
    "dwDefaultFrameInterval": "666666",
    "dwFrameInterval": "",
}
_MADE: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    r"": (
        {
            "UDC": "",
            "bDeviceClass": "0x00",
            "bDeviceProtocol": "0x00",
            "bDeviceSubClass": "0x00",
            "bcdDevice": "0x0612",
            "bcdUSB": "0x0000",
            "idProduct": "0x0000",
            "idVendor": "0x0000",
        },
        ("configs", "functions", "strings", "os_desc", "webusb"),
    ),
    r"strings/0x409": ({"manufacturer": "", "product": "", "serialnumber": ""}, ()),
    r"configs/[^/]+\.\d+": ({"MaxPower": "2", "bmAttributes": "0x80"}, ("strings",)),
    r"configs/[^/]+\.\d+/strings/0x409": ({"configuration": ""}, ()),
    r"functions/uvc\.[^/]+": (
        {
            "streaming_interval": "1",
            "streaming_maxpacket": "1024",
            "streaming_maxburst": "0",
            "function_name": "UVC Camera",
            "control/processing/default/bmControls": "1\n0",
            "control/terminal/camera/default/bmControls": "2\n0\n0",
        },
        (
            "control/class/fs",
            "control/class/ss",
            "control/extensions",
            "control/header",
            "control/processing/default",
            "control/terminal/camera/default",
            "control/terminal/output/default",
            "streaming/class/fs",
            "streaming/class/hs",
            "streaming/class/ss",
            "streaming/color_matching/default",
            "streaming/header",
            "streaming/mjpeg",
            "streaming/uncompressed",
        ),
    ),
    r"functions/uvc\.[^/]+/control/header/[^/]+": ({"bcdUVC": "272", "dwClockFrequency": "48000000"}, ()),
    r"functions/uvc\.[^/]+/streaming/header/[^/]+": ({}, ()),
    r"functions/uvc\.[^/]+/streaming/(?:mjpeg|uncompressed)/[^/]+": ({"bDefaultFrameIndex": "1"}, ()),
    r"functions/uvc\.[^/]+/streaming/(?:mjpeg|uncompressed)/[^/]+/[^/]+": (_FRAME, ()),
}
"""Folders that may be made: what the kernel puts into each."""

_NUMBERS = r"(?:0x[0-9a-f]+|\d+)(?:\n(?:0x[0-9a-f]+|\d+))*"
_TEXTS = re.compile(r"(?:.*/)?(?:UDC|function_name|configuration|manufacturer|product|serialnumber)")


class MemoryGadgetTree:
    """One gadget's folder; :class:`scrim.gadget.configfs.GadgetTree` says what the methods do.

    Args:
        udcs: controllers that there are; each takes one gadget.

    Attributes:
        failures: method and path, such as ``"write UDC"``, to the errno it raises from now on.
        calls: how often something was changed.
    """

    def __init__(self, udcs: tuple[str, ...] = ("fake_udc.0",)) -> None:
        self._udcs = udcs
        self._folders: dict[str, bool] = {}
        self._attributes: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self.failures: dict[str, int] = {}
        self.calls = 0

    def exists(self) -> bool:
        """See :class:`GadgetTree`."""
        return "" in self._folders

    def make(self, path: str) -> None:
        """See :class:`GadgetTree`."""
        self._change("make", path)
        if path in self._folders:
            raise _refusal(errno.EEXIST)
        content = next((made for form, made in _MADE.items() if re.fullmatch(form, path)), None)
        if content is None:
            raise _refusal(errno.EPERM)
        if path and _parent(path) not in self._folders:
            raise _refusal(errno.ENOENT)
        attributes, folders = content
        self._folders[path] = True
        for name, value in attributes.items():
            self._attributes[_join(path, name)] = value
        for folder in folders:
            for part in _ways(folder):
                self._folders.setdefault(_join(path, part), False)

    def write(self, path: str, value: str) -> None:
        """See :class:`GadgetTree`."""
        self._change("write", path)
        if path not in self._attributes:
            raise _refusal(errno.ENOENT)
        if path == "UDC":
            self._bind(value)
        elif self._is_frozen(path):
            raise _refusal(errno.EBUSY)
        if not _TEXTS.fullmatch(path) and not re.fullmatch(_NUMBERS, value):
            raise _refusal(errno.EINVAL)
        self._attributes[path] = value

    def read(self, path: str) -> str:
        """See :class:`GadgetTree`."""
        if path not in self._attributes:
            raise _refusal(errno.ENOENT)
        return self._attributes[path]

    def link(self, path: str, target: str) -> None:
        """See :class:`GadgetTree`."""
        self._change("link", path)
        if target not in self._folders or _parent(path) not in self._folders:
            raise _refusal(errno.ENOENT)
        if path in self._links:
            raise _refusal(errno.EEXIST)
        if self._attributes["UDC"]:
            raise _refusal(errno.EINVAL)
        self._links[path] = target

    def links(self) -> dict[str, str]:
        """See :class:`GadgetTree`."""
        return dict(self._links)

    def folders(self) -> list[str]:
        """See :class:`GadgetTree`."""
        return [path for path in self._folders if path]

    def unlink(self, path: str) -> None:
        """See :class:`GadgetTree`."""
        self._change("unlink", path)
        if path not in self._links:
            raise _refusal(errno.ENOENT)
        if self._attributes["UDC"] or self._holds(path):
            raise _refusal(errno.EBUSY)
        del self._links[path]

    def remove(self, path: str) -> None:
        """See :class:`GadgetTree`."""
        self._change("remove", path)
        if path not in self._folders:
            raise _refusal(errno.ENOENT)
        if not self._folders[path]:
            raise _refusal(errno.EPERM)
        if self._attributes["UDC"] or path in self._links.values():
            raise _refusal(errno.EBUSY)
        inside = [name for name in self._folders if name != path and _is_below(name, path)]
        if any(self._folders[name] for name in inside) or any(_is_below(name, path) for name in self._links):
            raise _refusal(errno.ENOTEMPTY)
        for name in [path, *inside]:
            del self._folders[name]
        for name in [name for name in self._attributes if _is_below(name, path)]:
            del self._attributes[name]

    def _change(self, method: str, path: str) -> None:
        key = f"{method} {path}"
        if key in self.failures:
            raise _refusal(self.failures[key])
        self.calls += 1

    def _bind(self, udc: str) -> None:
        if not udc:
            return
        if self._attributes["UDC"]:
            raise _refusal(errno.EBUSY)
        if udc not in self._udcs:
            raise _refusal(errno.ENODEV)
        if not any(path.startswith("configs/") for path in self._links):
            raise _refusal(errno.EINVAL)

    def _is_frozen(self, path: str) -> bool:
        """What a link leads to, or is below, does not change any more."""
        return any(_is_below(path, target) for target in self._links.values()) and path.startswith(
            "functions"
        )

    def _holds(self, path: str) -> bool:
        """Whether a class leads to the header in which this link is."""
        return "/header/" in path and any(
            target == _parent(path) and "/class/" in link for link, target in self._links.items()
        )


def _ways(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[: count + 1]) for count in range(len(parts)))


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _is_below(name: str, path: str) -> bool:
    return not path or name == path or name.startswith(f"{path}/")


def _refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))

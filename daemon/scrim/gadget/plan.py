"""What the kernel is to be told, step by step: a gadget with one UVC function, from the settings."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from scrim.config import GadgetSettings
from scrim.uvc import FUNCTION_NAME
from scrim.uvc.controls import CAMERA_CONTROLS, PROCESSING_CONTROLS
from scrim.uvc.offers import UNIT_HZ, FormatOffer, FrameOffer, Offers, Speed, offers_at
from scrim.uvc.stream_control import CLOCK_HZ

ENGLISH = "strings/0x409"
FUNCTION = f"functions/{FUNCTION_NAME}"
CONFIGURATION = "configs/c.1"

_MAIN_HEADER, _FULL_SPEED_HEADER = "h", "f"
"""The kernel's video node looks for its formats in the header named "h" (f_uvc.c)."""

_MOST_CURRENT_MA = 500


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do below the gadget's folder.

    Attributes:
        kind: make a folder, write an attribute, or link to a folder.
        path: of what is made, written or linked.
        value: what is written, or the path of what the link leads to.
        is_needed: whether a kernel that refuses it is no good.
    """

    kind: Literal["make", "write", "link"]
    path: str
    value: str = ""
    is_needed: bool = True


def plan(settings: GadgetSettings, serial: str) -> list[Step]:
    """Every step, in an order that the kernel takes; the controller is bound after them.

    Args:
        settings: what hosts are to see.
        serial: the serial number.
    """
    offers, slow_offers = offers_at(Speed.HIGH, settings.wish), offers_at(Speed.FULL, settings.wish)
    return [
        *_device(settings, serial, offers),
        *_function(settings),
        *_controls(),
        *_formats(offers, _MAIN_HEADER),
        *_formats(slow_offers, _FULL_SPEED_HEADER),
        _link("streaming/class/fs/h", f"streaming/header/{_FULL_SPEED_HEADER}"),
        _link("streaming/class/hs/h", f"streaming/header/{_MAIN_HEADER}"),
        _link("streaming/class/ss/h", f"streaming/header/{_MAIN_HEADER}"),
        *_configuration(),
    ]


def _device(settings: GadgetSettings, serial: str, offers: Offers) -> Iterator[Step]:
    yield Step("write", "idVendor", f"0x{settings.vendor_id}")
    yield Step("write", "idProduct", f"0x{settings.product_id}")
    yield Step("write", "bcdUSB", "0x0200")
    yield Step("write", "bcdDevice", f"0x{_release(offers):04x}")
    # Several interfaces that belong together: without these three Windows does not see that they do.
    yield Step("write", "bDeviceClass", "0xef")
    yield Step("write", "bDeviceSubClass", "0x02")
    yield Step("write", "bDeviceProtocol", "0x01")
    yield Step("make", ENGLISH)
    yield Step("write", f"{ENGLISH}/manufacturer", settings.manufacturer)
    yield Step("write", f"{ENGLISH}/product", settings.product)
    yield Step("write", f"{ENGLISH}/serialnumber", serial)


def _release(offers: Offers) -> int:
    """A device release, 1.00 to 1.99, that differs where the offers do: Windows remembers formats by it."""
    digits = hashlib.sha256(repr(offers).encode()).digest()[0] % 100
    return 0x0100 | digits // 10 << 4 | digits % 10


def _function(settings: GadgetSettings) -> Iterator[Step]:
    yield Step("make", FUNCTION)
    yield Step("write", f"{FUNCTION}/streaming_interval", "1")
    yield Step("write", f"{FUNCTION}/streaming_maxpacket", str(settings.packet_bytes))
    yield Step("write", f"{FUNCTION}/streaming_maxburst", "0")
    yield Step("write", f"{FUNCTION}/function_name", settings.product, is_needed=False)


def _controls() -> Iterator[Step]:
    yield _make("control/header/h")
    yield _write("control/header/h/bcdUVC", 0x0110)
    yield _write("control/header/h/dwClockFrequency", CLOCK_HZ)
    # Kernels before 6.3 announce what they like; the answers are the same.
    yield _bits("control/terminal/camera/default/bmControls", CAMERA_CONTROLS, 3)
    yield _bits("control/processing/default/bmControls", PROCESSING_CONTROLS, 2)
    yield _link("control/class/fs/h", "control/header/h")
    yield _link("control/class/ss/h", "control/header/h")


def _formats(offers: Offers, header: str) -> Iterator[Step]:
    folders = [f"streaming/{_KINDS[offer.fourcc]}/{header}" for offer in offers.formats]
    for folder, offer in zip(folders, offers.formats, strict=True):
        yield from _format(folder, offer, offers.bytes_per_s)
    yield _make(f"streaming/header/{header}")
    for folder, offer in zip(folders, offers.formats, strict=True):
        yield _link(f"streaming/header/{header}/{offer.fourcc.lower()}", folder)


_KINDS = {"MJPG": "mjpeg", "YUYV": "uncompressed"}


def _format(folder: str, offer: FormatOffer, bytes_per_s: int) -> Iterator[Step]:
    yield _make(folder)
    yield _write(f"{folder}/bDefaultFrameIndex", 1)
    for frame in offer.frames:
        yield from _frame(f"{folder}/{frame.size[0]}x{frame.size[1]}", frame, bytes_per_s)


def _frame(folder: str, frame: FrameOffer, bytes_per_s: int) -> Iterator[Step]:
    fastest, slowest = frame.intervals[0], frame.intervals[-1]
    yield _make(folder)
    yield _write(f"{folder}/wWidth", frame.size[0])
    yield _write(f"{folder}/wHeight", frame.size[1])
    yield _write(f"{folder}/dwMaxVideoFrameBufferSize", frame.buffer_bytes)
    yield _write(f"{folder}/dwMinBitRate", _bit_rate(frame, slowest, bytes_per_s))
    yield _write(f"{folder}/dwMaxBitRate", _bit_rate(frame, fastest, bytes_per_s))
    yield _write(f"{folder}/dwDefaultFrameInterval", fastest)
    intervals = "\n".join(map(str, frame.intervals))
    yield Step("write", f"{FUNCTION}/{folder}/dwFrameInterval", intervals)


def _bit_rate(frame: FrameOffer, interval: int, bytes_per_s: int) -> int:
    return 8 * min(bytes_per_s, frame.buffer_bytes * UNIT_HZ // interval)


def _configuration() -> Iterator[Step]:
    yield Step("make", CONFIGURATION)
    yield Step("write", f"{CONFIGURATION}/MaxPower", str(_MOST_CURRENT_MA))
    yield Step("write", f"{CONFIGURATION}/bmAttributes", "0x80")
    yield Step("make", f"{CONFIGURATION}/{ENGLISH}")
    yield Step("write", f"{CONFIGURATION}/{ENGLISH}/configuration", "Webcam")
    yield Step("link", f"{CONFIGURATION}/{FUNCTION_NAME}", FUNCTION)


def _make(path: str) -> Step:
    return Step("make", f"{FUNCTION}/{path}")


def _write(path: str, value: int) -> Step:
    return Step("write", f"{FUNCTION}/{path}", str(value))


def _bits(path: str, bits: int, size: int) -> Step:
    """A bit map as the kernel takes it: a line for each byte."""
    lines = "\n".join(str(byte) for byte in bits.to_bytes(size, "little"))
    return Step("write", f"{FUNCTION}/{path}", lines, is_needed=False)


def _link(path: str, target: str) -> Step:
    return Step("link", f"{FUNCTION}/{path}", f"{FUNCTION}/{target}")

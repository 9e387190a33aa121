"""The section of the USB gadget: what a host sees of the board."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from scrim.config.kinds import PictureSize, UsbId, each_once
from scrim.config.reading import wish_of
from scrim.config.sections import Section, setting
from scrim.uvc.offers import FourCC, Speed, Wish, offers_at

_USB_TEXT = r"^[ -~]*$"
"""Printable ASCII: what every host shows as it was meant."""

_Rate = Annotated[int, Field(ge=1, le=60)]
_Formats = Annotated[tuple[FourCC, ...], Field(strict=False), AfterValidator(each_once)]
_Sizes = Annotated[tuple[PictureSize, ...], Field(strict=False), AfterValidator(each_once)]
_Rates = Annotated[tuple[_Rate, ...], Field(strict=False), AfterValidator(each_once)]


class GadgetSettings(Section):
    """The board as a USB webcam: what a host sees of it. Takes the sink uvc_gadget: and "scrim gadget up"."""

    formats: _Formats = setting(
        ("MJPG", "YUYV"),
        "picture formats, the preferred first; YUYV is not compressed: only small pictures fit through USB 2",
        'a list of "MJPG" and "YUYV"',
        min_length=1,
    )
    sizes: _Sizes = setting(
        ("1280x720", "640x360", "640x480", "1920x1080"),
        "picture sizes, the preferred first",
        "a list of 1 to 16 sizes such as 1280x720, even, 64 to 4096",
        min_length=1,
        max_length=16,
    )
    frame_rates: _Rates = setting(
        (30, 25, 15),
        "frames per second; YUYV is offered at those that fit through the bus",
        "a list of 1 to 8 whole numbers from 1 to 60",
        min_length=1,
        max_length=8,
    )
    quality: int = setting(
        80, "of MJPG pictures; it gives way where one would not fit through the bus", "20 to 95", ge=20, le=95
    )
    packet_bytes: Literal[1024, 2048, 3072] = setting(
        2048,
        "bytes sent in each eighth of a millisecond; more makes room for more, less is easier on the board",
        "1024, 2048 or 3072; a Raspberry Pi has no buffers for 3072",
    )
    manufacturer: str = setting(
        "scrim",
        "name of the maker that hosts show",
        "1 to 64 printable ASCII characters",
        min_length=1,
        max_length=64,
        pattern=_USB_TEXT,
    )
    product: str = setting(
        "Scrim Camera",
        "name of the camera that hosts show",
        "1 to 31 printable ASCII characters",
        min_length=1,
        max_length=31,
        pattern=_USB_TEXT,
    )
    serial: str = setting(
        "",
        "serial number; empty for the board's own",
        "at most 64 printable ASCII characters",
        max_length=64,
        pattern=_USB_TEXT,
    )
    vendor_id: UsbId = setting(
        "1d6b",
        "USB vendor id; the default is the Linux Foundation's, for trying",
        "four digits of 0 to 9, a to f",
    )
    product_id: UsbId = setting(
        "0104",
        "USB product id; the default is the Linux Foundation's multifunction gadget",
        "four digits of 0 to 9, a to f",
    )
    udc: str = setting(
        "",
        "the USB device controller; empty for the first",
        "a name in /sys/class/udc",
        max_length=64,
        pattern=r"^[A-Za-z0-9._:-]*$",
    )

    @model_validator(mode="after")
    def _each_format_fits(self) -> Self:
        missing = set(self.formats) - {offer.fourcc for offer in offers_at(Speed.HIGH, self.wish).formats}
        if missing:
            raise PydanticCustomError(
                "too_much",
                "formats: none of the sizes fits through the bus as YUYV at any of the frame_rates; "
                "add 640x360 and 15, or leave YUYV out",
            )
        return self

    @property
    def wish(self) -> Wish:
        """What is to be offered to hosts."""
        return wish_of(self)

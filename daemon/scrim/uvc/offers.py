"""What the camera offers a host: formats, sizes and frame rates, as far as the bus can carry them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

FourCC = Literal["MJPG", "YUYV"]

UNIT_HZ = 10_000_000
"""Frame intervals are counted in units of 100 ns."""

_HEADER_BYTES = 12
"""The longest header that Linux puts before the data of a packet (uvc_video.c)."""

_FULL_SPEED_PACKET_BYTES = 1023
_FULL_SPEED_SIZE = (640, 360)
_FULL_SPEED_RATE_HZ = 15


class Speed(IntEnum):
    """Of the bus, as the kernel numbers it (``enum usb_device_speed``)."""

    UNKNOWN = 0
    LOW = 1
    FULL = 2
    HIGH = 3
    WIRELESS = 4
    SUPER = 5
    SUPER_PLUS = 6


@dataclass(frozen=True, slots=True)
class FrameOffer:
    """One size of a format.

    Attributes:
        size: (width, height) in pixels.
        intervals: between frames, in 100 ns, the shortest first, as the kernel sorts them.
        buffer_bytes: the most that one picture takes.
    """

    size: tuple[int, int]
    intervals: tuple[int, ...]
    buffer_bytes: int


@dataclass(frozen=True, slots=True)
class FormatOffer:
    """One format. A frame's index, counted from 1, is its place in ``frames``; the first is the default."""

    fourcc: FourCC
    frames: tuple[FrameOffer, ...]


@dataclass(frozen=True, slots=True)
class Offers:
    """Everything that is offered at one speed of the bus.

    Attributes:
        formats: the first is the default; a format's index, counted from 1, is its place.
        packet_bytes: the most that goes out in one (micro)frame of the bus, ``dwMaxPayloadTransferSize``.
        bytes_per_s: what the bus carries at that.
    """

    formats: tuple[FormatOffer, ...]
    packet_bytes: int
    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be offered, where the bus can carry it.

    Attributes:
        formats: in order of preference.
        sizes: (width, height) in pixels, in order of preference.
        rates_hz: frames per second.
        packet_bytes: in one microframe at high speed: 1024, 2048 or 3072.
    """

    formats: Sequence[FourCC]
    sizes: Sequence[tuple[int, int]]
    rates_hz: Sequence[int]
    packet_bytes: int


def offers_at(speed: Speed, wish: Wish) -> Offers:
    """What of the wish the bus can carry at a speed.

    Uncompressed pictures are offered at the rates whose bytes fit. Compressed ones are offered at all rates:
    their quality gives way where the bus is too slow. At full speed, 12 Mbit/s, there is one small size.
    """
    if speed in (Speed.LOW, Speed.FULL):
        return _full_speed(wish)
    bytes_per_s = (wish.packet_bytes - _HEADER_BYTES) * 8000
    made = (_format(fourcc, wish.sizes, wish.rates_hz, bytes_per_s) for fourcc in wish.formats)
    return Offers(tuple(offer for offer in made if offer.frames), wish.packet_bytes, bytes_per_s)


def interval_of(rate_hz: int) -> int:
    """A frame rate's interval in 100 ns, rounded down, as cameras do: 333333 for 30 Hz."""
    return UNIT_HZ // rate_hz


def picture_bytes(fourcc: FourCC, size: tuple[int, int]) -> int:
    """The most that one picture takes.

    A JPEG gets a byte per pixel: at 15 frames per second and more the bus carries less than that for any size
    from 1280x720 on, and what is longer is compressed more.
    """
    return size[0] * size[1] * (2 if fourcc == "YUYV" else 1)


def _full_speed(wish: Wish) -> Offers:
    bytes_per_s = (_FULL_SPEED_PACKET_BYTES - _HEADER_BYTES) * 1000
    only = _format("MJPG", [_FULL_SPEED_SIZE], [_FULL_SPEED_RATE_HZ], bytes_per_s)
    return Offers((only,), min(wish.packet_bytes, _FULL_SPEED_PACKET_BYTES), bytes_per_s)


def _format(
    fourcc: FourCC, sizes: Sequence[tuple[int, int]], rates_hz: Sequence[int], bytes_per_s: int
) -> FormatOffer:
    frames = (_frame(fourcc, size, rates_hz, bytes_per_s) for size in sizes)
    return FormatOffer(fourcc, tuple(frame for frame in frames if frame.intervals))


def _frame(fourcc: FourCC, size: tuple[int, int], rates_hz: Sequence[int], bytes_per_s: int) -> FrameOffer:
    needed = picture_bytes(fourcc, size)
    fits = [rate for rate in rates_hz if fourcc == "MJPG" or needed * rate <= bytes_per_s]
    intervals = tuple(sorted({interval_of(rate) for rate in fits}))
    return FrameOffer(size, intervals, needed)

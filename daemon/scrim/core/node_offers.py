"""What a video node offers: pixel formats, sizes and frame rates."""

import ctypes
import errno
from collections.abc import Callable, Iterator
from typing import Any

import videodev2 as v4l2

Ioctl = Callable[[int, Any], None]
"""Makes an ioctl on one node: a request and its argument; raises OSError."""

_MOST_OFFERS = 1024


def formats(ioctl: Ioctl, direction: int) -> list[str]:
    """FourCCs, in the driver's order.

    Args:
        ioctl: of the node.
        direction: V4L2's buffer type.

    Raises:
        OSError: the node is gone.
    """
    descriptions = _enumerate(
        ioctl, v4l2.VIDIOC_ENUM_FMT, lambda index: v4l2.v4l2_fmtdesc(index=index, type=direction)
    )
    return [fourcc_text(description.pixelformat) for description in descriptions]


def nearest_size(ioctl: Ioctl, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:
    """The sizes offered for ``fourcc``; of a range, the one nearest to ``wanted``; none when not told.

    Raises:
        OSError: the node is gone.
    """
    number = fourcc_number(fourcc)
    offers = _enumerate(
        ioctl, ENUM_FRAMESIZES, lambda index: FrameSizeOffer(index=index, pixel_format=number)
    )
    sizes = []
    for offer in offers:
        if offer.type == v4l2.V4L2_FRMSIZE_TYPE_DISCRETE:
            sizes.append((int(offer.u.discrete.width), int(offer.u.discrete.height)))
            continue
        steps = offer.u.stepwise
        width = _on_step(wanted[0], steps.min_width, steps.max_width, steps.step_width)
        height = _on_step(wanted[1], steps.min_height, steps.max_height, steps.step_height)
        return [(width, height)]
    return sizes


def highest_rate(ioctl: Ioctl, fourcc: str, size: tuple[int, int]) -> float:
    """The most frames per second offered for (width, height) in pixels; 0 when not told.

    Raises:
        OSError: the node is gone.
    """
    number = fourcc_number(fourcc)
    offers = _enumerate(
        ioctl,
        ENUM_FRAMEINTERVALS,
        lambda index: FrameIntervalOffer(index=index, pixel_format=number, width=size[0], height=size[1]),
    )
    rates = [0.0]
    for offer in offers:
        discrete = offer.type == v4l2.V4L2_FRMIVAL_TYPE_DISCRETE
        shortest = offer.u.discrete if discrete else offer.u.stepwise.min
        if shortest.numerator:
            rates.append(shortest.denominator / shortest.numerator)
        if not discrete:
            break
    return max(rates)


def fourcc_number(fourcc: str) -> int:
    """The number V4L2 knows a pixel format by."""
    return int.from_bytes(fourcc.encode("ascii"), "little")


def fourcc_text(number: int) -> str:
    """The four characters of a pixel format's number; characters that are none become ``?``."""
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in int(number).to_bytes(4, "little"))


def _enumerate(ioctl: Ioctl, request: int, make: Callable[[int], Any]) -> Iterator[Any]:
    """Ask with index 0, 1, ... until the driver has no more; nothing when it cannot be asked."""
    for index in range(_MOST_OFFERS):
        offer = make(index)
        try:
            ioctl(request, offer)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
                return
            raise
        yield offer


def _on_step(wanted: int, lowest: int, highest: int, step: int) -> int:
    inside = min(max(wanted, lowest), highest)
    return int(lowest + (inside - lowest) // max(step, 1) * max(step, 1))


# The two enumerations that the PyPI package videodev2 leaves out, laid out as the kernel documents them.


class _SizeOffers(ctypes.Union):
    _fields_ = (("discrete", v4l2.v4l2_frmsize_discrete), ("stepwise", v4l2.v4l2_frmsize_stepwise))


class FrameSizeOffer(ctypes.Structure):
    """``struct v4l2_frmsizeenum``."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("u", _SizeOffers),
        ("reserved", ctypes.c_uint32 * 2),
    )


class _IntervalOffers(ctypes.Union):
    _fields_ = (("discrete", v4l2.v4l2_fract), ("stepwise", v4l2.v4l2_frmival_stepwise))


class FrameIntervalOffer(ctypes.Structure):
    """``struct v4l2_frmivalenum``."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("u", _IntervalOffers),
        ("reserved", ctypes.c_uint32 * 2),
    )


def _read_write(number: int, structure: type[ctypes.Structure]) -> int:
    """The ioctl number of a V4L2 request that is read and written: _IOWR('V', number, structure)."""
    return 3 << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


ENUM_FRAMESIZES = _read_write(74, FrameSizeOffer)
ENUM_FRAMEINTERVALS = _read_write(75, FrameIntervalOffer)

"""Probe and commit: how a host finds out what it can have, and takes it (section 4.3.1.1)."""

from dataclasses import dataclass, replace
from enum import IntEnum

from scrim.uvc.offers import FormatOffer, FourCC, FrameOffer, Offers
from scrim.uvc.requests import Fault, Info, RefusedError, Request, Setup
from scrim.uvc.stream_control import BLOCK_BYTES, StreamControl

DELAY_MS = 50
"""What we tell hosts of the time from camera to bus; none is known to use it."""


class Selector(IntEnum):
    """Controls of the streaming interface (table A-15)."""

    PROBE = 1
    COMMIT = 2


@dataclass(frozen=True, slots=True)
class Stream:
    """What was agreed on.

    Attributes:
        fourcc: ``MJPG`` or ``YUYV``.
        size: (width, height) in pixels.
        interval_s: between frames.
        buffer_bytes: the most that one picture takes.
        bytes_per_s: what the bus carries.
    """

    fourcc: FourCC
    size: tuple[int, int]
    interval_s: float
    buffer_bytes: int
    bytes_per_s: int


class Negotiation:
    """Answers the requests to the streaming interface.

    Whatever a host asks for, the answer is something that is offered: the index it named, or the nearest;
    the interval nearest to the one it named.

    Args:
        offers: at the speed of the bus.
    """

    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self._probe = self._nearest(StreamControl())
        self._committed: StreamControl | None = None

    @property
    def stream(self) -> Stream:
        """What was committed to; the default as long as nothing was."""
        chosen = self._committed or self._nearest(StreamControl())
        offer = self._offers.formats[chosen.format_index - 1]
        frame = offer.frames[chosen.frame_index - 1]
        return Stream(
            offer.fourcc,
            frame.size,
            chosen.interval / 10_000_000,
            frame.buffer_bytes,
            self._offers.bytes_per_s,
        )

    def answer(self, setup: Setup) -> bytes:
        """The answer to a question.

        Raises:
            RefusedError: there is no such control, or it cannot be asked this.
        """
        selector = _known(setup)
        match setup.request:
            case Request.GET_LEN:
                return BLOCK_BYTES.to_bytes(2, "little")
            case Request.GET_INFO:
                return bytes([Info.GET | Info.SET])
            case Request.GET_CUR if selector is Selector.COMMIT:
                return (self._committed or self._probe).packed()
            case Request.GET_CUR:
                return self._probe.packed()
            case Request.GET_DEF:
                return self._nearest(StreamControl()).packed()
            case Request.GET_MIN:
                return replace(self._probe, interval=self._frame(self._probe).intervals[0]).packed()
            case Request.GET_MAX:
                return replace(self._probe, interval=self._frame(self._probe).intervals[-1]).packed()
            case _:
                return StreamControl().packed()

    def may_set(self, setup: Setup) -> None:
        """Whether data for this control would be taken.

        Raises:
            RefusedError: there is no such control.
        """
        _known(setup)

    def take(self, setup: Setup, data: bytes) -> None:
        """Take what a host sent after a request that ``may_set`` let pass."""
        wanted = self._nearest(StreamControl.of(data))
        self._probe = wanted
        if setup.selector == Selector.COMMIT:
            self._committed = wanted

    def _nearest(self, wish: StreamControl) -> StreamControl:
        formats = self._offers.formats
        format_index = min(max(wish.format_index, 1), len(formats))
        frames = formats[format_index - 1].frames
        frame_index = min(max(wish.frame_index, 1), len(frames))
        frame = frames[frame_index - 1]
        return StreamControl(
            hint=wish.hint & 1,
            format_index=format_index,
            frame_index=frame_index,
            interval=_nearest_interval(frame, wish.interval),
            delay_ms=DELAY_MS,
            frame_bytes=frame.buffer_bytes,
            packet_bytes=self._offers.packet_bytes,
        )

    def _frame(self, control: StreamControl) -> FrameOffer:
        offer: FormatOffer = self._offers.formats[control.format_index - 1]
        return offer.frames[control.frame_index - 1]


def _nearest_interval(frame: FrameOffer, wanted: int) -> int:
    """0 stands for the default, which is the highest rate."""
    return min(frame.intervals, key=lambda interval: abs(interval - wanted))


def _known(setup: Setup) -> Selector:
    try:
        return Selector(setup.selector)
    except ValueError:
        raise RefusedError(Fault.INVALID_CONTROL) from None

"""The block of parameters in which host and camera agree on a stream (table 4-47)."""

import struct
from dataclasses import dataclass
from typing import Self

_LAYOUT = struct.Struct("<HBBIHHHHHIIIBBBB")

BLOCK_BYTES = _LAYOUT.size
"""34 in revision 1.1, which is what we are. Revision 1.0 ends after 26, revision 1.5 after 48."""

CLOCK_HZ = 48_000_000
"""Of the time stamps that the kernel writes (uvc_video.c)."""

_FRAME_ID_AND_END = 0x03


@dataclass(frozen=True, slots=True)
class StreamControl:
    """The fields that mean something to this camera; the others are 0.

    Attributes:
        hint: which fields the host wants kept (``bmHint``).
        format_index: counted from 1.
        frame_index: counted from 1.
        interval: between frames, in 100 ns.
        delay_ms: from camera to bus.
        frame_bytes: the most that one picture takes.
        packet_bytes: the most that goes out at once.
    """

    hint: int = 0
    format_index: int = 0
    frame_index: int = 0
    interval: int = 0
    delay_ms: int = 0
    frame_bytes: int = 0
    packet_bytes: int = 0

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read what a host sent; what it left out is 0, what is longer than ours is not looked at."""
        padded = data[:BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")
        hint, format_index, frame_index, interval, *_ = _LAYOUT.unpack(padded)
        return cls(hint, format_index, frame_index, interval)

    def packed(self) -> bytes:
        """The block as a host reads it."""
        return _LAYOUT.pack(
            self.hint,
            self.format_index,
            self.frame_index,
            self.interval,
            *(0, 0, 0, 0),
            self.delay_ms,
            self.frame_bytes,
            self.packet_bytes,
            CLOCK_HZ,
            _FRAME_ID_AND_END,
            *(1, 1, 1),
        )

"""A USB host's control requests: of each 24 bytes, 8 are the set-up packet and the rest its data."""

import struct

from tests.fuzz.target import promise

from scrim.config import GadgetSettings
from scrim.uvc.controls import Levels, LoneShutter
from scrim.uvc.conversation import Conversation
from scrim.uvc.offers import Speed, offers_at
from scrim.uvc.requests import MAX_DATA_BYTES, Request

_STEP = 56


class Uvc:
    """A camera that stays within its offers, whatever the host says; it lives on from input to input."""

    limit_s = 1.0

    def __init__(self) -> None:
        self._levels, self._shutter = Levels(), LoneShutter()
        self._wish = GadgetSettings().wish
        self._talk = Conversation(self._wish, self._levels, self._shutter)
        self._offers = offers_at(Speed.HIGH, self._wish)
        requests = [
            struct.pack(
                "<BBHHH", 0x21 if request is Request.SET_CUR else 0xA1, request, selector << 8, index, 34
            )
            for request in Request
            for selector, index in (
                (1, 1),
                (2, 1),
                (0x0B, 0x100),
                (0x11, 0x100),
                (2, 0x200),
                (3, 0x200),
                (2, 0),
            )
        ]
        block = struct.pack("<HBBIHHHHHIIIBBBB", 1, 1, 1, 333333, *(0,) * 12).ljust(_STEP - 8, b"\0")
        self.seeds = [request + block for request in requests]
        self.words = [*requests, b"\xff\xff\xff\xff", b"\x00\x80"]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        said = []
        for at in range(0, min(len(data), 16 * _STEP), _STEP):
            packet, more = data[at : at + 8], data[at + 8 : at + _STEP]
            answer = self._talk.setup(packet)
            promise(answer is None or len(answer) <= MAX_DATA_BYTES, "a long answer")
            promise(
                answer is None or len(answer) <= int.from_bytes(packet[6:8], "little"), "more than is taken"
            )
            self._talk.data(more)
            said.append("-" if answer is None else f"{packet[1]:x}/{packet[3]:x}")
            self._check()
        return " ".join(said[:4])

    def _check(self) -> None:
        stream, levels = self._talk.stream, self._levels
        frames = [
            frame for offer in self._offers.formats if offer.fourcc == stream.fourcc for frame in offer.frames
        ]
        frame = next((frame for frame in frames if frame.size == stream.size), None)
        promise(frame is not None, f"a stream of {stream}")
        promise(
            frame and round(stream.interval_s * 1e7) in frame.intervals, f"an interval of {stream.interval_s}"
        )
        promise(
            100 <= levels.zoom <= 300 and 0 <= levels.contrast <= 200 and -64 <= levels.brightness <= 64,
            f"{levels}",
        )

    def close(self) -> None:
        """See ``Target``."""

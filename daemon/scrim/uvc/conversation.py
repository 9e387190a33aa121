"""A whole conversation with a host: set-up packets and data in, answers out."""

from scrim.uvc.controls import Controls, Levels, Shutter
from scrim.uvc.negotiation import Negotiation, Stream
from scrim.uvc.offers import Speed, Wish, offers_at
from scrim.uvc.requests import MAX_DATA_BYTES, Fault, Interface, RefusedError, Request, Setup


class Conversation:
    """Answers a host. Used from one thread; knows no device.

    Args:
        wish: what is to be offered.
        levels: what a host sets.
        shutter: of the camera.
    """

    def __init__(self, wish: Wish, levels: Levels, shutter: Shutter) -> None:
        self._wish = wish
        self._controls = Controls(levels, shutter)
        self._awaited: Setup | None = None
        self.connect(Speed.HIGH)

    def connect(self, speed: Speed) -> None:
        """A host is there, or another; what was agreed with the last one is forgotten."""
        self._awaited = None
        self._negotiation = Negotiation(offers_at(speed, self._wish))

    @property
    def stream(self) -> Stream:
        """What the host will get when it starts the stream."""
        return self._negotiation.stream

    def setup(self, packet: bytes) -> bytes | None:
        """Answer a set-up packet.

        Args:
            packet: 8 bytes; anything else is refused.

        Returns:
            What to send, at most 60 bytes and no more than the host takes; for a request that brings data, as
            many zeros as there will be data, which then belong into ``data``. None to refuse (stall).
        """
        self._awaited = None
        try:
            setup = Setup.of(packet)
            answer = self._answer(setup)
        except RefusedError as refused:
            self._controls.fault = refused.fault
            return None
        self._controls.fault = Fault.NONE
        return answer[: min(setup.length, MAX_DATA_BYTES)]

    def data(self, data: bytes) -> None:
        """Take the data of the last set-up packet; what nobody asked for is ignored.

        A value that is not allowed changes nothing: it is too late to refuse, but the host can ask.
        """
        setup, self._awaited = self._awaited, None
        if setup is None:
            return
        try:
            self._part(setup).take(setup, data[: setup.length])
        except RefusedError as refused:
            self._controls.fault = refused.fault

    def _answer(self, setup: Setup) -> bytes:
        part = self._part(setup)
        if setup.request is not Request.SET_CUR:
            return part.answer(setup)
        part.may_set(setup)
        if not 0 < setup.length <= MAX_DATA_BYTES:
            raise RefusedError(Fault.INVALID_REQUEST)
        self._awaited = setup
        return bytes(setup.length)

    def _part(self, setup: Setup) -> Controls | Negotiation:
        return self._controls if setup.interface is Interface.CONTROL else self._negotiation

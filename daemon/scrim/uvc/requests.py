"""A host's requests as they arrive (section 4)."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

SETUP_BYTES = 8
"""Of the packet that opens a control transfer (USB 2.0, section 9.3)."""

MAX_DATA_BYTES = 60
"""The most that the kernel carries either way in one control transfer (``struct uvc_request_data``)."""

_CLASS_OF_INTERFACE = 0x21
_TO_HOST = 0x80


class Request(IntEnum):
    """Class-specific request codes (table A-8)."""

    SET_CUR = 0x01
    GET_CUR = 0x81
    GET_MIN = 0x82
    GET_MAX = 0x83
    GET_RES = 0x84
    GET_LEN = 0x85
    GET_INFO = 0x86
    GET_DEF = 0x87


class Interface(IntEnum):
    """The two interfaces of a camera, as the kernel numbers them for us, whatever their number on the bus."""

    CONTROL = 0
    STREAMING = 1


class Fault(IntEnum):
    """Why a request was refused (table 4-7)."""

    NONE = 0x00
    NOT_READY = 0x01
    WRONG_STATE = 0x02
    OUT_OF_RANGE = 0x04
    INVALID_UNIT = 0x05
    INVALID_CONTROL = 0x06
    INVALID_REQUEST = 0x07


class Info(IntEnum):
    """What GET_INFO says of a control (table 4-3)."""

    GET = 0x01
    SET = 0x02
    AUTO_UPDATE = 0x08


class RefusedError(Exception):
    """A request that is answered with a stall.

    Attributes:
        fault: what the host is told when it asks why.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Setup:
    """One request to a unit or interface of the camera.

    Attributes:
        request: what is wanted.
        selector: the control it is about.
        unit: the unit or terminal; 0 for the interface itself.
        interface: control or streaming.
        length: how many bytes the host will send, or takes at most.
    """

    request: Request
    selector: int
    unit: int
    interface: Interface
    length: int

    @classmethod
    def of(cls, packet: bytes) -> Self:
        """Read a set-up packet.

        Raises:
            RefusedError: it is no request of this class, or its direction is wrong.
        """
        if len(packet) != SETUP_BYTES:
            raise RefusedError(Fault.INVALID_REQUEST)
        kind, code, value, index, length = struct.unpack("<BBHHH", packet)
        if kind & ~_TO_HOST != _CLASS_OF_INTERFACE or (kind ^ code) & _TO_HOST:
            raise RefusedError(Fault.INVALID_REQUEST)
        try:
            return cls(Request(code), value >> 8, index >> 8, Interface(index & 0xFF), length)
        except ValueError:
            raise RefusedError(Fault.INVALID_REQUEST) from None

"""Camera terminal and processing unit: what a host can turn (sections 4.2.2.1 and 4.2.2.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scrim.uvc.requests import Fault, Info, RefusedError, Request, Setup

CAMERA_TERMINAL = 1
PROCESSING_UNIT = 2
OUTPUT_TERMINAL = 3
"""Numbers of the units, as the kernel gives them (f_uvc.c)."""

ZOOM, PRIVACY = 0x0B, 0x11
BRIGHTNESS, CONTRAST = 0x02, 0x03
"""Control selectors (tables A-12 and A-13)."""

CAMERA_CONTROLS = 1 << 9 | 1 << 18
"""``bmControls`` of the camera terminal: zoom (absolute) and privacy."""

PROCESSING_CONTROLS = 1 << 0 | 1 << 1
"""``bmControls`` of the processing unit: brightness and contrast."""

_ERROR_CODE = 0x02
_INTERFACE_ITSELF = 0


class Shutter(Protocol):
    """The camera's privacy, as far as a host has a say. From any thread; never waits."""

    @property
    def is_private(self) -> bool:
        """Whether the camera is closed, by whoever."""

    def set_private(self, is_private: bool) -> None:
        """Close the camera, or have nothing against its use any more."""


@dataclass(slots=True)
class LoneShutter:
    """A shutter that nobody but the host moves."""

    is_private: bool = False

    def set_private(self, is_private: bool) -> None:
        """See :class:`Shutter`."""
        self.is_private = is_private


@dataclass(slots=True)
class Levels:
    """What a host has set; another thread may read it at any time.

    Attributes:
        brightness: added to luma, -64 to 64.
        contrast: percent, 0 to 200.
        zoom: percent, 100 to 300.
    """

    brightness: int = 0
    contrast: int = 100
    zoom: int = 100


@dataclass(frozen=True, slots=True)
class Range:
    """What values a control has.

    Attributes:
        size_bytes: of a value.
        lowest: the smallest.
        highest: the largest.
        default: after a reset.
        is_signed: two's complement.
        changes_itself: somebody else than the host changes it too.
    """

    size_bytes: int
    lowest: int
    highest: int
    default: int
    is_signed: bool = False
    changes_itself: bool = False

    def packed(self, value: int) -> bytes:
        """A value as a host reads it."""
        return value.to_bytes(self.size_bytes, "little", signed=self.is_signed)

    def value(self, data: bytes) -> int:
        """What a host sent.

        Raises:
            RefusedError: it is too short or out of range.
        """
        value = int.from_bytes(data[: self.size_bytes], "little", signed=self.is_signed)
        if len(data) < self.size_bytes or not self.lowest <= value <= self.highest:
            raise RefusedError(Fault.OUT_OF_RANGE)
        return value


@dataclass(frozen=True, slots=True)
class Control:
    """Something that a host can turn."""

    range: Range
    get: Callable[[], int]
    set: Callable[[int], None]


class Controls:
    """Answers the requests to the control interface.

    Args:
        levels: what a host sets.
        shutter: of the camera.

    Attributes:
        fault: why the last request was refused; a host may ask for it.
    """

    def __init__(self, levels: Levels, shutter: Shutter) -> None:
        self.fault = Fault.NONE
        self._controls = {
            (CAMERA_TERMINAL, ZOOM): _level(levels, "zoom", Range(2, 100, 300, 100)),
            (CAMERA_TERMINAL, PRIVACY): Control(
                Range(1, 0, 1, 0, changes_itself=True),
                lambda: int(shutter.is_private),
                lambda value: shutter.set_private(bool(value)),
            ),
            (PROCESSING_UNIT, BRIGHTNESS): _level(levels, "brightness", Range(2, -64, 64, 0, is_signed=True)),
            (PROCESSING_UNIT, CONTRAST): _level(levels, "contrast", Range(2, 0, 200, 100)),
        }

    def answer(self, setup: Setup) -> bytes:
        """The answer to a question.

        Raises:
            RefusedError: there is no such unit or control, or it cannot be asked this.
        """
        if setup.unit == _INTERFACE_ITSELF and setup.selector == _ERROR_CODE:
            return self._answer_fault(setup.request)
        return _answer(self._control(setup), setup.request)

    def may_set(self, setup: Setup) -> None:
        """Whether data for this control would be taken.

        Raises:
            RefusedError: there is no such unit or control.
        """
        self._control(setup)

    def take(self, setup: Setup, data: bytes) -> None:
        """Take what a host sent after a request that ``may_set`` let pass.

        Raises:
            RefusedError: the value is not allowed; the one before stays.
        """
        control = self._control(setup)
        control.set(control.range.value(data))

    def _control(self, setup: Setup) -> Control:
        found = self._controls.get((setup.unit, setup.selector))
        if found is not None:
            return found
        is_unit = setup.unit in (_INTERFACE_ITSELF, CAMERA_TERMINAL, PROCESSING_UNIT, OUTPUT_TERMINAL)
        raise RefusedError(Fault.INVALID_CONTROL if is_unit else Fault.INVALID_UNIT)

    def _answer_fault(self, request: Request) -> bytes:
        match request:
            case Request.GET_CUR:
                return bytes([self.fault])
            case Request.GET_INFO:
                return bytes([Info.GET])
            case Request.GET_LEN:
                return (1).to_bytes(2, "little")
            case _:
                raise RefusedError(Fault.INVALID_REQUEST)


def _level(levels: Levels, name: str, allowed: Range) -> Control:
    return Control(allowed, lambda: int(getattr(levels, name)), lambda value: setattr(levels, name, value))


def _answer(control: Control, request: Request) -> bytes:
    allowed = control.range
    match request:
        case Request.GET_CUR:
            return allowed.packed(control.get())
        case Request.GET_MIN:
            return allowed.packed(allowed.lowest)
        case Request.GET_MAX:
            return allowed.packed(allowed.highest)
        case Request.GET_RES:
            return allowed.packed(1)
        case Request.GET_DEF:
            return allowed.packed(allowed.default)
        case Request.GET_LEN:
            return allowed.size_bytes.to_bytes(2, "little")
        case _:
            return bytes([Info.GET | Info.SET | (Info.AUTO_UPDATE if allowed.changes_itself else 0)])

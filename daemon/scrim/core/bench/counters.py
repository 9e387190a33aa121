"""Cycles and instructions of this process, by the processor's counters where the system lets us have them."""

import ctypes
import os
import struct
from dataclasses import dataclass

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "armv7l": 364, "armv8l": 364}
"""Number of the system call, by machine; see perf_event_open(2)."""

_HARDWARE, _CYCLES, _INSTRUCTIONS = 0, 0, 1
_ATTRIBUTE_BYTES = 64
"""Size of the first version of ``perf_event_attr``, which every kernel takes."""

_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted, in user mode, all threads; None where it cannot be.

    Attributes:
        cycles: of the processor.
        instructions: that were retired.
    """

    cycles: int | None
    instructions: int | None


class Counters:
    """Counts from now on, this thread and all that are started after. Many virtual machines have none."""

    def __init__(self) -> None:
        self._cycles, self._instructions = _open(_CYCLES), _open(_INSTRUCTIONS)

    def read(self) -> Counts:
        """What was counted so far."""
        return Counts(_read(self._cycles), _read(self._instructions))

    def close(self) -> None:
        """Stop counting."""
        for handle in (self._cycles, self._instructions):
            if handle is not None:
                os.close(handle)
        self._cycles = self._instructions = None


def per_frame(before: Counts, after: Counts, frames: int) -> tuple[float | None, float | None]:
    """Cycles and instructions that a frame took."""
    return (
        _mean(before.cycles, after.cycles, frames),
        _mean(before.instructions, after.instructions, frames),
    )


def _mean(before: int | None, after: int | None, frames: int) -> float | None:
    return None if before is None or after is None else (after - before) / frames


def _open(event: int) -> int | None:
    number = _PERF_EVENT_OPEN.get(os.uname().machine)
    if number is None:
        return None
    flags = _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    attribute = struct.pack("=IIQQQQQ", _HARDWARE, _ATTRIBUTE_BYTES, event, 0, 0, 0, flags)
    padded = ctypes.create_string_buffer(attribute, _ATTRIBUTE_BYTES)
    handle = int(ctypes.CDLL(None).syscall(number, padded, 0, -1, -1, 0))
    return handle if handle >= 0 else None


def _read(handle: int | None) -> int | None:
    return None if handle is None else int.from_bytes(os.read(handle, 8), "little")

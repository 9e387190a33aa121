"""Video nodes without a kernel: a camera and a loopback device that behave as their drivers do."""

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Self

import numpy as np
import videodev2 as v4l2

from scrim.core.node_controls import Control
from scrim.core.videodev2 import LOOPBACK_DRIVER, Capability, Direction, Filled, Format
from scrim.frame import Plane

Sizes = Mapping[str, Mapping[tuple[int, int], float]]
"""What a camera offers: FourCC to size to the highest frame rate."""

_CAMERA_FLAGS = v4l2.V4L2_CAP_VIDEO_CAPTURE | v4l2.V4L2_CAP_STREAMING
_LOOPBACK_FLAGS = v4l2.V4L2_CAP_VIDEO_OUTPUT | v4l2.V4L2_CAP_READWRITE | v4l2.V4L2_CAP_STREAMING


_INTERVAL_S = 0.002
"""The fake camera takes a picture every so often, when somebody waits for it."""


def _refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class FakeNode:
    """What both fakes have in common: errors on demand.

    Attributes:
        failures: method name to the errno it raises next and from then on.
        is_open: False after ``close``.
        turnable: the controls, see ``with_controls``.
        values: theirs, by number.
        tells: whether it tells of readers.
        reading: how many there are.
        when_silent: the picture to be shown when nothing is written; None while there is none.
    """

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self.is_open = True
        self.turnable: tuple[Control, ...] = ()
        self.values: dict[int, int | None] = {}
        self.tells = False
        self.reading = 0
        self.when_silent: bytes | None = None
        self._told: int | None = None

    def with_controls(self, *controls: Control) -> Self:
        """Have these controls, at their values."""
        self.turnable = controls
        self.values = {control.number: control.value for control in controls}
        return self

    def controls(self) -> list[Control]:
        """Those that were given, as they stand."""
        return [replace(control, value=self.values[control.number]) for control in self.turnable]

    def set_control(self, number: int, value: int) -> None:
        """Take any value that is in range, ERANGE for others."""
        self.fail("set_control")
        control = next((control for control in self.turnable if control.number == number), None)
        if control is None:
            raise _refusal(errno.EINVAL)
        if not control.lowest <= value <= control.highest:
            raise _refusal(errno.ERANGE)
        self.values[number] = value

    def claim_output(self) -> None:
        """Refused, as by all that take no pictures without buffers."""
        raise _refusal(errno.EINVAL)

    def show_when_silent(self, picture: Plane, given: Format, after_ms: int) -> None:  # noqa: ARG002
        """Keep the picture."""
        self.fail("show_when_silent")
        self.when_silent = picture.tobytes()

    def tell_of_readers(self) -> bool:
        """As ``tells`` says."""
        return self.tells

    def readers(self) -> int | None:
        """``reading``, when that has changed."""
        told, self._told = self._told, self.reading
        return None if told == self.reading else self.reading

    def fail(self, method: str) -> None:
        """Raise the OSError planned for ``method``, if any."""
        if method in self.failures:
            raise _refusal(self.failures[method])

    def close(self) -> None:
        """Let the node go."""
        self.is_open = False


class FakeCamera(FakeNode):
    """A camera whose pictures are given to it.

    Args:
        sizes: what it offers.
        picture: the bytes of picture n in the format that was set.
        stride: bytes from row to row that it answers; 0 for rows without padding.
        flags: ``V4L2_CAP_*``.

    Attributes:
        waiting: numbers of the pictures that were taken and not fetched.
        paused: takes no pictures while True, as a camera that stalls.
    """

    def __init__(
        self,
        sizes: Sizes,
        picture: Callable[[Format, int], bytes],
        stride: int = 0,
        flags: int = _CAMERA_FLAGS,
    ) -> None:
        super().__init__()
        self._sizes = sizes
        self._picture = picture
        self._stride = stride
        self._flags = flags
        self._format: Format | None = None
        self._free: deque[int] = deque()
        self._taken = 0
        self.waiting: deque[int] = deque()
        self.paused = False
        self.damaged: set[int] = set()
        self.is_streaming = False

    def capability(self) -> Capability:
        """A camera."""
        self.fail("capability")
        return Capability("fake", "Fake Camera", self._flags)

    def formats(self, direction: Direction) -> list[str]:
        """As constructed."""
        return list(self._sizes) if direction is Direction.CAPTURE else []

    def nearest_size(self, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:  # noqa: ARG002
        """As constructed."""
        return list(self._sizes[fourcc])

    def highest_rate(self, fourcc: str, size: tuple[int, int]) -> float:
        """As constructed."""
        return self._sizes[fourcc].get(size, 0.0)

    def set_format(self, direction: Direction, fourcc: str, size: tuple[int, int]) -> Format:
        """Takes what it offers; refuses the rest as drivers do, by answering with something else."""
        self.fail("set_format")
        if direction is not Direction.CAPTURE:
            raise _refusal(errno.EINVAL)
        given = size if size in self._sizes[fourcc] else next(iter(self._sizes[fourcc]))
        self._format = Format(fourcc, given, self._stride, given[0] * given[1] * 2)
        return self._format

    def set_frame_rate(self, direction: Direction, frame_rate: float) -> float:  # noqa: ARG002
        """At most what the format offers."""
        assert self._format is not None  # noqa: S101
        return min(frame_rate, self._sizes[self._format.fourcc][self._format.size])

    def start(self, buffers: int) -> None:
        """Start taking pictures."""
        self.fail("start")
        self._free = deque(range(buffers))
        self.is_streaming = True

    def take(self, count: int = 1) -> None:
        """Take pictures at once, as many as there are free buffers."""
        for _ in range(min(count, len(self._free))):
            self._free.popleft()
            self.waiting.append(self._taken)
            self._taken += 1

    def ready(self, limit_s: float) -> bool:
        """Takes one picture when somebody waits for it; a stalled camera lets them wait."""
        self.fail("ready")
        if not self.waiting and limit_s > 0:
            if self.paused:
                time.sleep(limit_s)
            else:
                time.sleep(min(limit_s, _INTERVAL_S))
                self.take()
        return bool(self.waiting)

    def dequeue(self) -> Filled:
        """The oldest picture."""
        self.fail("dequeue")
        if not self.waiting:
            raise _refusal(errno.EAGAIN)
        assert self._format is not None  # noqa: S101
        number = self.waiting.popleft()
        data = np.frombuffer(self._picture(self._format, number), np.uint8)
        return Filled(number, data, time.monotonic_ns(), number in self.damaged)

    def queue(self, index: int) -> None:
        """Take the buffer back."""
        self.fail("queue")
        self._free.append(index)

    def write(self, data: Plane, limit_s: float) -> int:  # noqa: ARG002
        """Cameras take nothing."""
        raise _refusal(errno.EINVAL)

    def stop(self) -> None:
        """Stop taking pictures."""
        self.fail("stop")
        self.waiting.clear()
        self.is_streaming = False


class FakeLoopback(FakeNode):
    """A v4l2loopback device.

    Args:
        accepts: the formats it lets itself be set to.
        flags: ``V4L2_CAP_*``.
        driver: what it says it is.

    Attributes:
        written: the pictures that were written, at most the last eight.
        room: how many more pictures it takes before it has no room; None for any number.
        takes_bytes: of each picture; None for all.
        is_stuck: refuses every format, as 0.12 does, until somebody claimed and closed it; None: never does.
    """

    def __init__(
        self,
        accepts: tuple[str, ...] = ("YU12", "YUYV", "NV12"),
        flags: int = _LOOPBACK_FLAGS,
        driver: str = LOOPBACK_DRIVER,
    ) -> None:
        super().__init__()
        self._accepts = accepts
        self._flags = flags
        self._driver = driver
        self.format: Format | None = None
        self.written: deque[bytes] = deque(maxlen=8)
        self.room: int | None = None
        self.takes_bytes: int | None = None
        self.is_stuck: bool | None = None
        self._is_claimed = False

    def capability(self) -> Capability:
        """A loopback device."""
        self.fail("capability")
        return Capability(self._driver, "Fake Loopback", self._flags)

    def formats(self, direction: Direction) -> list[str]:
        """What can be set."""
        return list(self._accepts) if direction is Direction.OUTPUT else []

    def nearest_size(self, fourcc: str, wanted: tuple[int, int]) -> list[tuple[int, int]]:  # noqa: ARG002
        """Any."""
        return [wanted]

    def highest_rate(self, fourcc: str, size: tuple[int, int]) -> float:  # noqa: ARG002
        """Not told."""
        return 0.0

    def set_format(self, direction: Direction, fourcc: str, size: tuple[int, int]) -> Format:
        """Takes what it accepts, EINVAL for the rest."""
        self.fail("set_format")
        if direction is not Direction.OUTPUT or fourcc not in self._accepts or self.is_stuck:
            raise _refusal(errno.EINVAL)
        width, height = size
        wide = 2 if fourcc == "YUYV" else 1
        self.format = Format(fourcc, size, width * wide, width * height * (4 if wide == 2 else 3) // 2)
        return self.format

    def claim_output(self) -> None:
        """As 0.12 takes it, and 0.15 does not."""
        if self.is_stuck is None:
            super().claim_output()
        self._is_claimed = True

    def close(self) -> None:
        """What was written to and not claimed sticks, if it is of that kind."""
        if self.is_stuck is not None:
            self.is_stuck = not self._is_claimed and bool(self.is_stuck or self.written)
        self._is_claimed = False
        super().close()

    def set_frame_rate(self, direction: Direction, frame_rate: float) -> float:  # noqa: ARG002
        """Any."""
        self.fail("set_frame_rate")
        return frame_rate

    def start(self, buffers: int) -> None:  # noqa: ARG002
        """It is written to, not streamed."""
        raise _refusal(errno.EINVAL)

    def ready(self, limit_s: float) -> bool:  # noqa: ARG002
        """Nothing comes out of this side."""
        return False

    def dequeue(self) -> Filled:
        """Nothing comes out of this side."""
        raise _refusal(errno.EINVAL)

    def queue(self, index: int) -> None:  # noqa: ARG002
        """Nothing comes out of this side."""
        raise _refusal(errno.EINVAL)

    def write(self, data: Plane, limit_s: float) -> int:
        """Keep the picture, or what is taken of it."""
        self.fail("write")
        if self.room is not None:
            if not self.room:
                time.sleep(limit_s)
                return 0
            self.room -= 1
        taken = data.tobytes()[: self.takes_bytes]
        self.written.append(taken)
        return len(taken)

    def stop(self) -> None:
        """Nothing to stop."""

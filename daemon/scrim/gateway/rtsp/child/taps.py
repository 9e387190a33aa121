"""Where encoded units go: each tap is the source of one pipeline that sends them on."""

import threading
from enum import Enum, auto

from scrim.gateway.rtsp.child.encoder import LEAST_STEP_NS, Unit
from scrim.gateway.rtsp.child.encoders import UNIT_CAPS
from scrim.gateway.rtsp.child.gst import Gst

_MOST_QUEUED = 60
"""Units that one pipeline may be behind: two seconds. Then it starts anew at a key frame."""

SOURCE = f"appsrc name=units is-live=true format=time block=false max-bytes=0 caps={UNIT_CAPS}"
"""A tap's element, for ``Gst.parse_launch``."""


class Gate(Enum):
    """What a tap lets through."""

    FIRST = auto()
    """One key frame, so that the stream can be described; nobody is shown it before he plays."""

    SHUT = auto()
    OPEN = auto()


class Tap:
    """One pipeline's source. From any thread.

    Args:
        source: an element made from ``SOURCE``.
        gate: what is let through first.

    Attributes:
        given: units let through so far.
    """

    def __init__(self, source: Gst.Element, gate: Gate) -> None:
        self._source = source
        self._gate = gate
        self._needs_key = True
        self._last_pts = -LEAST_STEP_NS
        self._lock = threading.Lock()
        self.given = 0

    def set(self, gate: Gate) -> None:
        """Let other units through from now on; the first is a key frame."""
        with self._lock:
            self._gate = gate
            self._needs_key = True

    def give(self, unit: Unit) -> None:
        """Let one unit through, or not."""
        with self._lock:
            if self._gate is Gate.SHUT or (self._needs_key and not unit.is_key):
                return
            if self._source.get_property("current-level-buffers") >= _MOST_QUEUED:
                self._needs_key = True
                return
            self._needs_key = False
            self._last_pts = self._pts(unit)
            self.given += 1
            self._source.emit("push-buffer", _stamped(unit, self._last_pts))
            if self._gate is Gate.FIRST:
                self._gate = Gate.SHUT

    def _pts(self, unit: Unit) -> int:
        """The capture time as this pipeline counts time, which has no beginning until it plays."""
        base_ns = self._source.get_base_time()
        running_ns = unit.pts_ns - base_ns if base_ns else 0
        return max(running_ns, self._last_pts + LEAST_STEP_NS)


def _stamped(unit: Unit, pts: int) -> Gst.Buffer:
    """The unit with another time; its bytes are shared."""
    shared = Gst.BufferCopyFlags.FLAGS | Gst.BufferCopyFlags.MEMORY
    own = unit.buffer.copy_region(shared, 0, unit.buffer.get_size())
    own.pts = own.dts = pts
    return own

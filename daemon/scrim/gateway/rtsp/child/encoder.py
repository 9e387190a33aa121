"""One encoding pipeline: pictures in, H.264 access units out, for everybody who watches."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from scrim.gateway.rtsp.child.encoders import Kind, Rate
from scrim.gateway.rtsp.child.gst import GLib, Gst, GstVideo, load_plugin
from scrim.gateway.rtsp.child.pictures import Canvas

log = logging.getLogger(__name__)

MOST_QUEUED = 2
"""Pictures that may wait for the encoder; a later one is not taken in, and counted."""

HUNG_S = 3.0
"""An encoder that takes pictures and gives nothing for this long is given up."""

LONGEST_LOOK_S = 0.5
"""Between two looks so much counts at the most: a machine that stops is no encoder that hangs."""

LEAST_STEP_NS = 1_000_000
"""From one time stamp to the next; those of RTP count 90 kHz, and no two pictures may have the same."""

_MIN_KEY_INTERVAL_NS = 250_000_000
"""Between two key frames that somebody asked for."""

OnUnit = Callable[["Unit"], None]


@dataclass(frozen=True, slots=True)
class Unit:
    """One encoded picture.

    Attributes:
        buffer: an access unit; its own time stamps say nothing.
        pts_ns: capture time of the picture, ns of CLOCK_MONOTONIC.
        is_key: whether decoding can begin here.
    """

    buffer: Gst.Buffer
    pts_ns: int
    is_key: bool


class Encoder:
    """Encodes for as long as it is open.

    Args:
        kind: which encoder.
        rate: what is asked of it.
        canvas: the pictures' buffers; the encoder's to close from now on.
        on_unit: called in the pipeline's thread.
        on_fault: called once, in GLib's loop, with what went wrong; the encoder is of no use then.

    Raises:
        GLib.Error: the pipeline cannot be made.

    Attributes:
        taken: pictures taken in.
        given: units given out.
        dropped: pictures that came while the encoder was behind.
    """

    def __init__(
        self, kind: Kind, rate: Rate, canvas: Canvas, on_unit: OnUnit, on_fault: Callable[[str], None]
    ) -> None:
        self.kind = kind
        self.canvas = canvas
        self.size = canvas.size
        self.taken = self.given = self.dropped = 0
        self._on_unit = on_unit
        self._on_fault: Callable[[str], None] | None = on_fault
        self._pts_ns = -1
        self._looked_s = time.monotonic()
        self._silent_s = 0.0
        self._seen = 0
        load_plugin(kind.plugin)
        self._pipeline = Gst.parse_launch(
            f"appsrc name=pictures is-live=true format=time block=false ! {kind.launch(rate)} "
            "! appsink name=units sync=false async=false emit-signals=true max-buffers=0"
        )
        self._source = self._pipeline.get_by_name("pictures")
        self._source.set_property("caps", canvas.caps)
        self._encoder = self._pipeline.get_by_name("encoder")
        self._encoder.set_property("min-force-key-unit-interval", _MIN_KEY_INTERVAL_NS)
        self._sink = self._pipeline.get_by_name("units")
        self._sink.connect("new-sample", self._take)
        self._bus = self._pipeline.get_bus()
        self._bus.add_signal_watch()
        self._bus.connect("message::error", self._fault)
        if self._pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            GLib.idle_add(self._give_up, f"{kind.name} does not start")

    @property
    def is_behind(self) -> bool:
        """Whether it has enough to do; a picture that comes now is counted as dropped."""
        if self._source.get_property("current-level-buffers") < MOST_QUEUED:
            return False
        self.dropped += 1
        return True

    def push(self, picture: Gst.Buffer, pts_ns: int) -> None:
        """Encode one picture; its time may not go back, and is moved on a little where it does."""
        self._pts_ns = max(pts_ns, self._pts_ns + LEAST_STEP_NS)
        picture.pts = self._pts_ns
        picture.dts = Gst.CLOCK_TIME_NONE
        self.taken += 1
        self._source.emit("push-buffer", picture)

    def force_key(self) -> None:
        """Make the next unit a key frame. From any thread."""
        if self.kind.name == "v4l2h264enc":
            self._encoder.set_property("extra-controls", Gst.Structure.from_string("c,force_key_frame=1")[0])
            return
        event = GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 0)
        self._sink.send_event(event)

    def check(self) -> None:
        """Give it up where it hangs; to be called now and then in GLib's loop."""
        now_s, given = time.monotonic(), self.given
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        if self.taken == given or self._seen != given:
            self._seen, self._silent_s = given, 0.0
            return
        self._silent_s += min(passed_s, LONGEST_LOOK_S)
        if self._silent_s > HUNG_S:
            self._give_up(f"{self.kind.name} gives nothing")

    def close(self) -> None:
        """Stop. Does nothing the second time."""
        self._on_fault = None
        self._bus.remove_signal_watch()
        self._pipeline.set_state(Gst.State.NULL)
        self.canvas.close()

    def _take(self, sink: Gst.Element) -> Gst.FlowReturn:
        sample = sink.emit("pull-sample")
        if sample is not None:
            buffer = sample.get_buffer()
            # x264enc moves all time stamps on by 1000 hours, and its segment with them.
            pts_ns = sample.get_segment().to_running_time(Gst.Format.TIME, buffer.pts)
            self.given += 1
            self._on_unit(Unit(buffer, pts_ns, not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)))
        return Gst.FlowReturn.OK

    def _fault(self, _bus: Gst.Bus, message: Gst.Message) -> None:
        error, details = message.parse_error()
        log.debug("%s: %s", self.kind.name, details)
        self._give_up(f"{self.kind.name}: {error.message}")

    def _give_up(self, reason: str) -> None:
        on_fault, self._on_fault = self._on_fault, None
        if on_fault is not None:
            on_fault(reason)

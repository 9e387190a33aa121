"""RTSP to a server elsewhere: pushed by RECORD over TCP, encrypted where the URL says rtsps."""

import logging
from urllib.parse import urlsplit

from scrim.errors import DeviceError
from scrim.gateway.rtsp.child.gst import Gio, GLib, Gst
from scrim.gateway.rtsp.child.stream import Stream
from scrim.gateway.rtsp.child.taps import SOURCE, Gate, Tap
from scrim.gateway.rtsp.plan import PublishPlan

log = logging.getLogger(__name__)

ANSWER_S = 10
"""How long the server may take for anything."""

FIRST_RETRY_S = 1
LAST_RETRY_S = 30
"""The pause after a failure doubles from the first to this."""

SETTLE_MS = 500
"""A server that has not refused the stream by then records it."""

_RECORD_STEPS = 2


class Publisher:
    """Pushes for as long as it is open; a server that is gone is looked for again.

    Args:
        plan: where to.
        stream: where the units come from.

    Raises:
        DeviceError: the certificates cannot be read.

    Attributes:
        state: ``connecting``, ``live`` or ``waiting``.
        error: why it waits.
    """

    def __init__(self, plan: PublishPlan, stream: Stream) -> None:
        self.state = "connecting"
        self.error: str | None = None
        self._plan = plan
        self._stream = stream
        self._database = _certificates(plan.ca_file) if plan.ca_file else None
        self._pipeline: Gst.Pipeline | None = None
        self._tap: Tap | None = None
        self._steps = 0
        self._retry_s = FIRST_RETRY_S
        self._is_closed = False
        self._connect()

    def close(self) -> None:
        """Stop. Does nothing the second time."""
        self._is_closed = True
        self._drop()

    def _connect(self) -> bool:
        """Ask the server what it can; nothing is encoded before it has answered."""
        if self._is_closed:
            return False
        self.state, self._steps = "connecting", 0
        pipeline = self._pipeline = Gst.parse_launch(f"{SOURCE} ! rtspclientsink name=sink protocols=tcp")
        self._set_up(pipeline.get_by_name("sink"))
        bus = pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self._fault)
        bus.connect("message::progress", self._progressed)
        if pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            self._wait("it cannot be started")
        return False

    def _set_up(self, sink: Gst.Element) -> None:
        sink.set_property("location", self._plan.url)
        sink.set_property("tcp-timeout", ANSWER_S * 1_000_000)
        sink.set_property("latency", 0)
        sink.set_property("user-agent", "scrim")
        if self._plan.username:
            sink.set_property("user-id", self._plan.username)
            sink.set_property("user-pw", self._plan.password)
        if self._database is not None:
            sink.set_property("tls-database", self._database)

    def _progressed(self, _bus: Gst.Bus, message: Gst.Message) -> None:
        """The server is told of the stream, then asked to record; of its answer only an error tells."""
        kind, code, _ = message.parse_progress()
        if self._pipeline is None:
            return
        if code == "open" and kind == Gst.ProgressType.COMPLETE and self._tap is None:
            self._tap = Tap(self._pipeline.get_by_name("units"), Gate.OPEN)
            self._stream.add(self._tap)
        self._steps += code == "record"
        if code == "record" and self._steps == _RECORD_STEPS:
            GLib.timeout_add(SETTLE_MS, self._settled, self._pipeline)

    def _settled(self, pipeline: Gst.Pipeline) -> bool:
        if pipeline is self._pipeline:
            self.state, self.error, self._retry_s = "live", None, FIRST_RETRY_S
            log.info("publishing to %s", self._plan.url)
        return False

    def _fault(self, _bus: Gst.Bus, message: Gst.Message) -> None:
        error, details = message.parse_error()
        reason = f"{error.message} {(details or '').rpartition(chr(10))[2]}".strip()
        is_secret = urlsplit(self._plan.url).scheme == "rtsps"
        if is_secret and error.matches(Gst.ResourceError.quark(), Gst.ResourceError.OPEN_READ_WRITE):
            reason += "; does rtsp.publish_ca_file name who signed its certificate?"
        self._wait(reason)

    def _wait(self, reason: str) -> None:
        """Say so once, and try again after a pause."""
        self._drop()
        if self._is_closed:
            return
        if self.error is None:
            log.warning("publishing to %s: %s: it is tried again", self._plan.url, reason)
        self.state, self.error = "waiting", reason
        GLib.timeout_add_seconds(self._retry_s, self._connect)
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def _drop(self) -> None:
        if self._tap is not None:
            self._stream.remove(self._tap)
        self._tap = None
        if self._pipeline is not None:
            self._pipeline.get_bus().remove_signal_watch()
            self._pipeline.set_state(Gst.State.NULL)
        self._pipeline = None


def _certificates(path: str) -> Gio.TlsDatabase:
    try:
        return Gio.TlsFileDatabase.new(path)
    except GLib.Error as error:
        raise DeviceError(f"rtsp.publish_ca_file = {path}: {error.message}") from None

"""The host at the other end of the cable: a thread that answers it, and the stream it asked for."""

import contextlib
import errno
import logging
import threading
from collections.abc import Iterator, Sequence

from scrim.core.gadget_node import EventKind, GadgetNode, HostEvent
from scrim.core.sinks.uvc_picture import Picture, Still
from scrim.core.sinks.uvc_stream import HostStream
from scrim.uvc.controls import Levels
from scrim.uvc.conversation import Conversation

logger = logging.getLogger(__name__)

_LOOK_AROUND_S = 1.0
_HOST_GONE = frozenset({errno.ENODEV, errno.ESHUTDOWN, errno.ECONNRESET, errno.EPIPE, errno.EIO})


class UsbHost:
    """Answers a host's requests in a thread of its own; pictures are sent from another.

    Args:
        node: of the gadget, connected; it is let go by ``close``, or when the kernel takes the gadget down.
        conversation: knows the answers.
        levels: what the host sets.
        quality: of JPEGs.
        first: what each stream begins with.
    """

    def __init__(
        self, node: GadgetNode, conversation: Conversation, levels: Levels, quality: int, first: Still
    ) -> None:
        self._node = node
        self._conversation = conversation
        self._levels = levels
        self._quality = quality
        self._first = first
        self._lock = threading.Lock()
        self._is_closed = False
        self._stream: HostStream | None = None
        self._is_known = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="usb-host", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> OSError | None:
        """Why the node had to be let go; None while all is well."""
        if self._error is None and not self._thread.is_alive():
            return OSError(errno.EIO, "the thread that answers the host has ended")
        return self._error

    @property
    def is_watching(self) -> bool:
        """Whether the host takes pictures."""
        stream = self._stream
        return stream is not None and not stream.is_stalled

    def send(self, picture: Picture) -> None:
        """Send a picture, if the host wants one now."""
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.send(picture)
            except OSError as error:
                # Whether the node itself is gone shows in the thread: its next look at the events fails.
                logger.debug("usb host: %s", error)

    def close(self) -> None:
        """Let the node go: the camera vanishes from the host."""
        with self._lock:
            is_first, self._is_closed = not self._is_closed, True
            if is_first:
                self._node.wake()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_closed:
                self._node.wait(_LOOK_AROUND_S)
                for event in _that_still_matter(self._node.events()):
                    self._on(event)
        except OSError as error:
            self._error = error
        finally:
            # The kernel waits for the node to be let go before it takes a gadget down.
            with self._lock:
                self._is_closed = True
                self._stop()
                self._node.close()

    def _on(self, event: HostEvent) -> None:
        match event.kind:
            case EventKind.CONNECT | EventKind.DISCONNECT:
                self._plug(event)
            case EventKind.SETUP:
                self._meet()
                self._grant(self._conversation.setup(event.data), event.data)
            case EventKind.DATA:
                logger.debug("usb host: data %s", event.data.hex())
                self._conversation.data(event.data)
            case EventKind.STREAM_ON:
                self._start()
            case EventKind.STREAM_OFF:
                with self._lock:
                    self._stop(is_awaited=True)

    def _plug(self, event: HostEvent) -> None:
        with self._lock:
            self._stop()
        self._is_known = event.kind is EventKind.CONNECT
        if self._is_known:
            self._conversation.connect(event.speed)
        logger.info("usb host: %s", "connected" if self._is_known else "gone")

    def _meet(self) -> None:
        """After a stream was cut off the kernel does not tell of the next host: its first request does."""
        if not self._is_known:
            self._is_known = True
            self._conversation.connect(self._node.speed())

    def _grant(self, answer: bytes | None, asked: bytes) -> None:
        logger.debug("usb host: setup %s: %s", asked.hex(), "refused" if answer is None else answer.hex())
        with _host_may_go():
            self._node.respond(answer)

    def _start(self) -> None:
        with self._lock:
            self._stop()
            wanted = self._conversation.stream
            try:
                stream = HostStream(self._node, wanted, self._quality, self._levels)
                stream.start(self._first)
                self._stream = stream
            except OSError as error:
                self._stop(is_awaited=True)
                logger.error("usb host: %s at %dx%d: %s", wanted.fourcc, *wanted.size, error)  # noqa: TRY400
                return
        logger.info(
            "usb host: takes %s, %dx%d, %.3g pictures/s", wanted.fourcc, *wanted.size, 1 / wanted.interval_s
        )

    def _stop(self, *, is_awaited: bool = False) -> None:
        """Stop the stream, if there is one.

        Args:
            is_awaited: the host waits for it, even where there is none.
        """
        stream, self._stream = self._stream, None
        if stream is None and not is_awaited:
            return
        with _host_may_go():
            self._node.stop()
        if stream is not None:
            sent, dropped = stream.count.sent, stream.count.dropped
            logger.info("usb host: stopped; %d pictures sent, %d dropped", sent, dropped)


@contextlib.contextmanager
def _host_may_go() -> Iterator[None]:
    """That a host went away while it was served is told as an event too."""
    try:
        yield
    except OSError as error:
        if error.errno not in _HOST_GONE:
            logger.debug("usb host: %s", error)


def _that_still_matter(events: Sequence[HostEvent]) -> Iterator[HostEvent]:
    """Without the set-up packets that a later one has overtaken: their host waits no more."""
    setups = [event for event in events if event.kind is EventKind.SETUP]
    return (event for event in events if event.kind is not EventKind.SETUP or event is setups[-1])

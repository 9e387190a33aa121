"""The core's end of the local socket."""

import contextlib
import logging
import os
import selectors
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

from scrim.errors import LocalError, ScrimError
from scrim.local.feed import FeedWriter
from scrim.local.feed_link import FEED_EVENT
from scrim.local.listening import listen
from scrim.local.messages import MessageTooLongError, Request, dump, failure, parse_object, parse_request
from scrim.local.model_files import ModelDesk
from scrim.local.peer import MIN_REQUEST_INTERVAL_S, Peer
from scrim.local.pictures import PictureDesk

log = logging.getLogger(__name__)

AnyDesk = PictureDesk | ModelDesk

_FOR_DESKS = frozenset(
    {f"{desk.THING}{suffix}" for desk in (PictureDesk, ModelDesk) for suffix in ("", "_failed")}
    | {f"provide_{desk.THING}s" for desk in (PictureDesk, ModelDesk)}
)

MAX_CLIENTS = 32
_MAX_QUEUED_EVENTS = 1024
_ACCEPT_PAUSE_S = 0.02
_SWEEP_S = 1.0
"""How often clients that stopped moving are looked for."""


class Handler(Protocol):
    """What the core does with a request. Called in the server's thread, one request at a time."""

    def handle(self, method: str, params: dict[str, Any]) -> "dict[str, Any] | Future[dict[str, Any]]":
        """Answer now, or give a future whose result is the answer; others are served meanwhile.

        Raises:
            LocalError: no such method, or params that make no sense.
            ConfigError: the settings asked for are wrong; every problem reaches the client.
        """


class LocalServer:
    """Answers on a UNIX socket, in a thread of its own.

    Some methods are its own: ``events`` makes the client a subscriber of events, ``feed`` of frames,
    ``provide_images`` one who fetches pictures, delivered with ``image``, and likewise for models. All others
    go to ``handler``.

    Args:
        path: of the socket; mode 0660, so file permissions decide who may ask.
        handler: answers.
        feed: the frame feed, or None to refuse the method.
        pictures: asks for pictures from outside, or None to refuse the methods.
        models: the same for models.
    """

    def __init__(
        self,
        path: Path,
        handler: Handler,
        feed: FeedWriter | None = None,
        pictures: PictureDesk | None = None,
        models: ModelDesk | None = None,
    ) -> None:
        self.path = path
        self._handler = handler
        self._feed = feed
        self._desks: list[AnyDesk] = [desk for desk in (pictures, models) if desk is not None]
        self._wanting: deque[AnyDesk] = deque()
        self._finished: deque[tuple[Peer, str, Future[dict[str, Any]]]] = deque()
        self._peers: list[Peer] = []
        self._events: deque[bytes] = deque(maxlen=_MAX_QUEUED_EVENTS)
        self._ring_is_new = threading.Event()
        self._stopping = threading.Event()
        self._wake = -1
        self._wake_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._peers)

    @property
    def subscribers(self) -> int:
        """How many of them hear events."""
        return sum(peer.wants_events for peer in tuple(self._peers))

    def start(self) -> None:
        """Take the socket's place and begin to answer.

        Raises:
            LocalError: another core is listening there, something else lies there, or it cannot be made.
        """
        self._listener = listen(self.path)
        self._inode = self.path.lstat().st_ino
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._stopping.clear()
        if self._feed is not None:
            self._feed.on_ring = self._announce_ring
        for desk in self._desks:
            desk.on_wanted = partial(self._announce_wanted, desk)
        self._thread = threading.Thread(target=self._run, name="local-socket", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody and give the place free. Does nothing when not started."""
        if self._thread is None:
            return
        if self._feed is not None:
            self._feed.on_ring = lambda: None
        for desk in self._desks:
            desk.on_wanted = lambda: None
        self._stopping.set()
        self._poke()
        self._thread.join()
        self._thread = None
        self._selector.close()
        self._listener.close()
        with self._wake_lock:
            os.close(self._wake)
            self._wake = -1
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()

    def publish(self, event: str, **fields: Any) -> None:  # noqa: ANN401  (any JSON value)
        """Tell every subscriber of events. From any thread; never waits; forgotten without a subscriber.

        Raises:
            LocalError: a field is not JSON.
        """
        self._events.append(dump({"event": event, **fields}))
        self._poke()

    def _announce_ring(self) -> None:
        self._ring_is_new.set()
        self._poke()

    def _announce_wanted(self, desk: AnyDesk) -> None:
        self._wanting.append(desk)
        self._poke()

    def _announce_answer(self, peer: Peer, request_id: str, answer: "Future[dict[str, Any]]") -> None:
        self._finished.append((peer, request_id, answer))
        self._poke()

    def _poke(self) -> None:
        with self._wake_lock:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    # From here on: the server's thread.

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._turn()
        finally:
            for peer in tuple(self._peers):
                self._drop(peer)

    def _turn(self) -> None:
        waiting = any(peer.has_requests for peer in self._peers)
        for key, ready in self._selector.select(MIN_REQUEST_INTERVAL_S if waiting else _SWEEP_S):
            if isinstance(key.data, Peer):
                if ready & selectors.EVENT_READ:
                    self._receive(key.data)
            elif key.fileobj is self._listener:
                self._accept()
            else:
                os.eventfd_read(self._wake)
        now_s = time.monotonic()
        for peer in tuple(self._peers):
            if (line := peer.next_request(now_s)) is not None:
                self._answer(peer, line)
        self._answer_finished()
        self._tell()
        for peer in tuple(self._peers):
            self._flush(peer, now_s)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it went away again, or there are no descriptors left: the others are served
            self._stopping.wait(_ACCEPT_PAUSE_S)
            return
        peer = Peer(connection)
        if len(self._peers) >= MAX_CLIENTS:
            peer.queue(failure(None, LocalError(f"{MAX_CLIENTS} clients are connected already: close one")))
            peer.closing = True
        self._peers.append(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)

    def _receive(self, peer: Peer) -> None:
        try:
            if not peer.receive():
                self._drop(peer)
        except MessageTooLongError as error:
            peer.queue(failure(None, error))
            peer.closing = True

    def _answer(self, peer: Peer, line: bytes) -> None:
        request_id = None
        try:
            message = parse_object(line)
            given = message.get("id")
            request_id = given if isinstance(given, str) and len(given) <= 64 else None
            self._serve(peer, parse_request(message))
        except Exception as error:  # noqa: BLE001  whatever a request does, the others are served
            self._refuse(peer, request_id, error)

    def _serve(self, peer: Peer, request: Request) -> None:
        if request.method == "feed":
            self._start_feed(peer, request.id)
            return
        result = self._result(peer, request)
        if isinstance(result, Future):
            peer.deferred += 1
            result.add_done_callback(partial(self._announce_answer, peer, request.id))
        else:
            peer.queue({"id": request.id, "ok": True, "result": result})
        for desk in self._desks:
            if request.method == desk.registers_by:
                self._send_wanted(desk, peer)

    def _result(self, peer: Peer, request: Request) -> "dict[str, Any] | Future[dict[str, Any]]":
        match request.method:
            case "events":
                peer.wants_events = True
                return {}
        for desk in self._desks:
            if request.method == desk.registers_by:
                peer.provides.add(desk.THING)
                desk.has_provider = True
                return {}
            if request.method in desk.methods:
                return _take_answer(desk, peer, request)
        if request.method in _FOR_DESKS:
            raise LocalError(f"{request.method}: this core wants none")
        return self._handler.handle(request.method, request.params)

    def _answer_finished(self) -> None:
        while self._finished:
            peer, request_id, answer = self._finished.popleft()
            peer.deferred -= 1
            if peer not in self._peers:
                continue
            try:
                peer.queue({"id": request_id, "ok": True, "result": answer.result()})
            except (Exception, CancelledError) as error:  # noqa: BLE001  as in _answer
                self._refuse(peer, request_id, error)

    def _refuse(self, peer: Peer, request_id: str | None, error: BaseException) -> None:
        if isinstance(error, ScrimError):
            peer.queue(failure(request_id, error))
            return
        log.error("local socket: a request failed", exc_info=error)
        peer.queue(failure(request_id, LocalError("internal error; the core's log has the details")))

    def _send_wanted(self, desk: AnyDesk, peer: Peer) -> None:
        if (event := desk.request()) is not None:
            peer.queue(event)

    def _start_feed(self, peer: Peer, request_id: str) -> None:
        if self._feed is None or peer.feed_token:
            raise LocalError("feed: already subscribed" if self._feed else "feed: this core offers none")
        peer.feed_token, pipe = self._feed.subscribe()
        peer.queue({"id": request_id, "ok": True, "result": {}}, pipe)
        self._send_ring(peer)

    def _send_ring(self, peer: Peer) -> None:
        if self._feed is not None and (fd := self._feed.share()) is not None:
            peer.queue({"event": FEED_EVENT}, fd)

    def _tell(self) -> None:
        while self._events:
            line = self._events.popleft()
            for peer in self._peers:
                if peer.wants_events:
                    peer.queue_line(line)
        while self._wanting:
            desk = self._wanting.popleft()
            for peer in self._providers(desk)[-1:]:
                self._send_wanted(desk, peer)
        if self._ring_is_new.is_set():
            self._ring_is_new.clear()
            for peer in self._peers:
                if peer.feed_token:
                    self._send_ring(peer)

    def _flush(self, peer: Peer, now_s: float) -> None:
        try:
            peer.send()
        except OSError:
            self._drop(peer)
            return
        if peer.closing or peer.is_lost(now_s):
            self._drop(peer)
        else:
            self._watch(peer)

    def _watch(self, peer: Peer) -> None:
        """Wait for what the client can do next. Nothing is read from one that has requests to be answered."""
        wanted = (selectors.EVENT_WRITE if peer.has_unsent else 0) | (
            0 if peer.has_requests else selectors.EVENT_READ
        )
        registered = self._selector.get_map().get(peer.connection)
        if registered is not None and registered.events == wanted:
            return
        if registered is not None:
            self._selector.unregister(peer.connection)
        if wanted:
            self._selector.register(peer.connection, wanted, peer)

    def _drop(self, peer: Peer) -> None:
        if peer not in self._peers:
            return
        self._peers.remove(peer)
        if self._selector.get_map().get(peer.connection) is not None:
            self._selector.unregister(peer.connection)
        if peer.feed_token and self._feed is not None:
            self._feed.unsubscribe(peer.feed_token)
        peer.close()
        for desk in self._desks:
            if desk.THING not in peer.provides:
                continue
            if self._providers(desk):
                self._wanting.append(desk)  # the next in line may have to take over
            else:
                desk.provider_left()

    def _providers(self, desk: AnyDesk) -> list[Peer]:
        """Who fetches for a desk, the newest last: that one is asked."""
        return [peer for peer in self._peers if desk.THING in peer.provides]


def _take_answer(desk: AnyDesk, peer: Peer, request: Request) -> dict[str, Any]:
    fd = peer.take_fd()
    try:
        return desk.answer(request.method, request.params, fd)
    finally:
        if fd >= 0:
            os.close(fd)

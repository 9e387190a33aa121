"""The blocking end of the local socket, for the command line, the feed and tests."""

import errno
import os
import socket
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from scrim.errors import LocalError
from scrim.local.messages import MODEL_CHANGE_S, LineBuffer, change_s, dump, parse_object, result_of
from scrim.local.place import check_folder, default_path
from scrim.local.status import Status

if TYPE_CHECKING:
    from scrim.local.ring import Picture

_RECEIVE_BYTES = 65536
_MAX_FDS = 4
_MAX_EVENTS = 1024


def connect_error(path: Path, error: OSError) -> LocalError:
    """What to tell a person who could not reach the core at ``path``."""
    if isinstance(error, PermissionError):
        return LocalError(f"{path}: no permission: {_who_may(path)}")
    if error.errno in {errno.ENOENT, errno.ECONNREFUSED}:
        return LocalError(
            f"{path}: no core is listening: start it with 'scrim run', or name its SCRIM_SOCKET"
        )
    return LocalError(f"{path}: cannot be reached: {error.strerror or error}")


def _who_may(path: Path) -> str:
    """How to be let in, told from whom the socket, or the folder that hides it, belongs to."""
    import grp
    import pwd

    for place, needed in ((path, stat.S_IWGRP), (path.parent, stat.S_IXGRP)):
        try:
            found = place.stat()
        except OSError:
            continue
        if found.st_gid != 0 and found.st_mode & needed:
            group = _name(grp.getgrgid, found.st_gid)
            return (
                f"join the group {group} ('sudo usermod -aG {group} $USER', then log in again), or use sudo"
            )
        return f"only the user {_name(pwd.getpwuid, found.st_uid)} may; use sudo"
    return "use sudo"


def _name(look_up: Callable[[int], Any], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


class Channel:
    """One connection: requests, answers, events, and the descriptors that come with them. Not thread-safe.

    Args:
        path: the local socket.
        timeout_s: for connecting.

    Raises:
        LocalError: no core there, or it lies where anybody could have put it.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        check_folder(path)
        self._lines = LineBuffer()
        self._messages: deque[dict[str, Any]] = deque()
        self._events: deque[dict[str, Any]] = deque(maxlen=_MAX_EVENTS)
        self._fds: deque[int] = deque()
        self._ids = count(1)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise connect_error(path, error) from None

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def request(
        self, method: str, params: dict[str, Any], timeout_s: float, fd: int | None = None
    ) -> dict[str, Any]:
        """Ask and wait for the answer; events that come before it are kept. ``fd`` goes with the request.

        Raises:
            ConfigError: the core refuses the settings.
            LocalError: it refuses for another reason, does not answer in time, or is gone.
        """
        deadline = time.monotonic() + timeout_s
        request_id = str(next(self._ids))
        line = dump({"id": request_id, "method": method, "params": params})
        self._socket.settimeout(timeout_s)
        try:
            sent = socket.send_fds(self._socket, [line], [fd]) if fd is not None else 0
            self._socket.sendall(line[sent:])
        except OSError as error:
            self._refuse(error, method)
        while True:
            message = self._receive(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise LocalError(f"{method}: the core did not answer within {timeout_s:g} s")
            if "event" in message:
                self._events.append(message)
            elif message.get("id") in {request_id, None}:
                return result_of(message)

    def next_event(self, timeout_s: float | None) -> dict[str, Any] | None:
        """The next event, or None when none came in ``timeout_s`` (None: wait for ever).

        Raises:
            LocalError: the core is gone.
        """
        if self._events:
            return self._events.popleft()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            message = self._receive(left_s)
            if message is None or "event" in message:
                return message

    def receive_now(self) -> dict[str, Any] | None:
        """An event that is already here, or None.

        Raises:
            LocalError: the core is gone.
        """
        return self.next_event(0.0)

    def take_fd(self) -> int:
        """The oldest descriptor received, now the caller's to close.

        Raises:
            LocalError: there is none.
        """
        if not self._fds:
            raise LocalError("the other end announced a descriptor and sent none")
        return self._fds.popleft()

    def close(self) -> None:
        """Hang up. Does nothing the second time."""
        self._socket.close()
        while self._fds:
            os.close(self._fds.popleft())

    def _receive(self, timeout_s: float | None) -> dict[str, Any] | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._messages:
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._socket.settimeout(left_s)
            try:
                data, fds, flags, _ = socket.recv_fds(self._socket, _RECEIVE_BYTES, _MAX_FDS)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                self._refuse(error, "receiving")
            self._fds.extend(fds)
            if not data or flags & socket.MSG_CTRUNC or len(self._fds) > _MAX_FDS:
                raise LocalError("the core has hung up" if not data else "the core sent too many descriptors")
            self._messages.extend(parse_object(line) for line in self._lines.feed(data))
        return self._messages.popleft()

    def _refuse(self, error: OSError, method: str) -> NoReturn:
        if isinstance(error, TimeoutError):
            raise LocalError(f"{method}: the core does not take requests") from None
        raise LocalError(f"{method}: the core is gone: {error.strerror or error}") from None


class Client:
    """The core, as ``scrim ctl`` sees it. Not thread-safe; one request at a time.

    Args:
        path: the local socket; default :func:`scrim.local.place.default_path`.
        timeout_s: for connecting and for each answer.
    """

    def __init__(self, path: Path | None = None, timeout_s: float = 5.0) -> None:
        self.path = path if path is not None else default_path()
        self._timeout_s = timeout_s
        self._channel: Channel | None = None

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Connect, or connect anew.

        Raises:
            LocalError: no core there; the text says what to do.
        """
        self.close()
        self._open()

    def close(self) -> None:
        """Hang up. Does nothing when not connected."""
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    def request(
        self, method: str, params: dict[str, Any] | None = None, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Ask the core.

        Raises:
            ConfigError: it refuses the settings; lists every problem.
            LocalError: it refuses for another reason, does not answer in time, or is gone.
        """
        return self._open().request(method, params or {}, timeout_s or self._timeout_s)

    def status(self) -> Status:
        """What the core says about itself."""
        return cast("Status", self.request("status"))

    def set(self, patch: dict[str, Any], **terms: Any) -> dict[str, Any]:  # noqa: ANN401
        """Change settings; the answer carries those now in effect. Terms: ``if_revision``, ``remember``."""
        return self.request("set", {"patch": patch, **terms}, change_s(patch))

    def settings(self) -> dict[str, Any]:
        """``revision`` and ``settings`` in effect, without what stands in an image's URL for a secret."""
        return self.request("settings")

    def restart(self) -> None:
        """End the core; whoever started it starts it again."""
        self.request("restart")

    def reset(self) -> dict[str, Any]:
        """Drop what was changed at run time."""
        return self.request("reset", timeout_s=MODEL_CHANGE_S)

    def preview(self, timeout_s: float | None = None) -> "Picture | None":
        """One safe frame as it leaves now, or None when none came in time."""
        from scrim.local.feed import FeedReader

        with FeedReader(self.path, self._timeout_s) as feed:
            return feed.wait(timeout_s or self._timeout_s)

    def events(self, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
        """Events as they come, until none came for ``timeout_s`` (None: for ever).

        Raises:
            LocalError: the core is gone.
        """
        self.request("events")
        while (event := self._open().next_event(timeout_s)) is not None:
            yield event

    def _open(self) -> Channel:
        if self._channel is None:
            self._channel = Channel(self.path, self._timeout_s)
        return self._channel

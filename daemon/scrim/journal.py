"""Where log lines go: into systemd's journal with fields of their own, or to standard error.

A line may carry fields: ``log.info("camera: lost: %s", why, extra=fields("camera_lost", reason=why))``. In
the journal they are ``SCRIM_EVENT=camera_lost`` and ``SCRIM_REASON=...``, to be asked for with
``journalctl SCRIM_EVENT=camera_lost``; on standard error only the line is seen.
"""

import contextlib
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

MOST_CHARACTERS = 1024
"""A field is cut to this."""

MOST_BYTES = 32 * 1024
"""So is a whole line: all of an entry must fit into one datagram."""

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")

_ATTRIBUTE = "scrim_fields"
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7
_USER_AND_PASSWORD = re.compile(r"(?<=://)[^\s/@]*@")

Send = Callable[..., object]
"""``systemd.journal.send``: takes the message, and fields by keyword."""


def fields(event: str, **values: object) -> dict[str, Any]:
    """What to give a log call as ``extra``.

    Args:
        event: snake_case name of what happened.
        values: by snake_case name; plain JSON values. None is left out.
    """
    return {_ATTRIBUTE: {"event": event, **values}}


def start_logging(
    *,
    is_verbose: bool,
    identifier: str,
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
    journal: Path = JOURNAL_SOCKET,
) -> None:
    """Send the log of this process where it belongs. Call it once, first.

    Args:
        is_verbose: also what is for debugging.
        identifier: what ``journalctl -t`` finds, such as ``scrim-core``.
        stream: standard error, unless a test says otherwise.
        environment: where systemd says which stream is its journal (``JOURNAL_STREAM``, systemd.exec(5)).
        journal: its socket, for where systemd's library is missing.
    """
    stream = sys.stderr if stream is None else stream
    level = logging.DEBUG if is_verbose else logging.INFO
    is_journal = _is_journal(stream, environment)
    send = (_systemd_send() or _socket_send(journal)) if is_journal else None
    logging.basicConfig(level=level, handlers=[_handler(stream, identifier, send, is_journal=is_journal)])


def _handler(stream: TextIO, identifier: str, send: Send | None, *, is_journal: bool) -> logging.Handler:
    if send is not None:
        return JournalHandler(identifier, send)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_PriorityLines() if is_journal else _Lines())
    return handler


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether the stream is the journal's, not a file or terminal that inherited the variable."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _systemd_send() -> Send | None:
    try:
        from systemd import journal
    except ImportError:
        return None
    send: Send = journal.send
    return send


def _socket_send(path: Path) -> Send | None:
    """The same without systemd's library (systemd.io/JOURNAL_NATIVE_PROTOCOL); None where nobody listens."""
    if not path.is_socket():
        return None
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.setblocking(False)  # the video waits for no journal

    def send(message: str, **more: object) -> None:
        entry = b"".join(_field(name, str(value)) for name, value in {"MESSAGE": message, **more}.items())
        with contextlib.suppress(BlockingIOError):
            end.sendto(entry, str(path))

    return send


def _field(name: str, value: str) -> bytes:
    data = value.encode(errors="replace")[:MOST_BYTES]
    if b"\n" in data:
        return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


class JournalHandler(logging.Handler):
    """Writes each line with its fields.

    Args:
        identifier: ``SYSLOG_IDENTIFIER``.
        send: the journal's.
    """

    def __init__(self, identifier: str, send: Send) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))
        self._identifier = identifier
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line; a journal that does not take it is no reason to stop."""
        try:
            self._send(
                without_passwords(self.format(record)),
                PRIORITY=str(priority(record.levelno)),
                SYSLOG_IDENTIFIER=self._identifier,
                LOGGER=record.name,
                THREAD_NAME=str(record.threadName),
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                **_fields_of(record),
            )
        except Exception:  # noqa: BLE001  as logging's own handlers do
            self.handleError(record)


def priority(level: int) -> int:
    """The journal's priority for a level of logging (syslog(3)): 7 for debug up to 2 for critical."""
    return next((number for least, number in _PRIORITIES if level >= least), _DEBUG)


def without_passwords(text: str) -> str:
    """The text with user name and password of every URL blotted out: nothing logs them, and nothing shall."""
    return _USER_AND_PASSWORD.sub("***@", text)


def _fields_of(record: logging.LogRecord) -> dict[str, str]:
    values = getattr(record, _ATTRIBUTE, {})
    return {f"SCRIM_{name.upper()}": _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return without_passwords(text)[:MOST_CHARACTERS]


class _Lines(logging.Formatter):
    """Lines for a terminal or a file."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return without_passwords(super().format(record))


class _PriorityLines(logging.Formatter):
    """Lines for the journal through standard error, each with its priority (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{priority(record.levelno)}>"
        lines = without_passwords(super().format(record)).splitlines() or [""]
        return "\n".join(mark + line for line in lines)

"""One document that outlives the process: a small JSON file, in two generations.

``state.json`` is the newer, ``state.json.1`` the one before it. A power cut at any moment leaves the newer or
the older whole. Core and gateway each have one, beside each other in :func:`scrim.places.state_folder`.
"""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scrim.errors import ScrimError, StateError
from scrim.local.messages import parse_object

logger = logging.getLogger(__name__)

LEAST_INTERVAL_S = 10.0
"""Between two writes, to spare the card."""

MAX_STATE_BYTES = 256 * 1024
"""A state file larger than this is refused before it is parsed."""

Document = dict[str, Any]
Check = Callable[[Document], object]


class StateFile:
    """One document that outlives the process; any thread may call any method.

    A folder that is missing and cannot be made, or cannot be written to, is logged once and nothing is
    remembered; a document that could not be written is tried again when the next one is due.

    Args:
        path: of the newer generation; the older has ``.1`` behind its name.
        least_interval_s: between two writes.
    """

    def __init__(self, path: Path, least_interval_s: float = LEAST_INTERVAL_S) -> None:
        self.path = path
        self._older = path.with_name(f"{path.name}.1")
        self._least_interval_s = least_interval_s
        self._lock = threading.Lock()
        self._written: bytes | None = None
        self._pending: bytes | None = None
        self._now_s = 0.0
        self._next_s = float("-inf")
        self._loaded: Path | None = None
        self._has_warned = False

    def load(self, check: Check | None = None) -> Document | None:
        """The document that was written last, or the one before it where that is broken.

        What is broken is set aside as ``<name>.bad``, with a warning.

        Args:
            check: raises a ``ScrimError`` when a document cannot be used; then it counts as broken.

        Returns:
            The document; None when there is none that can be used.
        """
        with self._lock:
            self._sweep()
            for path in (self.path, self._older):
                document = self._read(path, check)
                if document is not None:
                    self._loaded, self._written = path, _encode(document)
                    return document
            return None

    def save(self, document: Mapping[str, Any], now_s: float) -> None:
        """Remember a document: at once if the last write is long enough ago, else when it is ``due``.

        A document equal to the written one costs nothing, and takes back one that waits.

        Args:
            document: JSON values by name, at most ``MAX_STATE_BYTES`` of them.
            now_s: monotonic clock.

        Raises:
            ValueError: it is not JSON, or too large.
        """
        data = _encode(document)
        if len(data) > MAX_STATE_BYTES:
            raise ValueError(f"state has {len(data)} bytes: at most {MAX_STATE_BYTES}")
        with self._lock:
            self._pending = data if data != self._written else None
        if self.due(now_s):
            self.flush()

    def due(self, now_s: float) -> bool:
        """Whether a document waits and may be written at ``now_s`` of the monotonic clock."""
        with self._lock:
            self._now_s = now_s
            return self._pending is not None and now_s >= self._next_s

    def flush(self) -> None:
        """Write the document that waits, if one does, however recent the last write is."""
        with self._lock:
            if self._pending is None:
                return
            self._next_s = self._now_s + self._least_interval_s
            try:
                self._write(self._pending)
            except OSError as error:
                self._warn(error)
                return
            self._written, self._pending, self._has_warned = self._pending, None, False

    def set_aside(self, why: str) -> None:
        """Put the document that was loaded out of the way: it turned out not to be usable after all."""
        with self._lock:
            if self._loaded is not None:
                self._set_aside(self._loaded, why)
                self._loaded = self._written = None

    def drop(self) -> bool:
        """Forget everything, both generations and what was set aside.

        Returns:
            Whether there was something.

        Raises:
            StateError: it cannot be removed.
        """
        with self._lock:
            self._pending = self._written = self._loaded = None
            # The older first: cut off in between, the state is whole, not an earlier one.
            doomed = [*self._leftovers(), self._older, self.path, *map(_bad, (self.path, self._older))]
            try:
                dropped = [_remove(path) for path in doomed]
                if any(dropped):
                    sync_folder(self.path.parent)
            except OSError as error:
                raise StateError(
                    f"{error.filename or self.path}: cannot be removed: {error.strerror}; "
                    "try again as the user that scrim runs as, or as root"
                ) from None
            return any(dropped)

    def _read(self, path: Path, check: Check | None) -> Document | None:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_STATE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("%s: cannot be read: %s; it is not used", path, error.strerror)
            return None
        try:
            document = parse_object(data, MAX_STATE_BYTES)
            if check is not None:
                check(document)
        except ScrimError as error:
            self._set_aside(path, str(error))
            return None
        return document

    def _set_aside(self, path: Path, why: str) -> None:
        logger.warning("%s: %s; set aside as %s", path, why, _bad(path).name)
        try:
            path.replace(_bad(path))
        except OSError as error:
            logger.warning("%s: cannot be set aside: %s; it is not used", path, error.strerror)

    def _write(self, data: bytes) -> None:
        import tempfile  # with all that it imports itself, too long for a start, which only reads

        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=self._temporary)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileNotFoundError):
                self.path.replace(self._older)
            Path(name).replace(self.path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(folder)

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            logger.warning(
                "%s: what is changed at run time is not remembered: %s; "
                "give scrim's user a writable folder, in STATE_DIRECTORY or XDG_STATE_HOME",
                self.path,
                error.strerror,
            )
        self._has_warned = True

    @property
    def _temporary(self) -> str:
        return f".{self.path.name}."

    def _leftovers(self) -> Iterator[Path]:
        """Files of writers that were killed."""
        with suppress(OSError):
            for entry in self.path.parent.iterdir():
                if entry.name.startswith(self._temporary):
                    yield entry

    def _sweep(self) -> None:
        for leftover in self._leftovers():
            with suppress(OSError):
                leftover.unlink()


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False, indent=1, sort_keys=True).encode() + b"\n"


def _bad(path: Path) -> Path:
    return path.with_name(f"{path.name}.bad")


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, as a file's ``fsync`` does for what is in it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

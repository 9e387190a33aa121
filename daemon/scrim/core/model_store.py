"""Models given by URL: fetched once, checked, and kept for ever under their hash."""

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scrim.core.segment.model import ModelSpec, check_file
from scrim.errors import ModelError
from scrim.image_url import shown
from scrim.local.desk import GiveUp
from scrim.local.model_files import ModelFile, Progress
from scrim.statefile import sync_folder

logger = logging.getLogger(__name__)

_PIECE_BYTES = 1024 * 1024
_IDLE_S = 0.5


class Outside(Protocol):
    """Where models that are not on this machine come from: :class:`scrim.local.model_files.ModelDesk`."""

    @property
    def progress(self) -> Progress | None:
        """Of what is being fetched; None while nothing has come."""

    def fetch(self, url: str, give_up: GiveUp) -> ModelFile:
        """Wait for the file.

        Raises:
            ModelError: it cannot be had.
        """


@dataclass(frozen=True, slots=True)
class _Job:
    """Files that are wanted together.

    Attributes:
        specs: of the models.
        done: is told when all are there, with None, or why they are not.
    """

    specs: Sequence[ModelSpec]
    done: Callable[[ModelError | None], None]


class ModelStore:
    """Brings models here in a thread of its own: one at a time, and the last that was wanted.

    Args:
        outside: fetches.
    """

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._lock = threading.Condition(threading.Lock())
        self._job: _Job | None = None
        self._is_closed = False
        self._fetching: ModelSpec | None = None

    @property
    def fetching(self) -> tuple[ModelSpec, Progress] | None:
        """What is being fetched and how far it is; None where nothing is."""
        spec = self._fetching
        return (spec, self._outside.progress or (0, None)) if spec is not None else None

    def want(self, specs: Sequence[ModelSpec], done: Callable[[ModelError | None], None]) -> None:
        """Begin to fetch; what was wanted before is given up, and nobody is told of it.

        Args:
            specs: of the models, each with a URL.
            done: is told, in the thread that fetches, when all are there, or why they are not.
        """
        with self._lock:
            self._job = _Job(specs, done)
            self._lock.notify_all()

    def give_up(self) -> None:
        """Nothing is wanted any more, and nobody is told."""
        with self._lock:
            self._job = None

    def step(self) -> None:
        """Fetch what is wanted, or wait a moment for something."""
        with self._lock:
            if self._job is None and not self._is_closed:
                self._lock.wait(_IDLE_S)
            job = self._job
        if job is None or self._is_closed:
            return
        error = self._bring(job)
        with self._lock:
            is_wanted = self._job is job
            self._job = None if is_wanted else self._job
        if is_wanted:
            job.done(error)

    def close(self) -> None:
        """Give everything up; wake whoever waits."""
        with self._lock:
            self._is_closed, self._job = True, None
            self._lock.notify_all()

    def _bring(self, job: _Job) -> ModelError | None:
        try:
            for spec in job.specs:
                self._fetching = spec
                if not spec.path.exists():
                    self._fetch(spec, lambda: self._job is not job)
                check_file(spec)
        except ModelError as error:
            return error
        finally:
            self._fetching = None
        return None

    def _fetch(self, spec: ModelSpec, give_up: GiveUp) -> None:
        url = spec.url or ""
        logger.info("model %s: is fetched from %s", spec.name, shown(url))
        file = self._outside.fetch(url, give_up)
        try:
            _keep(file, spec)
        finally:
            file.close()
        logger.info("model %s: is here, %d bytes", spec.name, file.size_bytes)


def _keep(file: ModelFile, spec: ModelSpec) -> None:
    """Write a file to its place, if it is the right one: whole or not at all, whatever happens meanwhile.

    Raises:
        ModelError: it has another hash, or cannot be written.
    """
    folder = spec.path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{spec.path.name}.")
        try:
            _write(file, spec, handle)
            Path(name).replace(spec.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(folder)
    except OSError as error:
        raise ModelError(
            f"{spec.path}: cannot be written: {error.strerror}; give scrim's user room there, or name "
            "another folder in STATE_DIRECTORY or XDG_STATE_HOME"
        ) from None


def _write(file: ModelFile, spec: ModelSpec, handle: int) -> None:
    import hashlib

    digest, start = hashlib.sha256(), 0
    with os.fdopen(handle, "wb") as stream:
        while piece := file.read(start, _PIECE_BYTES):
            digest.update(piece)
            stream.write(piece)
            start += len(piece)
        if digest.hexdigest() != spec.sha256:
            raise ModelError(
                f"{shown(spec.url or '')}: has sha256 {digest.hexdigest()}, but its TOML says {spec.sha256}; "
                "it was exchanged, or the TOML is of another file"
            )
        stream.flush()
        os.fsync(stream.fileno())

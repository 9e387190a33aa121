"""How models given by URL reach the core: a desk whose answers are files in sealed memory.

``model`` brings the number of its ``bytes``, and one descriptor of sealed memory with so many. Before that
``model_progress`` may say how many ``bytes`` have come, and of how many, ``total``, where that is known. See
:mod:`scrim.local.desk`. What the file is worth is for the core to find out: it knows its hash.
"""

import fcntl
import os
from typing import Any, ClassVar

from scrim.decode import SEALS
from scrim.errors import LocalError, ModelError
from scrim.local.desk import Desk, GiveUp, Wanted

MOST_BYTES = 64 * 1024 * 1024
"""No model's file is larger."""

FETCH_S = 120.0
"""How long fetching one may take."""

ANSWER_S = FETCH_S + 10.0
"""How long a provider may take."""

Progress = tuple[int, int | None]
"""Bytes that have come, and of how many; None where that is not known."""


class ModelFile:
    """A file in sealed memory; close it when it was read.

    Args:
        fd: its own.
        size_bytes: all of it.
    """

    def __init__(self, fd: int, size_bytes: int) -> None:
        self._fd = fd
        self.size_bytes = size_bytes

    def read(self, start: int, most: int) -> bytes:
        """A piece of it; empty behind its end."""
        return os.pread(self._fd, min(most, max(0, self.size_bytes - start)), start)

    def close(self) -> None:
        """Let the memory go. Does nothing the second time."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class ModelDesk(Desk[ModelFile]):
    """Asks for models. What ``fetch`` raises is a ModelError; what it gives is the caller's to close.

    Args:
        answer_s: how long a provider may take.

    Attributes:
        progress: of what is being fetched; None while nothing has come.
    """

    THING: ClassVar[str] = "model"

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        super().__init__(answer_s)
        self.progress: Progress | None = None

    def fetch(self, url: str, give_up: GiveUp = lambda: False) -> ModelFile:
        """See :class:`Desk`."""
        try:
            return super().fetch(url, give_up)
        finally:
            self.progress = None

    @property
    def methods(self) -> frozenset[str]:
        """See :class:`Desk`."""
        return super().methods | {"model_progress"}

    def _error(self, text: str) -> ModelError:
        return ModelError(text)

    def _nobody(self) -> str:
        return "models are fetched by scrim's gateway, which is not running; start it with 'scrim gateway'"

    def _heed(self, wanted: Wanted[ModelFile], method: str, params: dict[str, Any], fd: int) -> None:
        if method == "model_progress":
            total = params.get("total")
            self.progress = _whole(params, "bytes"), None if total is None else _whole(params, "total")
        else:
            super()._heed(wanted, method, params, fd)

    def _take(self, params: dict[str, Any], fd: int) -> ModelFile:
        size_bytes = _whole(params, "bytes")
        if fd < 0:
            raise LocalError("model: no descriptor came with it")
        try:
            seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        except OSError:  # no memfd
            seals = 0
        if seals & SEALS != SEALS:
            raise LocalError("model: its memory is not sealed; its sender could change it later")
        if os.fstat(fd).st_size != size_bytes:
            raise LocalError(
                f"model: the memory has {os.fstat(fd).st_size} bytes, which are not {size_bytes}"
            )
        return ModelFile(os.dup(fd), size_bytes)


def _whole(params: dict[str, Any], name: str) -> int:
    value = params.get(name)
    if type(value) is not int or not 0 <= value <= MOST_BYTES:
        raise LocalError(f"{name}: must be a whole number up to {MOST_BYTES}")
    return value

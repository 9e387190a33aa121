"""What is thrown at, and what it must keep to."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class BrokenPromiseError(AssertionError):
    """Something that must hold did not."""


class Target(Protocol):
    """One door of scrim. Made once, used for many inputs, then closed.

    Attributes:
        seeds: good inputs, from which others are made.
        words: pieces that are put into inputs.
        limit_s: processor time that one input may take at the most, in this process.
    """

    seeds: Sequence[bytes]
    words: Sequence[bytes]
    limit_s: float

    def run(self, data: bytes) -> str:
        """Throw one input at it.

        Returns:
            In a few words what became of it; inputs with a new outcome are kept and changed further.

        Raises:
            Exception: what is not the documented answer; the input is then a finding.
        """

    def close(self) -> None:
        """Put everything away."""


def folder() -> "tempfile.TemporaryDirectory[str]":
    """For files, in memory where there is such a place; the target's to clean up."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="scrim-fuzz-", dir=memory if memory.is_dir() else None)


def promise(is_kept: object, what: str) -> None:
    """Something that must hold after every input."""
    if not is_kept:
        raise BrokenPromiseError(what)


def kind_of(error: BaseException) -> str:
    """An error without what differs from input to input."""
    words = str(error).split()
    return f"{type(error).__name__} {' '.join(word for word in words if word.isalpha())[:60]}"

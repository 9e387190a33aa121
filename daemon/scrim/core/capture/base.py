"""The capture interface."""

from typing import Protocol

from scrim.errors import SourceError
from scrim.frame import Caps, Frame


class EndOfStream(SourceError):  # noqa: N818  (it is no fault)
    """A file has been played to its end and was not asked to start again."""


class Source(Protocol):
    """Delivers raw frames. Used from one thread; after ``close`` it may be opened again."""

    def open(self) -> Caps:
        """Start delivering.

        Returns:
            What will be delivered; every frame until ``close`` has this size.

        Raises:
            SourceError: the device or file cannot be used; the text says what to do.
        """

    def read(self) -> Frame | None:
        """Wait for the next frame, ``scrim.core.capture.pace.READ_LIMIT_S`` at most.

        Returns:
            The frame, or None when none came in time.

        Raises:
            SourceError: the device is gone; ``close`` and ``open`` may bring it back.
            EndOfStream: there are no more frames.
        """

    def close(self) -> None:
        """Stop and let the device go. Does nothing when not open."""

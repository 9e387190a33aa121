"""The delivery interface."""

from typing import Protocol, runtime_checkable

from scrim.frame import Caps, SafeFrame


class Sink(Protocol):
    """Takes safe frames. Used from one thread; after ``close`` it may be opened again."""

    def open(self, caps: Caps) -> None:
        """Get ready for frames of ``caps``.

        Raises:
            SinkError: the device or file cannot be used; the text says what to do.
        """

    def write(self, frame: SafeFrame) -> None:
        """Deliver one frame. Must not keep the frame after it returns.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            SinkError: the device is gone; ``close`` and ``open`` may bring it back.
        """

    def close(self) -> None:
        """Finish and let the device go. Does nothing when not open."""


@runtime_checkable
class Watched(Protocol):
    """A sink that knows who takes its pictures. A file does not: it counts as watched."""

    @property
    def consumers(self) -> int | None:
        """How many do; None while nobody can tell. From any thread."""

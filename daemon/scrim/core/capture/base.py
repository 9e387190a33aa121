"""The capture interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Dropping(Source, Protocol):
    """A source that counts what it throws away."""

    @property
    def dropped(self) -> int:
        """Pictures that no buffer was free for, or that were stale when they were taken, since the start."""


@dataclass(frozen=True, slots=True)
class CameraDetails:
    """What a camera says of itself.

    Attributes:
        name: what the device calls itself, such as ``HD Pro Webcam C920``.
        place: where it is looked for, such as its name below ``/dev/v4l/by-id``.
        delivers: pixel format, size and rate, such as ``MJPG 1280x720@30``.
        controls: name to value.
        refused: for each control of the settings that could not be set: which, why, what is allowed.
    """

    name: str
    place: str
    delivers: str
    controls: Mapping[str, int]
    refused: tuple[str, ...] = ()


@runtime_checkable
class Camera(Source, Protocol):
    """A source that is a device: it can be replugged, and can tell of itself."""

    @property
    def details(self) -> CameraDetails | None:
        """What was found at the last ``open``; None before."""

    def has_returned(self) -> bool:
        """Whether the device was replugged since it failed; looked at a few times a second."""

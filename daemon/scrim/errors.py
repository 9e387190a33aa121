"""Every exception scrim raises on purpose.

ScrimError                 anything below; its text is meant for a person
├── ConfigError            a settings document or a patch is wrong; lists every problem
├── DeviceError            a camera, file, sink or socket cannot be used
│   ├── SourceError        the capture side
│   │   └── CameraHangsError   only a new process may bring it back
│   ├── SinkError          the delivery side
│   └── GadgetError        the USB gadget cannot be set up or taken down
├── ModelError             a model or its TOML cannot be used
├── SegmentError           one frame could not be segmented; the next may work
├── ImageError             a picture given as background cannot be used
├── StateError             what is remembered of the last run cannot be used or removed
├── BrokerError            the MQTT broker cannot be reached, or refuses
├── SetupError             ``scrim setup`` cannot ask or write
└── LocalError             the local socket refused, or the other end broke the protocol

Messages name the key or device, the value, what is allowed, and the mend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXIT_FAILURE = 1
"""Exit status for a fault that a restart may cure."""

EXIT_RESTART = 75
"""Exit status of a core or gateway that is to be started again (EX_TEMPFAIL of sysexits.h)."""

EXIT_CONFIG = 78
"""Exit status for bad settings (EX_CONFIG of sysexits.h): systemd does not restart on it."""


class ScrimError(Exception):
    """Base of all errors whose text is meant for a person.

    Attributes:
        in_effect: ``revision`` and ``settings`` that stay in effect, where a change of settings was refused.
    """

    exit_status = EXIT_FAILURE
    in_effect: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a settings document.

    Attributes:
        key: dotted path of the key, such as ``background_blur.strength``.
        value: the value that was given, as a person would read it.
        message: what is wrong.
        allowed: what would be right.
    """

    key: str
    value: str
    message: str
    allowed: str

    def __str__(self) -> str:
        """One line: key = value: message (allowed: ...)."""
        return f"{self.key} = {self.value}: {self.message} (allowed: {self.allowed})"


class ConfigError(ScrimError):
    """A settings document or patch is wrong. ``problems`` lists everything that is."""

    exit_status = EXIT_CONFIG

    def __init__(self, problems: Sequence[Problem], where: str = "settings") -> None:
        self.problems = tuple(problems)
        self.where = where
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        super().__init__("\n  ".join([f"{where}: {count}", *map(str, self.problems)]))


class DeviceError(ScrimError):
    """A camera, file, sink or socket cannot be used."""


class SourceError(DeviceError):
    """A capture device or file cannot be opened or has stopped delivering."""


class CameraHangsError(SourceError):
    """A camera that was opened again and again and delivers nothing; only a new process may bring it back."""


class SinkError(DeviceError):
    """A sink cannot be opened or written."""


class GadgetError(DeviceError):
    """The USB gadget cannot be set up or taken down."""


class ModelError(ScrimError):
    """A model file or its TOML cannot be used."""

    exit_status = EXIT_CONFIG


class SegmentError(ScrimError):
    """One frame could not be segmented."""


class ImageError(ScrimError):
    """A picture given as background cannot be used."""


class StateError(ScrimError):
    """What is remembered of the last run cannot be used or removed."""


class BrokerError(ScrimError):
    """The MQTT broker cannot be reached, or refuses."""


class SetupError(ScrimError):
    """``scrim setup`` cannot ask, or cannot write what it was told; nothing has changed."""


class LocalError(ScrimError):
    """The local socket refused a request, or the other end broke the protocol."""

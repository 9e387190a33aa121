"""What the gateway's parts count, for whoever tells it to operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Viewed(Protocol):
    """The live picture.

    Attributes:
        viewers: how many watch now.
        encoded: JPEGs made for them since the start.
    """

    viewers: int
    encoded: int


class Broker(Protocol):
    """The connection to the MQTT broker."""

    @property
    def is_up(self) -> bool:
        """Whether there is one."""

    @property
    def reconnects(self) -> int:
        """Connections after the first; -1 before the first."""

    @property
    def dropped(self) -> int:
        """Messages that there was no room for."""


class Streamed(Protocol):
    """The RTSP stream.

    Attributes:
        url: where it is; None while it is not.
        figures: ``clients``, ``encoded`` and ``dropped`` of the streaming process; empty while there is none.
    """

    url: str | None
    figures: dict[str, Any]


@dataclass(slots=True)
class GatewayFigures:
    """The parts of a running gateway that count something.

    Attributes:
        viewed: the live picture.
        broker: None where MQTT is not enabled.
        streamed: None where RTSP is not.
    """

    viewed: Viewed
    broker: Broker | None = None
    streamed: Streamed | None = None

    @property
    def of_stream(self) -> Mapping[str, Any]:
        """What the streaming process counted; empty while there is none."""
        return self.streamed.figures if self.streamed is not None else {}

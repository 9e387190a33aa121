"""What the gateway remembers across a restart, beside what the core does."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from scrim.errors import StateError
from scrim.places import state_folder
from scrim.statefile import Document, StateFile

log = logging.getLogger(__name__)

FILE_NAME = "gateway.json"

_KINDS: Mapping[str, type] = {
    "applied": dict,
    "groups": list,
    "telemetry_interval_s": float,
    "image": str,
    "custom_image": str,
    "color": str,
    "announced": dict,
}


class Memory:
    """A small document of the gateway's own.

    Args:
        file: where it is kept; default beside the core's state.

    Attributes:
        document: ``applied`` (topic to revision of the desired settings that were made), ``groups`` and
            ``telemetry_interval_s`` (as set over MQTT), ``image``, ``custom_image`` and ``color`` (chosen
            last), ``announced`` (topics of Home Assistant's discovery: entities to their platforms).
    """

    def __init__(self, file: StateFile | None = None) -> None:
        self._file = file if file is not None else StateFile(state_folder() / FILE_NAME)
        self.document: Document = self._file.load(_check) or {}

    def get(self, key: str) -> Any:  # noqa: ANN401  (a JSON value)
        """A value; None when nothing is remembered."""
        return self.document.get(key)

    def set(self, key: str, value: Any) -> None:  # noqa: ANN401  (a JSON value)
        """Remember a value; None forgets it. Written at once, or when the last write is long enough ago."""
        if self.document.get(key) == value:
            return
        if value is None:
            self.document.pop(key, None)
        else:
            self.document[key] = value
        try:
            self._file.save(self.document, time.monotonic())
        except ValueError as error:
            log.warning("mqtt: %s is not remembered: %s", key, error)

    def step(self) -> None:
        """Write what waits, if it is time."""
        if self._file.due(time.monotonic()):
            self._file.flush()

    def close(self) -> None:
        """Write what waits, now."""
        self._file.flush()


def _check(document: Document) -> None:
    for key, value in document.items():
        kind = _KINDS.get(key)
        if kind is not None and not isinstance(value, kind):
            raise StateError(f"{key}: is no {kind.__name__}")

"""What was changed at run time, across a restart."""

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scrim.core.changes import InEffect
from scrim.core.state import remembered_settings, restored_settings, settings_document
from scrim.errors import ConfigError, StateError
from scrim.statefile import Document, StateFile

if TYPE_CHECKING:
    from scrim.config import Settings

logger = logging.getLogger(__name__)


class Memory:
    """Keeps the settings in effect in a state file.

    Args:
        file: where.
        base: as the local file and the command line have them; what a reset goes back to.
        assigned: the command line's patch, which wins over what is remembered.
    """

    def __init__(self, file: StateFile, base: "Settings", assigned: Mapping[str, Any]) -> None:
        self._file = file
        self._base = base
        self._assigned = assigned
        self._is_forgotten = False

    def recall(self, instead: Document | None = None) -> InEffect:
        """The settings to start with: file, then what was changed at run time, then the command line.

        What is remembered and cannot be used any more is set aside with a warning.

        Args:
            instead: to be started with instead of what is remembered, which stays as it is; an empty one
                means the file's.
        """
        remembered = self._recall()
        return remembered if instead is None else self._other(instead, remembered.revision)

    def _other(self, document: Document, revision: int) -> InEffect:
        logger.warning("settings: those that were good last are used, not those that were changed since")
        try:
            settings = restored_settings(document, self._base)[0] if document else self._base
            return InEffect(settings.patched(self._assigned), revision + 1)
        except (ConfigError, StateError) as error:
            logger.warning("settings: these cannot be used any more: %s; the local file's are used", error)
            return InEffect(self._base, revision + 1)

    def _recall(self) -> InEffect:
        found = remembered_settings(self._file, self._base)
        if found is None:
            return InEffect(self._base, 1)
        settings, revision = found
        try:
            return InEffect(settings.patched(self._assigned), revision)
        except ConfigError as error:
            self._file.set_aside(f"does not go with the command line: {error}")
            return InEffect(self._base, 1)

    def note(self, in_effect: InEffect) -> None:
        """Remember these settings, if they are to be: written at once, or when the last write is long ago."""
        if not in_effect.is_remembered or (self._is_forgotten and in_effect.settings == self._base):
            return
        self._is_forgotten = False
        document = settings_document(self._base, in_effect.settings, in_effect.revision)
        try:
            self._file.save(document, time.monotonic())
        except ValueError as error:
            logger.warning("settings: revision %d is not remembered: %s", in_effect.revision, error)

    def step(self) -> None:
        """Write what waits, if it is time."""
        if self._file.due(time.monotonic()):
            self._file.flush()

    def forget(self) -> None:
        """Drop everything.

        Raises:
            StateError: it cannot be removed.
        """
        self._is_forgotten = True
        self._file.drop()

    def close(self) -> None:
        """Write what waits, now."""
        self._file.flush()

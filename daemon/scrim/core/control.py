"""The settings in effect, and the one way to change them."""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrim.config import Settings
from scrim.core.composite.placeholder import Reason
from scrim.core.images import BACKGROUND_FOLDERS
from scrim.core.look import prepare_look
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look, Pipeline
from scrim.errors import ConfigError, ImageError, Problem
from scrim.patch import switches_effect

logger = logging.getLogger(__name__)


class Control:
    """Changes settings whole or not at all; safe to call from any thread.

    Args:
        settings: in effect at start.
        pipeline: shows the look.
        outlet: refuses pictures made under earlier settings.
        folders: where background images may lie.
    """

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        outlet: Outlet,
        folders: tuple[Path, ...] = BACKGROUND_FOLDERS,
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._outlet = outlet
        self._folders = folders
        self._revision = 1
        self._lock = threading.Lock()

    @property
    def settings(self) -> Settings:
        """In effect now."""
        return self._settings

    @property
    def revision(self) -> int:
        """Counts up by one with each change."""
        return self._revision

    def change(self, patch: Mapping[str, Any]) -> Settings:
        """Apply a patch: check it, prepare what it needs, swap it in between two frames.

        Returns:
            The settings in effect now.

        Raises:
            ConfigError: the patch is wrong, or what it names cannot be used; everything stays as it was. Also
                when it switches the effect off and raw pictures are not allowed: then the placeholder plays.
        """
        with self._lock:
            was_off = self._settings.effect == "off"
            wanted = self._settings.patched(patch, live=True)
            if wanted != self._settings:
                self._swap(wanted)
        is_asked_for = not was_off or switches_effect(patch)
        if is_asked_for and hidden_by(wanted):
            raise ConfigError([_RAW_NOT_ALLOWED], "request")
        return wanted

    def _swap(self, wanted: Settings) -> None:
        look = self._prepare(wanted, self._revision + 1)
        self._pipeline.swap(look)
        self._outlet.require(look.revision)
        self._outlet.hide(hidden_by(wanted))
        self._settings, self._revision = wanted, look.revision
        logger.info("settings: revision %d, effect %s", look.revision, wanted.effect)

    def _prepare(self, wanted: Settings, revision: int) -> Look:
        try:
            return prepare_look(wanted, self._pipeline.size, revision, self._folders)
        except ImageError as error:
            url = str(wanted.background_replacement.background_image_url)[:200]
            problem = Problem(
                "background_replacement.background_image_url", url, str(error), "a readable image"
            )
            raise ConfigError([problem], "request") from None


def hidden_by(settings: Settings) -> Reason | None:
    """Why these settings show no camera picture at all; None when they show one."""
    return Reason.EFFECT_OFF if settings.effect == "off" and not settings.privacy.allow_raw else None


_RAW_NOT_ALLOWED = Problem(
    "effect",
    "off",
    "the raw picture is not allowed here, so the placeholder is shown",
    "blur, image or color; or privacy.allow_raw = true in the local settings file",
)

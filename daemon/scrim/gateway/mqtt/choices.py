"""Backgrounds that are chosen and not in use: the settings hold one of image and colour, people mean both."""

from collections.abc import Mapping
from typing import Any

from scrim.errors import ConfigError, Problem
from scrim.gateway.library import Library
from scrim.gateway.mqtt.memory import Memory
from scrim.image_url import scheme_of, shown, without_secrets
from scrim.patch import expand

CUSTOM = "custom"
"""Stands for an image that is not of the library."""

BLACK = "#000000"
_MOST_KEPT = 4096


class Choices:
    """The image and the colour that were chosen last, whether or not they are in use.

    Args:
        memory: keeps them. The URL of an image that is longer than 4096 characters is not kept.
        library: images on this machine.
    """

    def __init__(self, memory: Memory, library: Library) -> None:
        self.library = library
        self._memory = memory
        self._image: str | None = memory.get("image")
        self._custom: str | None = memory.get("custom_image")
        self._color: str | None = memory.get("color")

    @property
    def image(self) -> str | None:
        """URL of the image."""
        return self._image

    @property
    def color(self) -> str:
        """As ``#rrggbb``."""
        return self._color or BLACK

    @property
    def background(self) -> str:
        """The image's name in the library, or ``CUSTOM``."""
        return self.library.name_of(self._image) or CUSTOM

    @property
    def shown_image(self) -> str:
        """The image's URL as it may be told; empty for none and for one of the library."""
        return "" if self._image is None or self.background != CUSTOM else shown(self._image)

    def see(self, settings: Mapping[str, Any], asked: str | None = None) -> None:
        """Note what is in the settings, whoever put it there.

        Args:
            settings: in effect; the core tells URLs without their secrets.
            asked: the URL that was asked for, whole.
        """
        replacement = settings.get("background_replacement", {})
        url = replacement.get("background_image_url")
        if url and url == self.told(asked):
            self.choose_image(asked)
        elif url and url != self.told(self._image):
            self.choose_image(url)
        if color := replacement.get("default_color"):
            self.choose_color(color)

    @staticmethod
    def told(url: str | None) -> str | None:
        """An image's URL as the core tells it."""
        return None if url is None else without_secrets(url)

    def choose_image(self, url: str | None) -> None:
        """Note an image; None forgets it, and the last one that was given by URL."""
        self._image = url
        self._keep("image", url)
        if url is None or self.library.name_of(url) is None:
            self._custom = url
            self._keep("custom_image", url)

    def choose_color(self, color: str) -> None:
        """Note a colour as ``#rrggbb``."""
        self._color = color
        self._memory.set("color", color)

    def image_called(self, name: str) -> str | None:
        """The URL behind a name of the library, or behind ``CUSTOM``; None where none was given by URL yet.

        Raises:
            ConfigError: there is no such image.
        """
        if name == CUSTOM:
            return self._custom
        url = self.library.url_of(name)
        if url is None:
            allowed = ", ".join(self.library.names()) or "nothing yet: the library is empty"
            raise ConfigError([Problem("background", name[:80], "is not in the library", allowed)], "request")
        return url

    def completed(self, patch: Mapping[str, Any]) -> dict[str, Any]:
        """A patch that switches to an image or a colour and names none, with the one that was chosen last.

        Without any image chosen the first of the library stands in.
        """
        named = expand(patch)[0].get("background_replacement")
        named = named if isinstance(named, Mapping) else {}
        if patch.get("effect") == "image" and not named.get("background_image_url"):
            first = next(iter(self.library.names()), None)
            image = self._image or (self.library.url_of(first) if first else None)
            return {**patch, "image": image} if image else dict(patch)
        if patch.get("effect") == "color" and not named.get("default_color") and self._color:
            return {**patch, "color": self._color}
        return dict(patch)

    def _keep(self, key: str, url: str | None) -> None:
        is_small = url is not None and len(url) <= _MOST_KEPT and scheme_of(url) != "data"
        self._memory.set(key, url if is_small else None)

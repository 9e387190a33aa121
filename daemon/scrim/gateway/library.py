"""The background images on this machine, by name: what others may choose from without naming a path."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from scrim.gateway.shelf import Shelved
from scrim.places import BACKGROUND_FOLDERS

MOST_IMAGES = 64
FRESH_S = 2.0
"""What was found is taken for true for so long."""

_LONGEST_NAME = 64
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class Pictures(Protocol):
    """Where pictures that people gave are kept: :class:`scrim.gateway.shelf.Shelf`."""

    def pictures(self) -> list[Shelved]:
        """What there is."""


class Library:
    """Pictures of the shelf, and images directly in the background folders.

    Args:
        shelf: pictures are called by their title, or by their id where two have the same title.
        folders: images are called by their file's name; of two with one name that of the first counts.
        clock_s: monotonic clock.
    """

    def __init__(
        self,
        shelf: Pictures | None = None,
        folders: Sequence[Path] = BACKGROUND_FOLDERS,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shelf = shelf
        self._folders = folders
        self._clock_s = clock_s
        self._found: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._seen_s = float("-inf")

    def names(self) -> list[str]:
        """What there is now, sorted, at most ``MOST_IMAGES``."""
        return sorted(self._urls())[:MOST_IMAGES]

    def url_of(self, name: str) -> str | None:
        """The URL of an image, by its name or by the shelf's id; None when there is none."""
        return self._urls().get(name) or self._ids.get(name)

    def name_of(self, url: str | None) -> str | None:
        """The name of an image; None when the URL is of another."""
        if url is None:
            return None
        return next((name for name, known in self._urls().items() if known == url), None)

    def _urls(self) -> dict[str, str]:
        if self._clock_s() - self._seen_s >= FRESH_S:
            self._seen_s = self._clock_s()
            shelved = self._shelf.pictures() if self._shelf is not None else []
            titles = Counter(picture.title for picture in shelved)
            self._ids = {picture.id: picture.url for picture in shelved}
            self._found = dict(self._in_folders())
            for picture in shelved:
                self._found[picture.title if titles[picture.title] == 1 else picture.id] = picture.url
        return self._found

    def _in_folders(self) -> Iterator[tuple[str, str]]:
        for folder in reversed(self._folders):
            try:
                paths = [path for path in folder.iterdir() if _is_fit(path) and path.is_file()]
            except OSError:
                continue
            yield from ((path.name, "file:" + quote(str(path))) for path in paths)


def _is_fit(path: Path) -> bool:
    name = path.name
    is_image = path.suffix.lower() in _SUFFIXES and not name.startswith(".")
    return is_image and len(name) <= _LONGEST_NAME and name.isprintable()

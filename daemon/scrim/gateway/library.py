"""The background images on this machine, by name: what others may choose from without naming a path."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from scrim.image_url import file_path, scheme_of
from scrim.places import BACKGROUND_FOLDERS

MOST_IMAGES = 64
_LONGEST_NAME = 64
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class Library:
    """The images directly in the background folders; of two with one name that of the first folder counts.

    Args:
        folders: where to look.
    """

    def __init__(self, folders: Sequence[Path] = BACKGROUND_FOLDERS) -> None:
        self._folders = folders

    def names(self) -> list[str]:
        """What there is now, sorted, at most ``MOST_IMAGES``."""
        return sorted(self._paths())[:MOST_IMAGES]

    def url_of(self, name: str) -> str | None:
        """The URL of an image; None when there is none of this name."""
        path = self._paths().get(name)
        return None if path is None else "file:" + quote(str(path))

    def name_of(self, url: str | None) -> str | None:
        """The name of an image; None when the URL is of another."""
        if url is None or scheme_of(url) != "file":
            return None
        try:
            path = file_path(url)
        except ValueError:
            return None
        return path.name if path.parent in self._folders and _is_fit(path) else None

    def _paths(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in reversed(self._folders):
            try:
                found |= {path.name: path for path in folder.iterdir() if _is_fit(path) and path.is_file()}
            except OSError:
                continue
        return found


def _is_fit(path: Path) -> bool:
    name = path.name
    return (
        path.suffix.lower() in _SUFFIXES
        and not name.startswith(".")
        and len(name) <= _LONGEST_NAME
        and name.isprintable()
    )

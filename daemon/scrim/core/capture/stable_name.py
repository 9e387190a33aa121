"""Which name of a device node survives replugging: /dev/video0 may be another camera tomorrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path

BY_ID = Path("/dev/v4l/by-id")
BY_PATH = Path("/dev/v4l/by-path")


def stable_name(device: str, folders: Sequence[Path] = (BY_ID, BY_PATH)) -> str | None:
    """What udev calls ``device``: by maker and serial number, else by its port; itself if it is such a name.

    Args:
        device: path of a node, or of a link to one.
        folders: where udev keeps such names, the best first.

    Returns:
        The name; None while there is none.
    """
    path = Path(device)
    if path.parent in folders:
        return device if path.exists() else None
    return next((str(link) for folder in folders for link in _links_to(path, folder)), None)


def _links_to(path: Path, folder: Path) -> Iterator[Path]:
    node = path.resolve()
    for link in sorted(folder.iterdir()) if folder.is_dir() else []:
        if link.resolve() == node and link != path:
            yield link


class Comeback:
    """Tells when a node that could not be used is there again, or is another one, without opening it.

    Args:
        device: path of the node, or of a link to it.
    """

    def __init__(self, device: str) -> None:
        self._path = Path(device)
        self._before = self._identity()

    def has_happened(self) -> bool:
        """Whether there is a node now that was not there when this was made."""
        now = self._identity()
        return now is not None and now != self._before

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_rdev, status.st_ino, status.st_ctime_ns

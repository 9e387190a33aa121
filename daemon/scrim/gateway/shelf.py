"""The pictures that people gave to this device to be shown behind them, and those that came with it.

Each is a file of its own, ``<title>.<digest>.jpg``, and is named in the settings by ``library:<id>``. The id
has the digest in it, so that another picture is never shown under an old name.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from scrim.decode import GiveUp, memory_file, never
from scrim.errors import ImageError
from scrim.gateway.images import Encoded
from scrim.image_header import MAX_IMAGE_BYTES
from scrim.image_url import LIBRARY_SCHEME, scheme_of
from scrim.recompress import MAX_THUMB_BYTES, recompress
from scrim.statefile import sync_folder

SHIPPED = Path(__file__).with_name("backgrounds")
"""Pictures that come with scrim; they cannot be removed."""

MOST_PICTURES = 60
MOST_BYTES = 120 * 2**20
LEAST_FREE_BYTES = 64 * 2**20
"""What a picture must leave free on the card."""

_DIGEST_DIGITS = 12
_FILE = re.compile(r"(?P<title>[^/\0]+)\.(?P<digest>[0-9a-f]{12})\.jpg")
_THUMBS = "thumbs"
_LONGEST_TITLE = 48
_LONGEST_SLUG = 32
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Shelved:
    """One picture.

    Attributes:
        id: what its URL names, of a to z, digits and -.
        title: for people.
        path: of the JPEG.
        digest: first digits of its sha256.
        is_shipped: it came with scrim.
        size_bytes: of the JPEG.
    """

    id: str
    title: str
    path: Path
    digest: str
    is_shipped: bool
    size_bytes: int

    @property
    def url(self) -> str:
        """What the settings call it."""
        return f"{LIBRARY_SCHEME}:{self.id}"

    @property
    def thumb(self) -> Path:
        """Of the small JPEG beside it."""
        return self.path.parent / _THUMBS / f"{self.digest}.jpg"


class Shelf:
    """Keeps pictures in a folder. Every method may wait for the disk; one change at a time.

    Args:
        folder: ours; made when the first picture comes.
        shipped: of the pictures that came with scrim.
    """

    def __init__(self, folder: Path, shipped: Path = SHIPPED) -> None:
        self._folder = folder
        self._shipped = shipped

    def pictures(self) -> list[Shelved]:
        """What there is: those that came with scrim, then the others by title."""
        return [*_found(self._shipped, is_shipped=True), *_found(self._folder, is_shipped=False)]

    def get(self, picture_id: str) -> Shelved | None:
        """The picture of this id; None when there is none."""
        return next((picture for picture in self.pictures() if picture.id == picture_id), None)

    def add(self, encoded: Encoded, name: str, give_up: GiveUp = never) -> Shelved:
        """Keep a picture, made new in a child. One that is there already stays as it is.

        Args:
            encoded: an image of any kind that is allowed; stays the caller's to close.
            name: of the file, or where it was; a title is made of it.
            give_up: ends the child early.

        Raises:
            ImageError: it cannot be used, there are too many, or the card is full; says what mends it.
        """
        title = title_of(name)
        with recompress(encoded.fd, title, give_up) as made:
            digest = _sha256(made.kept)[:_DIGEST_DIGITS]
            for picture in self.pictures():
                if picture.digest == digest:
                    return picture
            self._check_room(os.fstat(made.kept).st_size)
            path = self._folder / f"{title}.{digest}.jpg"
            try:
                # The thumb first: what stands in the folder is whole.
                _write(self._folder / _THUMBS / f"{digest}.jpg", made.thumb)
                _write(path, made.kept)
            except OSError as error:
                raise ImageError(f"{title}: cannot be kept in {self._folder}: {error.strerror}") from None
        return _shelved(path, is_shipped=False)

    def remove(self, picture_id: str) -> None:
        """Throw a picture away.

        Raises:
            ImageError: there is none of this id, it came with scrim, or the disk refuses.
        """
        picture = self.get(picture_id)
        if picture is None:
            raise ImageError("there is no such picture; it may have been removed already")
        if picture.is_shipped:
            raise ImageError(f"{picture.title}: came with scrim and cannot be removed")
        try:
            picture.path.unlink(missing_ok=True)
            picture.thumb.unlink(missing_ok=True)
        except OSError as error:
            raise ImageError(f"{picture.title}: cannot be removed: {error.strerror}") from None

    def thumb(self, picture_id: str) -> bytes | None:
        """The small JPEG of a picture; None when there is none."""
        picture = self.get(picture_id)
        if picture is None:
            return None
        with contextlib.suppress(OSError), picture.thumb.open("rb") as file:
            return file.read(MAX_THUMB_BYTES)
        return None

    def open(self, url: str) -> Encoded:
        """The JPEG behind a ``library:`` URL, for the child that decodes it.

        Raises:
            ImageError: there is none.
        """
        picture = self.get(url.partition(":")[2])
        if picture is None:
            raise ImageError(f"{url}: there is no such picture in the library; choose or upload another")
        try:
            data = picture.path.read_bytes()[: MAX_IMAGE_BYTES + 1]
        except OSError as error:
            raise ImageError(f"{url}: cannot be read: {error.strerror}") from None
        return Encoded(memory_file("scrim-image", data), hashlib.sha256(data).hexdigest())

    def sweep(self) -> None:
        """Remove what a power cut left unfinished, and thumbs whose picture is gone."""
        wanted = {picture.thumb for picture in self.pictures()}
        for folder in (self._folder, self._folder / _THUMBS):
            for path in _entries(folder):
                is_orphan = path.parent.name == _THUMBS and path.suffix == ".jpg" and path not in wanted
                if path.name.endswith(".part") or is_orphan:
                    with contextlib.suppress(OSError):
                        path.unlink()

    def _check_room(self, size_bytes: int) -> None:
        ours = [picture for picture in self.pictures() if not picture.is_shipped]
        if len(ours) >= MOST_PICTURES:
            raise ImageError(f"the library is full: allowed are {MOST_PICTURES} pictures; remove one first")
        if sum(picture.size_bytes for picture in ours) + size_bytes > MOST_BYTES:
            raise ImageError(f"the library is full: allowed are {MOST_BYTES >> 20} MiB; remove one first")
        if _free_bytes(self._folder) < size_bytes + LEAST_FREE_BYTES:
            raise ImageError(f"{self._folder}: the disk is nearly full; remove something first")


class Fetcher(Protocol):
    """Brings images."""

    async def fetch(self, url: str) -> Encoded:
        """The image behind ``url``; the caller's to close. Raises ImageError."""


class ShelfFirst:
    """Brings images of the shelf, and leaves all others to somebody else."""

    def __init__(self, shelf: Shelf, others: Fetcher) -> None:
        self._shelf = shelf
        self._others = others

    async def fetch(self, url: str) -> Encoded:
        """See :class:`Fetcher`."""
        if scheme_of(url) == LIBRARY_SCHEME:
            return await asyncio.to_thread(self._shelf.open, url)
        return await self._others.fetch(url)


def title_of(name: str) -> str:
    """A title for people, out of the name of a file or the URL of an image."""
    last = unquote(urlsplit(name).path if "://" in name else name).replace("\\", "/").rpartition("/")[2]
    stem = re.sub(r"\.(?:jpe?g|png|webp)$", "", last, flags=re.IGNORECASE)
    text = unicodedata.normalize("NFC", "".join(part if part.isprintable() else " " for part in stem))
    words = " ".join(text.replace("_", " ").split()).strip(". ")[:_LONGEST_TITLE].rstrip(". ")
    return words.encode(errors="replace").decode() or "Picture"


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-") or "picture"


def _found(folder: Path, *, is_shipped: bool) -> Iterator[Shelved]:
    for path in sorted(_entries(folder), key=lambda path: path.name.lower()):
        if _FILE.fullmatch(path.name):
            with contextlib.suppress(OSError):
                yield _shelved(path, is_shipped=is_shipped)


def _shelved(path: Path, *, is_shipped: bool) -> Shelved:
    title, digest, _ = path.name.rsplit(".", 2)
    return Shelved(f"{_slug(title)}-{digest}", title, path, digest, is_shipped, path.stat().st_size)


def _entries(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []


def _free_bytes(folder: Path) -> int:
    """On the disk where the folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _sha256(handle: int) -> str:
    digest, at = hashlib.sha256(), 0
    while block := os.pread(handle, _COPY_BYTES, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(path: Path, handle: int) -> None:
    """Whole or not at all, also when the power goes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name[-40:]}.part")
    try:
        with open(part, "wb", opener=_for_us_alone) as file:
            at = 0
            while count := os.sendfile(file.fileno(), handle, at, _COPY_BYTES):
                at += count
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)

"""An image from outside made into two JPEGs of our own, in a child that can harm nobody.

One to keep and a small one to choose by. Nothing but the picture comes through: no place, no name of a
camera, no second picture hidden in the file.
"""

import os
from dataclasses import dataclass
from typing import Self

from scrim.decode import DECODE_S, GiveUp, in_child, memory_file, never
from scrim.errors import ImageError
from scrim.image_header import FORMATS, MAX_IMAGE_BYTES, fits, image_size

MAX_THUMB_BYTES = 128 * 1024


@dataclass(slots=True)
class Recompressed:
    """Two JPEGs in sealed memory; close them when they were handed on.

    Attributes:
        kept: a memfd with the picture, 2560 pixels at the longest side.
        thumb: a memfd with its middle, 320 x 180 pixels.
    """

    kept: int
    thumb: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the memory go. Does nothing the second time."""
        for handle in (self.kept, self.thumb):
            if handle >= 0:
                os.close(handle)
        self.kept = self.thumb = -1


def recompress(encoded: int, name: str, give_up: GiveUp = never, timeout_s: float = DECODE_S) -> Recompressed:
    """Decode an image in a child and encode it there again. Waits for it.

    Args:
        encoded: a memfd with the image; it is sealed here and stays the caller's to close.
        name: what to call the image in an error.
        give_up: ends the child early.
        timeout_s: for all of it.

    Returns:
        The JPEGs; the caller's to close.

    Raises:
        ImageError: too large, or no JPEG, PNG or WebP, or it took too much, or was given up.
    """
    made = Recompressed(memory_file("scrim-kept"), memory_file("scrim-thumb"))
    try:
        in_child(encoded, (made.kept, made.thumb), name, give_up, timeout_s)
        _check(made.kept, MAX_IMAGE_BYTES, name)
        _check(made.thumb, MAX_THUMB_BYTES, name)
    except BaseException:
        made.close()
        raise
    return made


def _check(handle: int, most_bytes: int, name: str) -> None:
    """The child is not believed: a JPEG of a size that fits, or nothing."""
    head = os.pread(handle, 64 * 1024, 0)
    size = image_size(head) if head[:2] == b"\xff\xd8" else None
    if size is None or not fits(size) or os.fstat(handle).st_size > most_bytes:
        raise ImageError(f"{name}: is broken and cannot be decoded; allowed is {FORMATS}")

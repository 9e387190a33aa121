"""Where everything lies in a ring of the frame feed; knows no NumPy, for readers that have none.

One header, one head per slot, then the slots, each at a page boundary; everything little-endian. ``ring``
has the same as NumPy types, and tells how it is written and read.
"""

import contextlib
import fcntl
import os
import struct
from dataclasses import dataclass
from typing import Self

from scrim.errors import LocalError

MAGIC = b"scrmfeed"
VERSION = 1
MIN_SLOTS = 3
MAX_SLOTS = 16
MAX_SIDE_PX = 8192
"""The same as ``scrim.frame.MAX_SIDE_PX``, which is not to be had without NumPy."""

HEADER = struct.Struct("<8s4IQ32x")
"""magic, version, width, height, slots, published."""

HEAD = struct.Struct("<2Q3qI20x")
"""lock, published, sequence, pts in ns, revision, origin."""

PUBLISHED = struct.Struct("<Q")
PUBLISHED_AT = 24

F_SEAL_FUTURE_WRITE = 0x10
"""fcntl(2), Linux 5.1; not among the names of Python's ``fcntl``."""

REQUIRED_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | F_SEAL_FUTURE_WRITE

_PAGE_BYTES = 4096

HEADS_BYTES = _PAGE_BYTES
"""The header and the heads of the most slots there may be have room in one page."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets and sizes, in bytes.

    Attributes:
        width: of a picture, pixels.
        height: of a picture, pixels.
        slots: how many pictures.
    """

    width: int
    height: int
    slots: int

    @property
    def picture_bytes(self) -> int:
        """An I420 picture without padding."""
        return self.width * self.height * 3 // 2

    @property
    def total_bytes(self) -> int:
        """The whole ring."""
        return self.picture_at(self.slots)

    def head_at(self, slot: int) -> int:
        """Where a slot's head begins."""
        return HEADER.size + slot * HEAD.size

    def picture_at(self, slot: int) -> int:
        """Where a slot's picture begins."""
        return _to_page(self.head_at(self.slots)) + slot * _to_page(self.picture_bytes)

    @classmethod
    def read(cls, header: bytes, size_bytes: int) -> Self:
        """The layout that a header tells, held against the size of its memory.

        Raises:
            LocalError: it is not a feed that this version can read.
        """
        magic, version, width, height, slots, _ = HEADER.unpack(header)
        if magic != MAGIC or version != VERSION:
            raise LocalError("feed: not a feed of this version: are both ends of the same version?")
        sides_fit = all(2 <= side <= MAX_SIDE_PX and side % 2 == 0 for side in (width, height))
        layout = cls(width, height, slots)
        if not sides_fit or not MIN_SLOTS <= slots <= MAX_SLOTS or layout.total_bytes != size_bytes:
            raise LocalError(f"feed: {width}x{height} in {slots} slots does not fit its {size_bytes} bytes")
        return layout


def sealed_bytes(fd: int) -> int:
    """The size of a ring's memory, which can be neither resized nor written to by a reader.

    Raises:
        LocalError: it can be, or has no room for a header.
    """
    size_bytes = os.fstat(fd).st_size
    seals = 0
    with contextlib.suppress(OSError):  # not a memfd: has no seals
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    if seals & REQUIRED_SEALS != REQUIRED_SEALS:
        raise LocalError("feed: the memory is not sealed; the other end is not scrim's core")
    if size_bytes < HEADER.size:
        raise LocalError(f"feed: {size_bytes} bytes have no room for a header")
    return size_bytes


def _to_page(count: int) -> int:
    return -(-count // _PAGE_BYTES) * _PAGE_BYTES

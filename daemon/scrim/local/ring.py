"""How the frame feed lies in memory: a ring of I420 slots in a sealed memfd.

One header, one head per slot, then the slots, each at a page boundary; everything little-endian. The writer
fills the slots in turn and never waits. Each slot carries a lock that counts up, odd while the slot is
written: a reader that finds it odd, or changed after copying, throws its copy away and starts again with the
newest slot.

The seals keep the size (no SIGBUS for a reader) and refuse every writable mapping but the writer's own (no
reader can touch what another reader sees).
"""

import fcntl
import mmap
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from scrim.errors import LocalError
from scrim.frame import Origin, Plane, Planes, SafeFrame
from scrim.local import ring_layout
from scrim.local.ring_layout import HEADS_BYTES, MAGIC, MAX_SLOTS, MIN_SLOTS, REQUIRED_SEALS, VERSION, Layout

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("width", "<u4"),
        ("height", "<u4"),
        ("slots", "<u4"),
        ("published", "<u8"),  # frames so far; the newest is in slot (published - 1) % slots, 0: none
        ("_reserved", "V32"),
    ]
)
SLOT = np.dtype(
    [
        ("lock", "<u8"),
        ("published", "<u8"),
        ("sequence", "<i8"),
        ("pts_ns", "<i8"),
        ("revision", "<i8"),
        ("origin", "<u4"),
        ("_reserved", "V20"),
    ]
)
ORIGINS: tuple[Origin, ...] = get_args(Origin)

_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """One safe frame as a reader has it, in the reader's own memory; overwritten by the reader's next read.

    Attributes:
        planes: the picture.
        pts_ns: capture time, ns of CLOCK_MONOTONIC, the same clock in every process.
        sequence: of the camera frame, -1 for a placeholder.
        origin: what the picture shows.
        revision: revision of the settings it was made under.
    """

    planes: Planes
    pts_ns: int
    sequence: int
    origin: Origin
    revision: int


def _header(memory: mmap.mmap) -> NDArray[Any]:
    return np.ndarray((), HEADER, memory)


def _heads(layout: Layout, memory: mmap.mmap) -> NDArray[Any]:
    return np.ndarray((layout.slots,), SLOT, memory, layout.head_at(0))


def _pictures(layout: Layout, memory: mmap.mmap) -> Iterator[Plane]:
    for slot in range(layout.slots):
        shape = (layout.height * 3 // 2, layout.width)
        yield np.ndarray(shape, np.uint8, memory, layout.picture_at(slot))


class RingWriter:
    """The writing side of one ring; one size for its whole life.

    Args:
        size: (width, height) in pixels, both even.
        slots: 3 to 16. A reader has the time of ``slots - 2`` frames to copy one.

    Raises:
        LocalError: the kernel gives no sealed memory.
    """

    def __init__(self, size: tuple[int, int], slots: int = 4) -> None:
        if not MIN_SLOTS <= slots <= MAX_SLOTS:
            raise ValueError(f"slots = {slots}: must be {MIN_SLOTS} to {MAX_SLOTS}")
        self.size = size
        layout = Layout(*size, slots)
        self.fd = os.memfd_create("scrim-feed", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            memory = _sealed(self.fd, layout.total_bytes)
        except OSError as error:
            os.close(self.fd)
            raise LocalError(
                f"no memory for the frame feed: {error.strerror}; Linux 5.1 or newer is needed"
            ) from None
        self._header = _header(memory)
        self._heads = _heads(layout, memory)
        self._pictures = list(_pictures(layout, memory))
        self._published = 0
        self._header[()] = (MAGIC, VERSION, *size, slots, 0, b"")

    def write(self, frame: SafeFrame) -> None:
        """Copy ``frame`` into the next slot and make it the newest.

        Raises:
            TypeError: ``frame`` is not a SafeFrame.
            ValueError: it has another size.
        """
        if type(frame) is not SafeFrame:
            raise TypeError(f"the feed takes safe frames only, not {type(frame).__name__}")
        if frame.size != self.size:
            raise ValueError(f"frame is {frame.size}, the ring {self.size}")
        slot = self._published % len(self._pictures)
        self._published += 1
        head = self._heads[slot]
        head["lock"] += 1
        np.copyto(self._pictures[slot], frame.i420)
        head["published"], head["sequence"], head["pts_ns"] = self._published, frame.sequence, frame.pts_ns
        head["revision"], head["origin"] = frame.revision, ORIGINS.index(frame.origin)
        head["lock"] += 1
        self._header["published"] = self._published

    def forget(self) -> None:
        """Let no reader find what was written so far."""
        self._published = 0
        self._header["published"] = 0

    def close(self) -> None:
        """Let the memory go; readers keep theirs. Does nothing the second time."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


def _sealed(fd: int, total_bytes: int) -> mmap.mmap:
    os.ftruncate(fd, total_bytes)
    memory = mmap.mmap(fd, total_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, REQUIRED_SEALS | fcntl.F_SEAL_SEAL)
    return memory


class RingReader:
    """The reading side of one ring. Believes nothing it has not checked; never makes the writer wait.

    Args:
        fd: the ring's memfd; stays the caller's to close, and may be closed at once.

    Raises:
        LocalError: it is not a feed this version can read.
    """

    def __init__(self, fd: int) -> None:
        layout, memory = _opened(fd)
        self.size = (layout.width, layout.height)
        self._layout = layout
        self._fd = os.dup(fd)
        weakref.finalize(self, os.close, self._fd)
        self._header = _header(memory)
        self._heads = _heads(layout, memory)
        self._own: Plane = np.zeros((layout.height * 3 // 2, layout.width), np.uint8)
        self._planes = Planes.of(self._own)
        self._seen = 0

    def read(self) -> Picture | None:
        """The newest frame; None when there is none newer than the last, or the writer was always faster."""
        for _ in range(_ATTEMPTS):
            published = int(self._header["published"])
            if published in (0, self._seen):
                return None
            picture = self._copy((published - 1) % self._layout.slots, published)
            if picture is not None:
                self._seen = published
                return picture
        return None

    def _copy(self, slot: int, published: int) -> Picture | None:
        """The frame in ``slot``, or None when it was written to meanwhile.

        Loads and stores are not fenced from Python. The writer tells of a frame by a system call after it is
        complete, and the pixels are read by another; both are barriers.
        """
        head = self._heads[slot]
        before = int(head["lock"])
        if before % 2:
            return None
        self._copy_pixels(self._layout.picture_at(slot))
        found = head.copy()
        if int(head["lock"]) != before or int(found["published"]) != published:
            return None
        origin = int(found["origin"])
        if origin >= len(ORIGINS):
            raise LocalError(f"feed: origin {origin} is unknown: are both ends of the same version?")
        pts_ns, sequence, revision = (int(found[name]) for name in ("pts_ns", "sequence", "revision"))
        return Picture(self._planes, pts_ns, sequence, ORIGINS[origin], revision)

    def _copy_pixels(self, at: int) -> None:
        """Read, not map: mapped slots would count as this process's memory, and there are several."""
        left = self._own.data.cast("B")
        while left:
            count = os.preadv(self._fd, [left], at)
            left, at = left[count:], at + count


def _opened(fd: int) -> tuple[Layout, mmap.mmap]:
    size_bytes = ring_layout.sealed_bytes(fd)
    memory = mmap.mmap(fd, min(size_bytes, HEADS_BYTES), prot=mmap.PROT_READ)
    return Layout.read(memory[: ring_layout.HEADER.size], size_bytes), memory

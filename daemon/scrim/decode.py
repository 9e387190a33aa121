"""Decoding an image in a child of its own, so that a bad one can harm nobody.

The child gets the encoded bytes in one piece of sealed memory, leaves plain pixels in another, says one word
and ends. Nothing else of it is believed: the size of the pixels is checked, and the memory is sealed once the
child is gone.
"""

import fcntl
import mmap
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from scrim.errors import ImageError
from scrim.image_header import FORMATS, MAX_IMAGE_BYTES, MAX_IMAGE_SIDE_PX, fits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DECODE_S = 10.0
"""How long the child may take; it has 5 s of processor time."""

GiveUp = Callable[[], bool]
"""Asked now and then: whether nobody waits for the result any more."""

_POLL_S = 0.02
_LONGEST_ANSWER = 64
_ANSWER = re.compile(r"(done|large) (\d{1,10}) (\d{1,10})|(unknown|broken|memory)")
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
"""What memory must have so that whoever sent it cannot change it any more."""

_CHILD = [sys.executable, "-P", "-m", "scrim.decode_child"]
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


def never() -> bool:
    """Never give up."""
    return False


@dataclass(slots=True)
class Pixels:
    """A decoded picture in sealed memory; close it when it was handed on.

    Attributes:
        fd: a memfd that holds ``width * height * 3`` bytes, BGR, row by row.
        width: in pixels.
        height: in pixels.
    """

    fd: int
    width: int
    height: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the descriptor go; what was mapped stays. Does nothing the second time."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def mapped(self) -> "NDArray[np.uint8]":
        """The picture, read-only, shape (height, width, 3), uint8.

        Raises:
            ImageError: the memory is not sealed or not of this size.
        """
        return map_pixels(self.fd, self.width, self.height)


def map_pixels(fd: int, width: int, height: int) -> "NDArray[np.uint8]":
    """Look at a picture that somebody else may have made.

    Args:
        fd: of the memory; stays the caller's to close, and may be closed at once.
        width: in pixels.
        height: in pixels.

    Returns:
        BGR, shape (height, width, 3), uint8, read-only.

    Raises:
        ImageError: it is not sealed, is of another size, or too large.
    """
    if not fits((width, height)):
        raise ImageError(f"the picture has {width} x {height} pixels; allowed is {FORMATS}")
    try:
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError:  # no memfd
        seals = 0
    if seals & SEALS != SEALS:
        raise ImageError("the picture's memory is not sealed; its sender could change it later")
    size_bytes = os.fstat(fd).st_size
    if size_bytes != width * height * 3:
        raise ImageError(f"the picture has {size_bytes} bytes, which are not {width} x {height} pixels of 3")
    import numpy as np

    # Private: before Linux 6.7 sealed memory cannot be mapped shared, not even to read.
    memory = mmap.mmap(fd, size_bytes, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    return np.frombuffer(memory, np.uint8).reshape(height, width, 3)


def seal_memory(fd: int) -> None:
    """Let nobody change the memory any more, neither size nor content.

    Raises:
        OSError: somebody has it mapped for writing.
    """
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS | fcntl.F_SEAL_SEAL)


def memory_file(name: str, data: bytes = b"") -> int:
    """A memfd that can be sealed, with ``data`` in it; the caller's to close."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def decode_bytes(data: bytes, name: str, give_up: GiveUp = never) -> Pixels:
    """As ``decode``, for bytes."""
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"{name}: is larger than 8 MiB; allowed is {FORMATS}")
    encoded = memory_file("scrim-image", data)
    try:
        return decode(encoded, name, give_up)
    finally:
        os.close(encoded)


def decode(encoded: int, name: str, give_up: GiveUp = never, timeout_s: float = DECODE_S) -> Pixels:
    """Decode an image in a child with little memory and little time. Waits for it.

    Args:
        encoded: a memfd with the image; it is sealed here and stays the caller's to close.
        name: what to call the image in an error.
        give_up: ends the child early.
        timeout_s: for all of it.

    Returns:
        The picture; the caller's to close.

    Raises:
        ImageError: too large, or no JPEG, PNG or WebP, or it took too much, or was given up.
    """
    pixels = Pixels(memory_file("scrim-picture"), 0, 0)
    try:
        pixels.width, pixels.height = in_child(encoded, (pixels.fd,), name, give_up, timeout_s)
        _check(pixels, name)
    except BaseException:
        pixels.close()
        raise
    return pixels


def in_child(
    encoded: int, results: Sequence[int], name: str, give_up: GiveUp = never, timeout_s: float = DECODE_S
) -> tuple[int, int]:
    """Let a child make something of an image; see :mod:`scrim.decode_child`. Waits for it.

    Args:
        encoded: as for ``decode``.
        results: empty memfds, one for pixels or two for JPEGs; sealed here once the child is gone.
        name: as for ``decode``.
        give_up: the same.
        timeout_s: the same.

    Returns:
        (width, height) in pixels of what it says it left in the first; the caller's to check.

    Raises:
        ImageError: as ``decode``.
    """
    seal_memory(encoded)
    if os.fstat(encoded).st_size > MAX_IMAGE_BYTES:
        raise ImageError(f"{name}: is larger than 8 MiB; allowed is {FORMATS}")
    with _child(encoded, results) as child:
        answer = _wait(child, name, give_up, time.monotonic() + timeout_s)
    size = _size(answer, name)
    for result in results:
        seal_memory(result)
    return size


@contextmanager
def _child(encoded: int, results: Sequence[int]) -> Iterator["subprocess.Popen[bytes]"]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    child = subprocess.Popen(
        [*_CHILD, str(encoded), *map(str, results)],
        env=kept
        | {
            "OPENCV_IO_MAX_IMAGE_PIXELS": str(MAX_IMAGE_SIDE_PX**2),
            "OPENBLAS_NUM_THREADS": "1",  # each of its threads reserves memory, of which the child has little
            "MALLOC_ARENA_MAX": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(encoded, *results),
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _wait(child: "subprocess.Popen[bytes]", name: str, give_up: GiveUp, deadline_s: float) -> str:
    """What the child said before it ended."""
    while child.poll() is None:
        if give_up():
            raise ImageError(f"{name}: is not wanted any more")
        if time.monotonic() > deadline_s:
            raise ImageError(f"{name}: takes too long to decode; allowed is {FORMATS}")
        time.sleep(_POLL_S)
    if child.returncode != 0 or child.stdout is None:
        return ""
    return child.stdout.read(_LONGEST_ANSWER).decode("ascii", "replace")


def _size(answer: str, name: str) -> tuple[int, int]:
    found = _ANSWER.fullmatch(answer.strip())
    if found is None:
        raise ImageError(f"{name}: takes too much memory or time to decode; allowed is {FORMATS}")
    word = found[1] or found[4]
    if word == "done":
        return int(found[2]), int(found[3])
    if word == "large":
        raise ImageError(f"{name}: has {found[2]} x {found[3]} pixels; allowed is {FORMATS}")
    if word == "unknown":
        raise ImageError(f"{name}: is not an image that can be used; allowed is {FORMATS}")
    if word == "memory":
        raise ImageError(f"{name}: takes too much memory to decode; allowed is {FORMATS}")
    raise ImageError(f"{name}: is broken and cannot be decoded; allowed is {FORMATS}")


def _check(pixels: Pixels, name: str) -> None:
    fitting = fits((pixels.width, pixels.height))
    if not fitting or os.fstat(pixels.fd).st_size != pixels.width * pixels.height * 3:
        raise ImageError(f"{name}: is broken and cannot be decoded; allowed is {FORMATS}")

"""The child that decodes one image: ``python -m scrim.decode_child ENCODED_FD RESULT_FD [THUMB_FD]``.

It limits itself before it looks at anything: 512 MB of memory, 5 s of processor time, no new file, socket,
process or thread, and results of 50 MB. It writes BGR pixels to the second descriptor; or, where there is a
third, a JPEG to keep to the second and a small one to the third. It writes one line to its output:

=================  ============================================================
done WIDTH HEIGHT  the result is there
large WIDTH HEIGHT the header says more than 4096 x 4096
unknown            neither JPEG, PNG nor WebP
broken             it has a header and cannot be decoded
memory             512 MB are not enough
=================  ============================================================
"""

import os
import resource
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scrim.image_header import MAX_IMAGE_BYTES, MAX_IMAGE_SIDE_PX, fits, image_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

MAX_MEMORY_BYTES = 512 * 1000 * 1000
MAX_CPU_S = 5
MAX_RESULT_BYTES = MAX_IMAGE_SIDE_PX**2 * 3

KEPT_SIDE_PX = 2560
"""What is kept of a larger picture; few cameras see more."""

THUMB_PX = (320, 180)
_QUALITIES = (90, 75, 50)
_MOST_KEPT_BYTES = MAX_IMAGE_BYTES // 2


def main() -> None:
    """Decode, answer, end."""
    encoded, *results = map(int, sys.argv[1:])
    _limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, MAX_CPU_S)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, MAX_RESULT_BYTES)
    try:
        answer = decode(os.pread(encoded, MAX_IMAGE_BYTES + 1, 0), results)
    except MemoryError:
        answer = "memory"
    os.write(sys.stdout.fileno(), answer.encode())
    os._exit(0)  # nothing is left to be tidied up


def decode(data: bytes, results: Sequence[int]) -> str:
    """Write what comes of ``data`` to ``results``; what there is to say of it."""
    size = image_size(data)
    if size is None:
        return "unknown"
    if not fits(size):
        return f"large {size[0]} {size[1]}"
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    _limit(resource.RLIMIT_NOFILE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            return "broken"
        pixels = np.ascontiguousarray(picture, np.uint8)
        return _left(pixels, results[0]) if len(results) == 1 else _recompressed(pixels, *results)
    except cv2.error as error:
        return "memory" if error.code == cv2.Error.StsNoMem else "broken"


def _left(pixels: "Image", result: int) -> str:
    _write(result, pixels.reshape(-1).data)
    return f"done {pixels.shape[1]} {pixels.shape[0]}"


def _recompressed(pixels: "Image", kept: int, thumb: int) -> str:
    """Two JPEGs that hold nothing but the picture: no place, no time, no camera."""
    small = _within(pixels, KEPT_SIDE_PX)
    for quality in _QUALITIES:
        jpeg = _jpeg(small, quality)
        if len(jpeg) <= _MOST_KEPT_BYTES:
            break
    _write(kept, jpeg.data)
    _write(thumb, _jpeg(_covering(small, *THUMB_PX), _QUALITIES[1]).data)
    return f"done {small.shape[1]} {small.shape[0]}"


def _within(pixels: "Image", longest_px: int) -> "Image":
    height, width = pixels.shape[:2]
    share = longest_px / max(width, height)
    return pixels if share >= 1 else _resized(pixels, round(width * share), round(height * share))


def _covering(pixels: "Image", width: int, height: int) -> "Image":
    """The middle of the picture, in another shape."""
    share = min(pixels.shape[1] / width, pixels.shape[0] / height)
    across, down = max(1, round(width * share)), max(1, round(height * share))
    left, top = (pixels.shape[1] - across) // 2, (pixels.shape[0] - down) // 2
    return _resized(pixels[top : top + down, left : left + across], width, height)


def _resized(pixels: "Image", width: int, height: int) -> "Image":
    import cv2
    import numpy as np

    size = (max(1, width), max(1, height))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(pixels: "Image", quality: int) -> "Image":
    import cv2
    import numpy as np

    return np.asarray(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], np.uint8)


def _write(result: int, left: memoryview) -> None:
    while left:
        left = left[os.write(result, left) :]


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()

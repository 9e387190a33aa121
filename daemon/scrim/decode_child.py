"""The child that decodes one image: ``python -m scrim.decode_child ENCODED_FD RESULT_FD``.

It limits itself before it looks at anything: 512 MB of memory, 5 s of processor time, no new file, socket,
process or thread. It writes BGR pixels to the second descriptor and one line to its output:

=================  ============================================================
done WIDTH HEIGHT  the pixels are there
large WIDTH HEIGHT the header says more than 4096 x 4096
unknown            neither JPEG, PNG nor WebP
broken             it has a header and cannot be decoded
memory             512 MB are not enough
=================  ============================================================
"""

import os
import resource
import sys

from scrim.image_header import MAX_IMAGE_BYTES, fits, image_size

MAX_MEMORY_BYTES = 512 * 1000 * 1000
MAX_CPU_S = 5


def main() -> None:
    """Decode, answer, end."""
    encoded, result = int(sys.argv[1]), int(sys.argv[2])
    _limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, MAX_CPU_S)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        answer = decode(os.pread(encoded, MAX_IMAGE_BYTES + 1, 0), result)
    except MemoryError:
        answer = "memory"
    os.write(sys.stdout.fileno(), answer.encode())
    os._exit(0)  # nothing is left to be tidied up


def decode(data: bytes, result: int) -> str:
    """Write the pixels of ``data`` to ``result``; what there is to say of it."""
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
    except cv2.error as error:
        return "memory" if error.code == cv2.Error.StsNoMem else "broken"
    if picture is None:
        return "broken"
    left = np.ascontiguousarray(picture, np.uint8).reshape(-1).data
    while left:
        left = left[os.write(result, left) :]
    return f"done {picture.shape[1]} {picture.shape[0]}"


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()

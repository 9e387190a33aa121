"""In the guest, from early in its boot: notes when a webcam's first pictures came, since the kernel's start.

    python boot_reader.py NODE FILE

Writes lines "placeholder SECONDS" and "live SECONDS". A live picture is one of the colour green all over, the
background that the settings ask for; the kernel's test camera shows nobody.
"""

import contextlib
import sys
import time
from pathlib import Path

import numpy as np

from scrim.core.videodev2 import Direction, VideoNode

GREEN_BELOW = 100
"""Where U and V of #00ff00 lie, whichever matrix; a placeholder's are near 128."""


def main() -> None:
    path, out = sys.argv[1:]
    node, (width, height) = opened(path)
    node.start(4)
    seen: dict[str, float] = {}
    while "live" not in seen:
        if not node.ready(1.0):
            continue
        filled = node.dequeue()
        is_green = np.median(filled.data[width * height :]) < GREEN_BELOW
        node.queue(filled.index)
        kind = "live" if is_green else "placeholder"
        if kind not in seen:
            seen[kind] = time.monotonic()
            Path(out).write_text("".join(f"{name} {at_s:.2f}\n" for name, at_s in seen.items()))


def opened(path: str) -> tuple[VideoNode, tuple[int, int]]:
    """The node and its size, once it takes readers: with exclusive_caps that is when it has a writer."""
    while True:
        with contextlib.suppress(OSError):
            node = VideoNode(path)
            try:
                return node, node.set_format(Direction.CAPTURE, "YU12", (1280, 720)).size
            except OSError:
                node.close()
        time.sleep(0.02)


if __name__ == "__main__":
    main()

"""``core_program.py core ...``: scrim's core with a demo that waits for nothing but free buffers."""

import sys

from scrim import cli
from scrim.core.capture import registry
from scrim.core.capture.buffers import Buffers
from scrim.core.capture.demo import Demo
from scrim.frame import Caps

BUFFERS = 3
"""One that is filtered, one before it, one that waits: none is drawn to be displaced."""


class FastDemo(Demo):
    """The demo as fast as its pictures are taken, whatever frame rate it announces.

    Args:
        caps: what to deliver.
        pace: is not heeded.
    """

    def __init__(self, caps: Caps, pace: bool = True) -> None:  # noqa: ARG002  (as every source is made)
        super().__init__(caps, pace=False)
        self._buffers = Buffers(BUFFERS)


def main() -> int:
    """Put it in the demo's place and be ``scrim`` from here on."""
    registry.SOURCES["demo"] = f"{__name__}:FastDemo"
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

"""In which ways a V4L2 camera can deliver, and which of them to take."""

from dataclasses import dataclass

from scrim.core.capture.convert import CONVERTERS, COST
from scrim.core.videodev2 import Direction, Node
from scrim.frame import Caps

_RATE_TOLERANCE = 0.99
"""29.97 pictures a second will do where 30 were wanted."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way a camera can deliver.

    Attributes:
        fourcc: pixel format, one there is a converter for.
        size: (width, height) in pixels.
        frame_rate: the most it can, 0 when it does not say.
    """

    fourcc: str
    size: tuple[int, int]
    frame_rate: float

    @property
    def size_and_rate(self) -> str:
        """As ``1280x720@30``; without the rate where that is not known."""
        width, height = self.size
        return f"{width}x{height}" + (f"@{self.frame_rate:g}" if self.frame_rate else "")

    def __str__(self) -> str:
        return f"{self.fourcc} {self.size_and_rate}"


def offers_of(node: Node, wanted: tuple[int, int]) -> list[Offer]:
    """All ways that scrim can read; of a range of sizes, the one nearest to ``wanted``.

    Raises:
        OSError: the node is gone.
    """
    return [
        Offer(fourcc, size, node.highest_rate(fourcc, size))
        for fourcc in node.formats(Direction.CAPTURE)
        if fourcc in CONVERTERS
        for size in node.nearest_size(fourcc, wanted) or [wanted]
    ]


def choose(offers: list[Offer], caps: Caps) -> Offer:
    """The offer that comes nearest to ``caps``.

    The size decides first: the wanted one, else the smallest that covers it, else the largest. Then the frame
    rate: one that is high enough, else the highest. Then what the conversion costs.
    """

    def rank(offer: Offer) -> tuple[float, ...]:
        width, height = offer.size
        covers = width >= caps.width and height >= caps.height
        excess = width * height if covers else -width * height
        enough = not offer.frame_rate or offer.frame_rate >= caps.frame_rate * _RATE_TOLERANCE
        missing = 0.0 if enough else caps.frame_rate - offer.frame_rate
        return float(not covers), excess, missing, COST[offer.fourcc]

    return min(offers, key=rank)

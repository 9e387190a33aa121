"""Milliseconds from instructions: the boards, what is published of them, and the arithmetic.

No board has confirmed any of it.
"""

from dataclasses import dataclass
from math import isclose

FRAME_INTERVAL_MS = 1000 / 30
BUDGET = 0.5
"""Default of ``processing_budget_per_frame``."""

COPIES = 1.5
"""What a frame moves beyond the caches, in copies of a picture.

It is read for the model's picture and for the blur, half of what a copy moves; then read and written by the
pass that mixes.
"""


@dataclass(frozen=True, slots=True)
class Published:
    """Somebody's measurement of a network with float32.

    Attributes:
        what: processor and source.
        instructions: of one inference.
        ms: time of one inference.
        clock_hz: sum over the cores that worked.
    """

    what: str
    instructions: float
    ms: float
    clock_hz: float

    @property
    def per_cycle(self) -> float:
        """Instructions in a cycle of a core."""
        return self.instructions / (self.ms / 1000 * self.clock_hz)


V3_MACS, V1_MACS = 56e6, 569e6
"""Multiplications of MobileNet v3 small, which has the same parts as our models, and v1; 224x224."""

IN_ORDER, OUT_OF_ORDER, DENSE = 0.91, 0.70, 1 / 3
"""Instructions for each multiplication: of our model as counted on a Cortex-A53 and on an A72, and of
convolutions alone, with four multiplications in an instruction and a load beside three of these."""

PUBLISHED = (
    Published("Cortex-A53, Raspberry Pi 3+, 4 threads, XNNPACK's README", V3_MACS * IN_ORDER, 22, 4 * 1.4e9),
    Published(
        "Cortex-A72, Raspberry Pi 4, 4 threads, XNNPACK's README", V3_MACS * OUT_OF_ORDER, 15, 4 * 1.5e9
    ),
    Published("Cortex-A73, Pixel 2, 1 thread, XNNPACK's README", V3_MACS * OUT_OF_ORDER, 14, 2.35e9),
    Published("Cortex-A75, Pixel 3a, 1 thread, XNNPACK's README", V3_MACS * OUT_OF_ORDER, 14, 2.0e9),
    Published("Cortex-A76, Pixel 4, 4 threads, TensorFlow Lite", V1_MACS * DENSE, 14.0, 2.84e9 + 3 * 2.42e9),
)


@dataclass(frozen=True, slots=True)
class Board:
    """A board, and between which bounds its processor works.

    Attributes:
        name: of the board.
        cpu: its core, as QEMU names it.
        clock_hz: of one core, as it is sold.
        per_cycle: fewest and most instructions in a cycle; docs/performance.md says from where.
        copy_bytes_per_s: bytes that one core copies in a second, as tinymembench measures it.
    """

    name: str
    cpu: str
    clock_hz: float
    per_cycle: tuple[float, float]
    copy_bytes_per_s: float


BOARDS = (
    Board("Raspberry Pi Zero 2 W", "cortex-a53", 1.0e9, (0.4, 1.5), 1.3e9),
    Board("Raspberry Pi 4", "cortex-a72", 1.8e9, (0.4, 2.0), 2.2e9),
    Board("Raspberry Pi 5", "cortex-a76", 2.4e9, (1.0, 3.0), 4.8e9),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one frame on one core.

    Attributes:
        least_ms: if all goes well.
        most_ms: if nothing does.
    """

    least_ms: float
    most_ms: float

    @property
    def verdict(self) -> str:
        """Whether 30 frames a second keep to the budget: yes, no, or perhaps."""
        allowed_ms = FRAME_INTERVAL_MS * BUDGET
        if self.most_ms <= allowed_ms:
            return "yes"
        return "no" if self.least_ms > allowed_ms else "perhaps"


def board_of(cpu: str) -> Board:
    """The board with this core.

    Raises:
        KeyError: there is none.
    """
    for board in BOARDS:
        if board.cpu == cpu:
            return board
    raise KeyError(cpu)


def estimate(board: Board, instructions: float, width: int, height: int) -> Estimate:
    """What a frame takes.

    At the least the faster of cycles and memory hides behind the other; at the most they wait for each other.

    Args:
        board: on which.
        instructions: of a frame.
        width: pixels of the frame.
        height: the same.
    """
    fewest, most = board.per_cycle
    memory_ms = 1000 * COPIES * width * height * 1.5 / board.copy_bytes_per_s
    least_ms = 1000 * instructions / (most * board.clock_hz)
    most_ms = 1000 * instructions / (fewest * board.clock_hz)
    return Estimate(max(least_ms, memory_ms), most_ms + memory_ms)


def mean(rounds: list[float]) -> float:
    """Instructions per frame, of rounds that must agree.

    Raises:
        ValueError: they differ by more than a hundredth, so that something else was counted too.
    """
    if not all(isclose(one, rounds[0], rel_tol=0.01) for one in rounds):
        raise ValueError(f"the rounds differ: {rounds}")
    return sum(rounds) / len(rounds)

"""What is measured of a process, and whether it grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scrim.rss_guard import MB, resident_bytes

WARM_UP = 0.1
"""Share of the run in which everything is loaded, and caches fill."""

TREND = 0.2
"""Share of the run of which the median counts, once after the warm-up and once at the end."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one moment.

    Attributes:
        frames: that the core had filtered, of those that count.
        at_s: since the first that counts.
        rss_mb: resident memory, in 10**6 bytes.
        descriptors: open files.
        threads: of it.
    """

    frames: int
    at_s: float
    rss_mb: float
    descriptors: int
    threads: int


def sample(pid: int, frames: int, at_s: float) -> Sample:
    """Look at a process now (proc(5)).

    Raises:
        OSError: it is gone.
    """
    process = Path(f"/proc/{pid}")
    descriptors, threads = (len(list((process / kind).iterdir())) for kind in ("fd", "task"))
    rss_bytes = resident_bytes(process / "statm")
    if rss_bytes is None:
        raise ProcessLookupError(f"process {pid}")
    return Sample(frames, at_s, rss_bytes / MB, descriptors, threads)


def ends(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """The samples just after the warm-up, and the last."""
    first, count = int(len(samples) * WARM_UP), max(1, int(len(samples) * TREND))
    return samples[first : first + count], samples[-count:]


def growth_mb(samples: Sequence[Sample]) -> float:
    """How much more memory is resident at the end than after the warm-up, by the medians."""
    begin, end = ends(samples)
    return median(one.rss_mb for one in end) - median(one.rss_mb for one in begin)


def most(samples: Sequence[Sample], of: str) -> tuple[int, int]:
    """The most of something after the warm-up, and at the end."""
    begin, end = ends(samples)
    return max(getattr(one, of) for one in begin), max(getattr(one, of) for one in end)

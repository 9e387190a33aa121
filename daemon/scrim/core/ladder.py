"""The steps by which quality gives way to time, cheapest loss first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

EVERY = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
"""Output rates, as one of so many frames."""

SLOWEST_HZ = 1.0
"""No step of the ladder lets the picture change less often than this."""

REFINE_LEAVES = 0.4
BLUR_LEAVES = 0.7
SMALL_MODEL_LEAVES = 0.2
"""Share of a frame's time that is left at the least when this step is taken: guesses on the generous side.

They only say how far down it is worth looking, and how much a step up that was never measured may cost.
"""


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the ladder.

    Attributes:
        number: 0 is full quality.
        refine: matte refinement is on.
        blur_coarser: pyramid levels added to the blur, 0 or 1: cheaper, coarser.
        small_model: the smaller model is used.
        every: one of so many frames is processed; the last safe frame stands in for the others.
    """

    number: int
    refine: bool = True
    blur_coarser: int = 0
    small_model: bool = False
    every: int = 1

    @property
    def work(self) -> tuple[bool, int, bool]:
        """What is done for one frame: levels that share it differ only in how often it is done."""
        return self.refine, self.blur_coarser, self.small_model


def ladder(refine: bool, has_small_model: bool, frame_rate: float = 30.0) -> tuple[Level, ...]:
    """All levels, full quality first.

    Args:
        refine: the settings ask for matte refinement.
        has_small_model: a smaller model is configured.
        frame_rate: of the camera, frames per second; says how many output rates make sense.

    Raises:
        ValueError: the frame rate is not a number above 0.
    """
    if not frame_rate > 0:
        raise ValueError(f"frame_rate = {frame_rate}: must be above 0")
    steps = [Level(0, refine=refine)]
    if refine:
        steps.append(replace(steps[-1], refine=False))
    steps.append(replace(steps[-1], blur_coarser=1))
    if has_small_model:
        steps.append(replace(steps[-1], small_model=True))
    steps += [replace(steps[-1], every=every) for every in EVERY if frame_rate >= SLOWEST_HZ * every]
    return tuple(replace(step, number=number) for number, step in enumerate(steps))


def works(levels: Sequence[Level]) -> list[tuple[bool, int, bool]]:
    """The different kinds of work on a ladder, dearest first."""
    return list(dict.fromkeys(level.work for level in levels))


def least_left(dear: tuple[bool, int, bool], cheap: tuple[bool, int, bool]) -> float:
    """Share of ``dear``'s time that ``cheap``, further down, takes at the least."""
    left = REFINE_LEAVES if dear[0] != cheap[0] else 1.0
    left *= BLUR_LEAVES if dear[1] != cheap[1] else 1.0
    return left * (SMALL_MODEL_LEAVES if dear[2] != cheap[2] else 1.0)

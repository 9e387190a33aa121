"""A simulated board: camera, one-slot mailbox, pipeline and budget, on a simulated clock."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import floor

from budget_simulation.scenarios import Scenario
from scrim.core.budget import Budget, Change, Level, ladder


@dataclass(frozen=True, slots=True)
class Processed:
    """One frame.

    Attributes:
        at_s: when it was finished.
        spent_ms: how long it took.
        full_ms: how long it would have taken at full quality.
        level: at which it was processed.
    """

    at_s: float
    spent_ms: float
    full_ms: float
    level: Level


@dataclass(slots=True)
class Run:
    """What happened in one scenario."""

    scenario: Scenario
    levels: tuple[Level, ...]
    frames: list[Processed] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def allowed_ms(self, level: Level) -> float:
        """What the budget allows for one frame at a level."""
        return 10 * self.scenario.budget_percent / self.scenario.frame_rate * level.every


def play(scenario: Scenario, seed: int = 1) -> Run:
    """Run one scenario to its end; the same seed gives the same run."""
    chance = random.Random(f"{scenario.name} {seed}")  # noqa: S311  (a simulation)
    interval_s = 1 / scenario.frame_rate
    run = Run(scenario, ladder(refine=True, has_small_model=True, frame_rate=scenario.frame_rate))
    budget = Budget(run.levels, scenario.budget_percent, interval_s * 1000)
    for begin_s in _frames(scenario, run, budget):
        noise = max(0.2, chance.gauss(1.0, scenario.jitter)) * scenario.slowdown(begin_s)
        level, spent_ms = budget.level, scenario.cost.at(budget.level) * noise
        end_s = begin_s + spent_ms / 1000
        run.frames.append(Processed(end_s, spent_ms, scenario.cost.full_ms * noise, level))
        change = budget.add(spent_ms, end_s)
        if change is not None:
            run.changes.append(change)
    return run


def _frames(scenario: Scenario, run: Run, budget: Budget) -> Iterator[float]:
    """When processing of the next frame begins: the newest there is, but not before its turn."""
    interval_s, sequence, free_s = 1 / scenario.frame_rate, 0, 0.0
    while True:
        begin_s = max(free_s, sequence * interval_s)
        if begin_s >= scenario.seconds:
            return
        sequence = max(sequence, floor(begin_s / interval_s + 1e-9))
        yield begin_s
        free_s = run.frames[-1].at_s
        sequence += budget.level.every

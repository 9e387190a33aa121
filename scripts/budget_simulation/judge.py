"""What a run is worth: reaction, settling, changes, frames over budget."""

from bisect import bisect_left
from dataclasses import dataclass
from statistics import median

from budget_simulation.board import Run

REACT_S = 2.0
SETTLE_S = 5.0
CALM_S = 30.0
MOST_CHANGES = 1


def overload(run: Run) -> float:
    """The load from which on it is called an overload: below, single frames say nothing."""
    return 1.02 + run.scenario.jitter / 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """Figures of one run.

    Attributes:
        scenario: its name.
        react_s: longest time from an overload to the first change; None when there was no overload.
        settle_s: longest time from a change of the load to the last of the changes that followed it without
            30 quiet seconds between; None when there was none.
        changes: how many there were in all.
        most_changes: most changes in any 30 s after settling.
        over_percent: share of all processed frames that took longer than the budget allows.
        level: at the end.
        every: one of so many frames is processed at the end.
        load_percent: median time of the last 30 s, in percent of what is allowed.
        is_bottom: the ladder ended before the budget was met.
        reference_changes: how often another kit changed its rate under the same load; None when not known.
        failures: which promises were broken.
    """

    scenario: str
    react_s: float | None
    settle_s: float | None
    changes: int
    most_changes: int
    over_percent: float
    level: int
    every: int
    load_percent: float
    is_bottom: bool
    reference_changes: int | None
    failures: tuple[str, ...]


def judge(run: Run) -> Verdict:
    """Measure one run."""
    reactions = [found for step_s in run.scenario.steps_s if (found := _reaction_s(run, step_s)) is not None]
    settlings = [found for step_s in run.scenario.steps_s if (found := _settling_s(run, step_s)) is not None]
    react_s, settle_s = max(reactions, default=None), max(settlings, default=None)
    most, level = _most_changes(run), run.frames[-1].level
    load = _load(run)
    over = sum(frame.spent_ms > run.allowed_ms(frame.level) for frame in run.frames) / len(run.frames)
    failures = []
    if react_s is not None and react_s > REACT_S:
        failures.append(f"reacts after {react_s:.1f} s")
    if settle_s is not None and settle_s > SETTLE_S:
        failures.append(f"settles after {settle_s:.1f} s")
    if most > MOST_CHANGES:
        failures.append(f"{most} changes in {CALM_S:.0f} s")
    if run.scenario.returns and level.number:
        failures.append(f"ends at level {level.number}")
    is_bottom = level.number == len(run.levels) - 1
    if load > overload(run) and not is_bottom:
        failures.append(f"ends at {100 * load:.0f} % of the budget")
    reference = len(run.scenario.reference) - 1 if run.scenario.reference else None
    return Verdict(
        run.scenario.name, react_s, settle_s, len(run.changes), most, 100 * over, level.number, level.every,
        100 * load, is_bottom and load > 1, reference, tuple(failures),
    )  # fmt: skip


def _after(run: Run, begin_s: float, end_s: float) -> slice:
    times = [frame.at_s for frame in run.frames]
    return slice(bisect_left(times, begin_s), bisect_left(times, end_s))


def _reaction_s(run: Run, step_s: float) -> float | None:
    """From the step to the first change, when the level in use is too slow for the load after it."""
    window = run.frames[_after(run, step_s, step_s + REACT_S)]
    before = [change for change in run.changes if change.since_s <= step_s]
    level = before[-1].level if before else run.levels[0]
    if not window:
        return None
    share = run.scenario.cost.at(level) / run.scenario.cost.full_ms
    load = median(frame.full_ms for frame in window) * share / run.allowed_ms(level)
    if load <= overload(run) or level.number == len(run.levels) - 1:
        return None
    changes = [change.since_s for change in run.changes if change.since_s > step_s]
    return (changes[0] if changes else run.scenario.seconds) - step_s


def _settling_s(run: Run, step_s: float) -> float | None:
    """From the step to the last of the changes that follow it without 30 quiet seconds between.

    A step after which quality only comes back has nothing to settle.
    """
    next_s = min([at_s for at_s in run.scenario.steps_s if at_s > step_s], default=run.scenario.seconds)
    later = [change for change in run.changes if step_s < change.since_s <= next_s]
    if not later or later[0].level.number <= later[0].previous.number:
        return None
    last_s = step_s
    for change in later:
        if change.since_s - last_s < CALM_S:
            last_s = change.since_s
    return last_s - step_s if last_s > step_s else None


def _most_changes(run: Run) -> int:
    """Most changes in any 30 s that do not touch the 5 s after a change of the load."""
    times = [
        change.since_s
        for change in run.changes
        if not any(step_s <= change.since_s <= step_s + SETTLE_S for step_s in run.scenario.steps_s)
    ]
    return max((sum(begin <= at < begin + CALM_S for at in times) for begin in times), default=0)


def _load(run: Run) -> float:
    end_s = run.scenario.seconds
    window = run.frames[_after(run, end_s - CALM_S, end_s + CALM_S)]
    return median(frame.spent_ms / run.allowed_ms(frame.level) for frame in window)

"""The loads: what a frame costs on which board at which time."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scrim.core.ladder import Level

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "budget_loads.json"
"""Loads that two other software kits were given, and what they did."""

SMALL_MODEL_SHARE = 0.56
"""192x112 against 256x144 in 32-bit floats, measured: 0.61 ms against 1.08 ms."""

COARSER_BLUR_SHARE = 0.5
"""What a blur one pyramid level coarser takes: a guess, a quarter of the pixels and some constant work."""

Slowdown = Callable[[float], float]
"""Seconds since the start to the factor by which everything takes longer."""


@dataclass(frozen=True, slots=True)
class FrameCost:
    """What one frame takes at full quality, in ms of an undisturbed board, by what it is spent on."""

    fixed: float
    segment: float
    refine: float
    blur: float

    def at(self, level: Level) -> float:
        """What it takes at a level."""
        segment = self.segment * (SMALL_MODEL_SHARE if level.small_model else 1.0)
        blur = self.blur * (COARSER_BLUR_SHARE if level.blur_coarser else 1.0)
        return self.fixed + segment + blur + (self.refine if level.refine else 0.0)

    @property
    def full_ms(self) -> float:
        """What it takes at full quality."""
        return self.fixed + self.segment + self.refine + self.blur


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load.

    Attributes:
        name: short, unique.
        frame_rate: of the camera, frames per second.
        budget_percent: share of the frame interval that is allowed.
        cost: of a frame.
        seconds: how long.
        slowdown: what slows the board, over time.
        steps_s: when the load changes for good; reaction and settling are judged from each.
        jitter: relative standard deviation of single frames.
        returns: full quality is expected again at the end.
        reference: what another kit did with this load: (seconds, one of so many frames).
    """

    name: str
    frame_rate: float
    budget_percent: float
    cost: FrameCost
    seconds: float
    slowdown: Slowdown = lambda _: 1.0
    steps_s: tuple[float, ...] = (0.0,)
    jitter: float = 0.0
    returns: bool = False
    reference: tuple[tuple[float, int], ...] = ()


def scenarios() -> tuple[Scenario, ...]:
    """All of them."""
    return (*golden(), *overloads(), *boards(), *noisy(), *rates())


def golden() -> Iterator[Scenario]:
    """The loads that others were measured with, translated to scrim's levers."""
    document = json.loads(GOLDEN.read_text())
    for kit in ("v1", "v2"):
        for number, entry in enumerate(document[kit], 1):
            yield _translated(f"{kit} load {number}", entry)


def _translated(name: str, entry: dict[str, Any]) -> Scenario:
    """Segmenting is segmenting; compositing is a third each of fixed work, refinement and blur.

    A processor limit of T percent is the same budget per frame; a budget of 0, which scrim refuses, is 1.
    """
    load = entry["in"]
    falls = load["seg"] == "fn"
    segment, composite = (60.0 if falls else float(load["seg"])), float(load["comp"])
    scenario = Scenario(
        name=name,
        frame_rate=float(load["fps"]),
        budget_percent=max(1.0, float(load.get("budget", load.get("T", 50)))),
        cost=FrameCost(composite / 3, segment, composite / 3, composite / 3),
        seconds=float(load["secs"]),
        reference=tuple((at_ms / 1000, every) for at_ms, every in entry["rate_log"]),
    )
    if not falls:
        return scenario
    return replace(scenario, slowdown=stepped((60.0, 0.2)), steps_s=(0.0, 60.0), returns=True)


PI_4 = FrameCost(fixed=5, segment=22, refine=8, blur=5)
PI_5 = FrameCost(fixed=2.5, segment=8.5, refine=3.5, blur=2.5)
ZERO_2 = FrameCost(fixed=16, segment=72, refine=26, blur=16)
SMALL = FrameCost(fixed=2, segment=5, refine=3, blur=2)


def overloads() -> Iterator[Scenario]:
    """A load that changes while it runs."""
    heat = stepped((60, 1.3), (120, 1.7), (180, 2.2), (240, 1.7), (300, 1.3), (360, 1.0))
    long = dict[str, Any](frame_rate=30.0, budget_percent=50.0, cost=SMALL)
    yield Scenario("step x 2 and back", seconds=200, slowdown=stepped((30, 2.0), (90, 1.0)),
                   steps_s=(30.0, 90.0), returns=True, **long)  # fmt: skip
    yield Scenario("step x 5 and back", seconds=200, slowdown=stepped((30, 5.0), (90, 1.0)),
                   steps_s=(30.0, 90.0), returns=True, **long)  # fmt: skip
    yield Scenario("heat, 3 steps, back", seconds=480, slowdown=heat, jitter=0.05,
                   steps_s=(60.0, 120.0, 180.0, 240.0, 300.0, 360.0), returns=True, **long)  # fmt: skip
    yield Scenario("neighbour 2 s of 10", seconds=300, slowdown=bursts(10, 2, 1.8), jitter=0.05,
                   steps_s=(10.0,), **long)  # fmt: skip
    yield Scenario("one burst of 2 s", seconds=120, slowdown=stepped((40, 2.0), (42, 1.0)), jitter=0.05,
                   steps_s=(40.0,), returns=True, **long)  # fmt: skip
    yield Scenario("outlier x 8, 1 of 50", seconds=120, slowdown=bursts(50 / 30, 1 / 30, 8.0),
                   returns=True, **long)  # fmt: skip


def boards() -> Iterator[Scenario]:
    """Small computers at what they are asked to do."""
    yield Scenario("model of 3 intervals", 30, 50, FrameCost(5, 100, 8, 5), 180)
    yield Scenario("Zero 2 W, 15 fps", 15, 50, ZERO_2, 180, jitter=0.08)
    yield Scenario("Pi 4, 30 fps", 30, 50, PI_4, 180, jitter=0.08)
    yield Scenario("Pi 4, 15 fps, 80 %", 15, 80, PI_4, 180, jitter=0.08, returns=True)
    yield Scenario("Pi 5, 30 fps", 30, 50, PI_5, 180, jitter=0.08)
    yield Scenario("Pi 5, 60 fps", 60, 50, PI_5, 180, jitter=0.08)


def noisy() -> Iterator[Scenario]:
    """Frames that differ much from one to the next, well inside the budget and outside of it."""
    for percent in (10, 20, 30):
        yield Scenario(f"Pi 4, jitter {percent} %", 30, 50, PI_4, 300, jitter=percent / 100)
    yield Scenario("70 % load, jitter 30 %", 30, 50, SMALL, 300, jitter=0.3, returns=True)


def rates() -> Iterator[Scenario]:
    """Few and many frames."""
    for rate in (5.0, 60.0):
        scale = 30 / rate
        cost = FrameCost(*(scale * part for part in (SMALL.fixed, SMALL.segment, SMALL.refine, SMALL.blur)))
        yield Scenario(f"{rate:.0f} fps, x 2 and back", rate, 50, cost, 200, stepped((30, 2.0), (90, 1.0)),
                       steps_s=(30.0, 90.0), jitter=0.1, returns=True)  # fmt: skip
    yield Scenario("5 fps, 3 intervals", 5, 50, FrameCost(40, 420, 80, 60), 180)
    yield Scenario("100 %, jitter 20 %", 30, 100, FrameCost(5, 16, 6, 4), 180, jitter=0.2)


def stepped(*steps: tuple[float, float]) -> Slowdown:
    """1 at first, then each factor from its second on."""

    def factor(at_s: float) -> float:
        return next((value for begin_s, value in reversed(steps) if at_s >= begin_s), 1.0)

    return factor


def bursts(every_s: float, for_s: float, value: float) -> Slowdown:
    """1, but ``value`` for the first ``for_s`` of each ``every_s`` after the first."""
    return lambda at_s: value if at_s >= every_s and at_s % every_s < for_s else 1.0

"""Keeps filtering within its budget, and says so when it is not."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from scrim.core.budget import Budget, Change, Level, ladder
from scrim.core.events import Event, FilterMonitor, StateWatch
from scrim.core.health import HealthReader
from scrim.core.outlet import Outlet
from scrim.core.overlap import Overlap, usable_cores
from scrim.core.pipeline import FULL_QUALITY, Pipeline

if TYPE_CHECKING:
    from scrim.config import Settings

logger = logging.getLogger(__name__)

HEALTH_INTERVAL_S = 1.0
"""How often the board's temperature and supply are read."""


class Regulator:
    """Takes the time of each processed frame, chooses the level of quality, and reports heavy filtering.

    It also says whether frames are to overlap. Then the budget is held by the longer of a frame's two halves,
    for that one decides how many frames there can be; what is reported as heavy is still both together.
    ``step`` is the supervisor's, the others anybody's.

    Args:
        settings: budget and reporting are used.
        frame_rate: asked of the camera, frames per second; see ``retime``.
        pipeline: works at the level chosen.
        outlet: is told how often frames will come.
        watch: is told of each change.
        notify: is given the events of the reporting period.
        has_small_model: a smaller model is loaded.
        health: reads temperature and supply.
        cores: that this process may use; None asks the system.
    """

    def __init__(
        self,
        settings: "Settings",
        frame_rate: float,
        pipeline: Pipeline,
        outlet: Outlet,
        watch: StateWatch,
        notify: Callable[[Event], None],
        *,
        has_small_model: bool = False,
        health: HealthReader | None = None,
        cores: int | None = None,
    ) -> None:
        self._frame_rate = frame_rate
        self._pipeline = pipeline
        self._outlet = outlet
        self._watch = watch
        self._notify = notify
        self._has_small_model = has_small_model
        self._health = health if health is not None else HealthReader()
        self._health_due_s = 0.0
        self._lock = threading.Lock()
        self._settings = settings
        self._budget = self._make_budget(settings)
        self._overlap = Overlap(settings.budget.overlap, usable_cores() if cores is None else cores)
        self._monitor = _make_monitor(settings, frame_rate)

    @property
    def is_overlapping(self) -> bool:
        """Whether the person is to be found in one frame while the one before is composited."""
        return self._overlap.is_on

    @property
    def level(self) -> Level:
        """The level in use."""
        return self._budget.level if self._settings.budget.is_adaptive else FULL_QUALITY

    @property
    def reason(self) -> str | None:
        """Why that is not full quality; None when it is."""
        return self._budget.reason if self._settings.budget.is_adaptive else None

    def follow(self, settings: "Settings") -> None:
        """Do as other settings say."""
        with self._lock:
            before, self._settings = self._settings, settings
            if _ladder_of(settings) != _ladder_of(before):
                self._budget = self._make_budget(settings)
                self._use(self._budget.level)
                self._watch.level(self._budget.level.number)
            self._budget.retarget(settings.processing_budget_per_frame)
            if _reporting(settings) != _reporting(before):
                self._monitor = _make_monitor(settings, self._frame_rate)

    def retime(self, frame_rate: float) -> None:
        """The camera delivers so many frames per second, whatever was asked of it."""
        with self._lock:
            if frame_rate == self._frame_rate:
                return
            self._frame_rate = self._monitor.frame_rate = frame_rate
            self._budget = self._make_budget(self._settings)
            self._use(self._budget.level)
            self._watch.level(self._budget.level.number)

    def processed(self, finding_ms: float, composing_ms: float = 0.0) -> None:
        """Take the time that one frame took, each of its halves from being begun to being finished."""
        with self._lock:
            now_s, both_ms = time.monotonic(), finding_ms + composing_ms
            self._monitor.add(both_ms, now_s)
            if self._heed_overlap(both_ms, now_s) or not self._settings.budget.is_adaptive:
                return
            spent_ms = max(finding_ms, composing_ms) if self._overlap.is_on else both_ms
            self._apply(self._budget.add(spent_ms, now_s))

    def _heed_overlap(self, both_ms: float, now_s: float) -> bool:
        """Whether frames begin to overlap, or cease to; then they are measured in another way."""
        budget = self._settings.processing_budget_per_frame / 100
        if not self._overlap.add(both_ms * self._frame_rate / 1000, budget, now_s):
            return False
        logger.info("pipeline: %s", "two frames at once" if self._overlap.is_on else "one frame at a time")
        self._budget.measure_anew(now_s)
        return True

    def step(self) -> None:
        """Look at the board's health and at the reporting period; about four times a second."""
        now_s = time.monotonic()
        for event in self._monitor.evaluate(now_s):
            self._notify(event)
        if now_s >= self._health_due_s:
            self._health_due_s = now_s + HEALTH_INTERVAL_S
            self._heed_health()

    def _heed_health(self) -> None:
        if not self._settings.budget.is_adaptive:
            return
        health = self._health.read()
        with self._lock:
            is_under_voltage = bool(health.is_under_voltage)
            now_s = time.monotonic()
            self._apply(self._budget.limit(now_s, health.temperature_c, is_under_voltage=is_under_voltage))

    def _apply(self, change: Change | None) -> None:
        if change is None:
            return
        self._use(change.level)
        self._watch.level(change.level.number, change.reason)

    def _use(self, level: Level) -> None:
        self._pipeline.degrade(level)
        every = 1 if self._settings.budget.reuse_masks else level.every
        self._outlet.expect(every / self._frame_rate)

    def _make_budget(self, settings: "Settings") -> Budget:
        levels = ladder(settings.matte.refine, self._has_small_model, self._frame_rate)
        return Budget(levels, settings.processing_budget_per_frame, 1000 / self._frame_rate)


def _ladder_of(settings: "Settings") -> tuple[object, ...]:
    """What decides of the levels; when it is another, the budget starts at full quality again."""
    return settings.matte.refine, settings.model, settings.budget.is_adaptive


def _reporting(settings: "Settings") -> tuple[float, float]:
    return settings.reporting_period_ms, settings.filter_cpu_utilization


def _make_monitor(settings: "Settings", frame_rate: float) -> FilterMonitor:
    return FilterMonitor(frame_rate, *_reporting(settings))

"""What the gateway knows of the device at this moment: the ground of every message that it sends."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from scrim.local.status import Status

OFF_DELAY_S = 3.0
"""Who sits still or reads a note is not gone: so long nobody must be there before it is said."""

TROUBLE_S = 600.0
"""How long a refused request counts as a problem, unless one succeeds before."""

MOST_TEXT = 255
"""No state of Home Assistant's is longer."""

_PATIENCE_S = 10.0
"""The core may need so long to start; after that its absence is an error."""

_BLINK_S = 2.0
"""Between two settings there may be no picture for a moment; only what lasts is an error."""

Pipeline = Literal["starting", "running", "degraded", "idle", "privacy", "no_camera", "error"]

PLACEHOLDERS: Mapping[str, Pipeline] = {
    "starting": "starting",
    "camera_lost": "no_camera",
    "no_safe_picture": "error",
    "effect_off": "privacy",
    "privacy": "privacy",
    "nobody": "idle",
    "idle": "idle",
    "stopping": "starting",
    "safe_mode": "error",
}
"""What each of the placeholder's reasons is to Home Assistant."""


@dataclass(slots=True)
class OffDelay:
    """Is on at once, and off only when it has been for ``OFF_DELAY_S``."""

    is_on: bool = False
    seen_s: float = float("-inf")

    def update(self, is_on: bool, now_s: float) -> None:
        """Take what is so now."""
        if is_on:
            self.seen_s = now_s
        self.is_on = now_s - self.seen_s < OFF_DELAY_S


@dataclass(slots=True)
class View:
    """What the gateway knows. Used from its loop only.

    Attributes:
        clock_s: monotonic clock.
        wall_s: seconds since 1970.
        settings: the whole document in effect; empty until the core has told.
        revision: of ``settings``.
        source: who made it so: ``file``, ``set``, ``desired``, or ``local`` for everybody else.
        changed_s: when, since 1970.
        status: what the core said last; None while it is gone.
        metrics: its figures; empty while it is gone.
        models: what may be chosen from, as the core told last.
        started_s: when the core was started, since 1970; None until it has told.
        gateway_trouble: what is wrong on this side of the wall; None when nothing is.
    """

    clock_s: Callable[[], float] = time.monotonic
    wall_s: Callable[[], float] = time.time
    settings: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0
    source: str = "file"
    changed_s: float = 0.0
    status: Status | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    started_s: float | None = None
    gateway_trouble: str | None = None
    _person: OffDelay = field(default_factory=OffDelay)
    _in_use: OffDelay = field(default_factory=OffDelay)
    _refusal: str | None = None
    _refused_s: float = float("-inf")
    _gone_s: float = float("nan")
    _said: Pipeline = "starting"
    _well_s: float = float("-inf")

    def __post_init__(self) -> None:
        self._gone_s = self.clock_s()

    def see_status(self, status: Status | None) -> None:
        """The core said how it is, or is gone."""
        now_s = self.clock_s()
        if status is None:
            if self.status is not None:
                self._gone_s = now_s
            self.status, self.metrics = None, {}
            return
        began_s = self.wall_s() - status["uptime_s"]
        if self.started_s is None or self.status is None or status["uptime_s"] < self.status["uptime_s"]:
            self.started_s = began_s
        self.status, self.models = status, list(status["model"].get("offered", self.models))
        self._person.update(bool(status.get("is_somebody_there")), now_s)
        now = _pipeline_of(status)
        if now != "error":
            self._well_s = now_s
        if now_s - self._well_s < _BLINK_S and now == "error":
            return
        self._said = now

    def see_metrics(self, metrics: Mapping[str, Any]) -> None:
        """The core told its figures."""
        self.metrics = metrics
        self._in_use.update((metrics.get("consumers") or 0) > 0, self.clock_s())

    def see_settings(self, settings: Mapping[str, Any], revision: int, source: str) -> bool:
        """The settings in effect; whether they are news."""
        if revision == self.revision and settings == self.settings:
            return False
        is_first = not self.settings
        self.settings, self.revision = settings, revision
        self.source, self.changed_s = "file" if is_first and source == "local" else source, self.wall_s()
        return True

    def succeeded(self) -> None:
        """A request was done: the last refusal is no problem any more."""
        self._refusal = None

    def refused(self, text: str) -> None:
        """A request was refused."""
        self._refusal, self._refused_s = text, self.clock_s()

    @property
    def restart_needed(self) -> list[str]:
        """Settings that wait for a restart of the core."""
        return list(self.status.get("restart_needed", ())) if self.status is not None else []

    @property
    def is_somebody_there(self) -> bool:
        """Whether a person was seen just now."""
        return self._person.is_on

    @property
    def is_in_use(self) -> bool:
        """Whether anybody reads the picture."""
        return self._in_use.is_on

    @property
    def pipeline(self) -> Pipeline:
        """How the picture is, in one word."""
        if self.status is None:
            return "error" if self.clock_s() - self._gone_s > _PATIENCE_S else "starting"
        return self._said

    @property
    def last_error(self) -> str:
        """What is wrong, or went wrong last; ``ok`` when nothing is. At most ``MOST_TEXT`` characters."""
        refusal = self._refusal if self.clock_s() - self._refused_s < TROUBLE_S else None
        return (self._fault() or refusal or self.gateway_trouble or "ok")[:MOST_TEXT]

    def _fault(self) -> str | None:
        """What is wrong for as long as it is."""
        status = self.status
        if status is None:
            return "the core is gone" if self.pipeline == "error" else None
        if status["camera"]["error"]:
            return f"camera: {status['camera']['error']}"
        if status["effect"].get("image_error"):
            return f"background_image: {status['effect']['image_error']}"
        for sink in status["sinks"]:
            if sink["error"]:
                return f"{sink['name']}: {sink['error']}"
        return None


def _pipeline_of(status: Status) -> Pipeline:
    if status["camera"]["state"] == "off":
        return "privacy"
    match status["state"]:
        case "off":
            return "privacy"
        case "starting":
            return "starting"
        case "placeholder":
            return PLACEHOLDERS.get(status["placeholder_reason"] or "", "error")
    return "degraded" if status["quality"]["level"] > 0 else "running"

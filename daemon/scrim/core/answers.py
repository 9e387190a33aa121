"""Answers requests at the local socket: how everything is, and what shall change."""

import time
from pathlib import Path
from typing import Any, Literal

from scrim import __version__
from scrim.config import Settings, strength_name, strength_number
from scrim.core.control import Control
from scrim.core.loops import CaptureLoop, OutletLoop, PipelineLoop, SinkLoop
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.segment.loading import LoadedModel
from scrim.errors import LocalError
from scrim.local.status import (
    EffectStatus,
    FramesStatus,
    ModelStatus,
    SinkStatus,
    StagesStatus,
    State,
    Status,
)


class Answers:
    """Answers requests at the local socket.

    Methods: ``status`` (no params) and ``set`` (``patch``: a settings patch).
    """

    def __init__(
        self,
        control: Control,
        model: LoadedModel,
        pipeline: Pipeline,
        outlet: Outlet,
        capture: CaptureLoop,
        processing: PipelineLoop,
        outgoing: OutletLoop,
        sinks: list[SinkLoop],
    ) -> None:
        self._control = control
        self._model = model
        self._pipeline = pipeline
        self._outlet = outlet
        self._capture = capture
        self._processing = processing
        self._outgoing = outgoing
        self._sinks = sinks
        self._started_s = time.monotonic()

    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; see :class:`scrim.local.server.Handler`."""
        if method == "status":
            return dict(self.status())
        if method == "set":
            return self._set(params)
        raise LocalError(f"method = {method!r}: unknown; allowed is status, set, events or feed")

    def status(self) -> Status:
        """How everything is."""
        is_placeholder = self._outgoing.showing == "placeholder"
        latency = self._outgoing.latency_ms
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "state": self._state(is_placeholder=is_placeholder),
            "placeholder_reason": self._outlet.reason if is_placeholder else None,
            "revision": self._control.revision,
            "camera": {
                "source": self._capture.name,
                "state": self._capture.state,
                "caps": str(self._capture.caps or ""),
                "error": self._capture.error,
            },
            "frames": self._frames(),
            "latency_ms": {"p50": round(latency.at(50), 1), "p95": round(latency.at(95), 1)},
            "stages_ms": self._stages(),
            "model": self._model_status(),
            "effect": _effect(self._control.settings),
            "coverage": round(self._pipeline.last_matte.coverage, 3),
            "sinks": [_sink(sink) for sink in self._sinks],
            "rss_mb": _rss_mb(),
        }

    def _set(self, params: dict[str, Any]) -> dict[str, Any]:
        patch = params.get("patch")
        if not isinstance(patch, dict) or len(params) != 1:
            raise LocalError('params: allowed is exactly {"patch": {...}}')
        settings = self._control.change(patch)
        return {"revision": self._control.revision, "settings": settings.model_dump()}

    def _state(self, *, is_placeholder: bool) -> State:
        if self._control.settings.effect == "off" and is_placeholder:
            return "off"
        if not is_placeholder:
            return "running"
        return "starting" if self._capture.state == "starting" else "placeholder"

    def _frames(self) -> FramesStatus:
        now_ns = time.monotonic_ns()
        captured, delivered = self._capture.meter, self._outgoing.meter
        return {
            "rate_in_hz": round(captured.rate_hz(now_ns), 1),
            "rate_out_hz": round(delivered.rate_hz(now_ns), 1),
            "captured": captured.total,
            "delivered": delivered.total,
            "dropped": self._capture.dropped + self._processing.dropped + self._outlet.displaced,
        }

    def _stages(self) -> StagesStatus:
        averages = self._pipeline.clock.averages_ms()
        return {
            "capture": round(self._capture.clock.averages_ms().get("capture", 0.0), 2),
            "segment": round(averages.get("input", 0.0) + averages.get("segment", 0.0), 2),
            "matte": round(averages.get("matte", 0.0), 2),
            "composite": round(averages.get("composite", 0.0), 2),
        }

    def _model_status(self) -> ModelStatus:
        width, height = self._model.segmenter.input_size
        spec = self._model.spec
        return {
            "name": spec.name,
            "form": spec.form,
            "runtime": self._model.runtime,
            "input": f"{width}x{height}",
        }


def _effect(settings: Settings) -> EffectStatus:
    strength, replacement = settings.background_blur.strength, settings.background_replacement
    return {
        "effect": settings.effect,
        "strength": strength_number(strength),
        "strength_name": strength_name(strength),
        "color": replacement.default_color,
        "image": replacement.background_image_url,
        "fit": replacement.fit,
    }


def _sink(loop: SinkLoop) -> SinkStatus:
    state: Literal["open", "failed"] = "failed" if loop.error else "open"
    return {
        "name": loop.name,
        "state": state,
        "delivered": loop.delivered,
        "dropped": loop.mailbox.dropped,
        "error": loop.error,
    }


def _rss_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    return 0.0

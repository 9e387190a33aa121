"""Answers requests at the local socket: how everything is, and what shall change."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

from scrim import __version__
from scrim.config import Settings, strength_name, strength_number
from scrim.core.control import Control, InEffect, answer_of
from scrim.core.loops import CaptureLoop, OutletLoop, PipelineLoop, SinkLoop
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.regulator import Regulator
from scrim.core.segment.loading import LoadedModel
from scrim.errors import LocalError
from scrim.image_url import scheme_of, shown
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

    Methods: ``status`` (no params), ``set`` (``patch``: a settings patch) and ``reset`` (no params).

    Args:
        control: changes settings.
        model: in use.
        pipeline: makes frames safe.
        outlet: decides what goes out.
        capture: keeps the camera.
        processing: feeds the pipeline.
        outgoing: feeds the sinks.
        sinks: one loop each.
        regulator: chooses the quality.
        forget: drops what is remembered of changes at run time.
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
        regulator: Regulator,
        forget: Callable[[], object] = lambda: None,
    ) -> None:
        self._control = control
        self._model = model
        self._pipeline = pipeline
        self._outlet = outlet
        self._capture = capture
        self._processing = processing
        self._outgoing = outgoing
        self._sinks = sinks
        self._regulator = regulator
        self._forget = forget
        self._started_s = time.monotonic()

    def handle(self, method: str, params: dict[str, Any]) -> "dict[str, Any] | Future[dict[str, Any]]":
        """Answer one request; see :class:`scrim.local.server.Handler`."""
        match method:
            case "status":
                return dict(self.status())
            case "set":
                return self._set(params)
            case "reset":
                return self._reset(params)
        allowed = "status, set, reset, events, feed, provide_images, image or image_failed"
        raise LocalError(f"method = {method!r}: unknown; allowed is {allowed}")

    def status(self) -> Status:
        """How everything is."""
        in_effect = self._control.in_effect
        is_placeholder = self._outgoing.showing == "placeholder"
        latency = self._outgoing.latency_ms
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "state": self._state(is_placeholder=is_placeholder),
            "placeholder_reason": self._outlet.reason if is_placeholder else None,
            "revision": in_effect.revision,
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
            "effect": _effect(in_effect.settings, self._control.missing),
            "quality": {"level": self._regulator.level.number, "reason": self._regulator.reason},
            "is_somebody_there": self._pipeline.subject.presence.is_present,
            "coverage": round(self._pipeline.last_matte.coverage, 3),
            "sinks": [_sink(sink) for sink in self._sinks],
            "rss_mb": _rss_mb(),
        }

    def _set(self, params: dict[str, Any]) -> "Future[dict[str, Any]]":
        patch = params.get("patch")
        if not isinstance(patch, dict) or len(params) != 1:
            raise LocalError('params: allowed is exactly {"patch": {...}}')
        return _then(self._control.submit(patch), answer_of)

    def _reset(self, params: dict[str, Any]) -> "Future[dict[str, Any]]":
        if params:
            raise LocalError("params: reset has none")

        def forget(in_effect: InEffect) -> dict[str, Any]:
            self._forget()
            return answer_of(in_effect)

        return _then(self._control.reset(), forget)

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


def _then(given: "Future[InEffect]", make: Callable[[InEffect], dict[str, Any]]) -> "Future[dict[str, Any]]":
    """What ``make`` makes of the result once it is there; its error where there is one."""
    answer: Future[dict[str, Any]] = Future()

    def finish(done: "Future[InEffect]") -> None:
        try:
            answer.set_result(make(done.result()))
        except Exception as error:  # noqa: BLE001  it is raised where the answer is taken
            answer.set_exception(error)

    given.add_done_callback(finish)
    return answer


def _effect(settings: Settings, missing: str | None) -> EffectStatus:
    image = settings.background_replacement.background_image_url
    strength, replacement = settings.background_blur.strength, settings.background_replacement
    return {
        "effect": settings.effect,
        "strength": strength_number(strength),
        "strength_name": strength_name(strength),
        "color": replacement.default_color,
        "image": shown(image) if image is not None and scheme_of(image) == "data" else image,
        "image_error": missing,
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

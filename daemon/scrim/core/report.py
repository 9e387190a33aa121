"""How everything is: status for people, metrics for operators."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scrim import __version__
from scrim.config import strength_name, strength_number
from scrim.core.capture.base import CameraDetails
from scrim.core.capture_loop import CaptureLoop
from scrim.core.control import Control
from scrim.core.crashes import SafeMode
from scrim.core.events import EventCount
from scrim.core.health import HealthReader, ProcessReader
from scrim.core.loops import OutletLoop, SinkLoop
from scrim.core.metrics import DeviceFigures, ErrorCount, Figures, Metrics, Value
from scrim.core.models import Models
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.pipeline_loop import PipelineLoop
from scrim.core.privacy import Privacy
from scrim.core.regulator import Regulator
from scrim.core.stats import BUCKETS_MS
from scrim.image_url import without_secrets
from scrim.local.status import (
    Counters,
    DeviceStatus,
    DropCounts,
    EffectStatus,
    FetchStatus,
    FramesStatus,
    ModelStatus,
    QualityStatus,
    SafeModeStatus,
    SinkStatus,
    StagesStatus,
    State,
    Status,
)
from scrim.rss_guard import MB, resident_bytes

if TYPE_CHECKING:
    from scrim.config import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running core that a report looks at.

    Attributes:
        control: changes settings.
        models: the one in use.
        pipeline: makes frames safe.
        outlet: decides what goes out.
        capture: keeps the camera.
        processing: feeds the pipeline.
        outgoing: feeds the sinks.
        sinks: one loop each.
        privacy: who wants the camera closed.
        regulator: chooses the quality.
        errors: counts what was logged as an error.
        events: counts events.
        safe_mode: why neither camera nor model is touched; None in an ordinary run.
        started_s: when the core was started, on the monotonic clock.
    """

    control: Control
    models: Models
    pipeline: Pipeline
    outlet: Outlet
    capture: CaptureLoop
    processing: PipelineLoop
    outgoing: OutletLoop
    sinks: list[SinkLoop]
    privacy: Privacy
    regulator: Regulator
    errors: ErrorCount
    events: EventCount
    safe_mode: SafeMode | None
    started_s: float


class Report:
    """Says how everything is. Used from one thread.

    Args:
        parts: what there is.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._metrics = Metrics(HealthReader(), ProcessReader(time.monotonic), parts.started_s)

    def status(self) -> Status:
        """How everything is."""
        in_effect = self._parts.control.in_effect
        is_placeholder = self._parts.outgoing.showing == "placeholder"
        latency = self._parts.outgoing.latency_ms
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._parts.started_s, 1),
            "state": self._state(is_placeholder=is_placeholder),
            "placeholder_reason": self._parts.outlet.reason if is_placeholder else None,
            "revision": in_effect.revision,
            "restart_needed": list(in_effect.restart_needed),
            "camera": {
                "source": self._parts.capture.name,
                "state": self._parts.capture.state,
                "caps": str(self._parts.capture.caps or ""),
                "error": self._parts.capture.error,
                "closed_by": list(self._parts.privacy.parties),
                "device": _device(self._parts.capture.details),
            },
            "frames": self._frames(),
            "latency_ms": {"p50": round(latency.at(50), 1), "p95": round(latency.at(95), 1)},
            "stages_ms": self._stages(),
            "model": self._model_status(),
            "effect": _effect(in_effect.settings, self._parts.control.missing),
            "quality": self._quality(),
            "is_somebody_there": self._is_somebody_there(),
            "coverage": round(self._coverage(), 3),
            "sinks": [_sink(sink) for sink in self._parts.sinks],
            "rss_mb": _rss_mb(),
            "safe_mode": self._safe_mode(),
        }

    def _quality(self) -> QualityStatus:
        regulator = self._parts.regulator
        return {
            "level": regulator.level.number,
            "reason": regulator.reason,
            "is_overlapping": regulator.is_overlapping,
        }

    def _is_somebody_there(self) -> bool:
        presence = self._parts.pipeline.subject.presence
        return presence.is_present and not self._parts.privacy.is_private

    def _coverage(self) -> float:
        return 0.0 if self._parts.privacy.is_private else self._parts.pipeline.last_matte.coverage

    def metrics(self) -> dict[str, Value]:
        """All metrics of this moment; see :class:`scrim.core.metrics.Metrics`."""
        return self._metrics.snapshot(self._figures(), time.monotonic())

    def counters(self) -> Counters:
        """What only counts up: durations of the stages as histograms, and by kind what else."""
        parts, clock = self._parts, self._parts.pipeline.clock
        stages = {name: clock.histogram(name) for name in ("segment", "matte", "composite")}
        stages = {"capture": parts.capture.clock.histogram("capture"), **stages}
        stages["total"] = parts.processing.clock.histogram("total")
        return {
            "bounds_s": [bound / 1000 for bound in BUCKETS_MS],
            "stages": {
                name: {"counts": found.cumulative(), "sum_s": round(found.total_ms / 1000, 6)}
                for name, found in stages.items()
            },
            "frames_dropped": self._dropped(),
            "segmentations_skipped": parts.processing.skipped + parts.pipeline.reused,
            "events": dict(parts.events.by_name),
            "settings_changes": {str(name): count for name, count in parts.control.results.items()},
        }

    def _dropped(self) -> DropCounts:
        parts = self._parts
        return {
            "camera": parts.capture.dropped_by_camera,
            "late": parts.capture.dropped + parts.outlet.displaced,
            "no_mask": parts.processing.without_mask,
            "no_buffer": parts.processing.without_buffer,
            "sink": sum(sink.mailbox.dropped for sink in parts.sinks),
        }

    def _figures(self) -> Figures:
        parts, frames, latency = self._parts, self._frames(), self._parts.outgoing.latency_ms
        clock = parts.pipeline.clock
        averages_ms = clock.averages_ms()
        return Figures(
            frames_submitted=parts.processing.submitted,
            frames_segmented=clock.count.get("segment", 0),
            frames_dropped=frames["dropped"],
            frame_rate_in_hz=frames["rate_in_hz"],
            frame_rate_out_hz=frames["rate_out_hz"],
            segmentation_duration_ms=averages_ms.get("segment"),
            effect_render_duration_ms=averages_ms.get("matte", 0.0) + averages_ms.get("composite", 0.0),
            latency_p50_ms=latency.at(50),
            latency_p95_ms=latency.at(95),
            picture_age_ms=_age_ms(parts.outgoing.picture_pts_ns),
            captures=[DeviceFigures(parts.capture.name, parts.capture.state)],
            sinks=[self._sink_figures(sink) for sink in parts.sinks],
            model=parts.models.current.spec.name,
            delegate=parts.models.current.delegate,
            initialization_duration_ms=parts.models.current.loading_ms,
            initialization_failure=parts.models.missing,
            error_count=parts.errors.total,
            quality_level=parts.regulator.level.number,
            quality_reason=parts.regulator.reason,
            is_overlapping=parts.regulator.is_overlapping,
            matte_coverage=self._coverage(),
            settings_revision=parts.control.in_effect.revision,
        )

    def _sink_figures(self, sink: SinkLoop) -> DeviceFigures:
        return DeviceFigures(sink.name, _sink(sink)["state"], sink.consumers)

    def _safe_mode(self) -> SafeModeStatus | None:
        safe_mode = self._parts.safe_mode
        if safe_mode is None:
            return None
        left_s = safe_mode.rest_s - (time.monotonic() - self._parts.started_s)
        return {"crashes": safe_mode.crashes, "left_s": round(max(0.0, left_s), 1)}

    def _state(self, *, is_placeholder: bool) -> State:
        if not is_placeholder:
            return "running"
        if self._parts.safe_mode is not None:
            return "placeholder"
        if self._parts.privacy.is_private or self._parts.control.settings.effect == "off":
            return "off"
        return "starting" if self._parts.capture.state == "starting" else "placeholder"

    def _frames(self) -> FramesStatus:
        now_ns = time.monotonic_ns()
        captured, delivered = self._parts.capture.meter, self._parts.outgoing.meter
        return {
            "rate_in_hz": round(captured.rate_hz(now_ns), 1),
            "rate_out_hz": round(delivered.rate_hz(now_ns), 1),
            "captured": captured.total,
            "delivered": delivered.total,
            "dropped": self._parts.capture.dropped
            + self._parts.processing.dropped
            + self._parts.outlet.displaced,
        }

    def _stages(self) -> StagesStatus:
        averages = self._parts.pipeline.clock.averages_ms()
        return {
            "capture": round(self._parts.capture.clock.averages_ms().get("capture", 0.0), 2),
            "segment": round(averages.get("input", 0.0) + averages.get("segment", 0.0), 2),
            "matte": round(averages.get("matte", 0.0), 2),
            "composite": round(averages.get("composite", 0.0), 2),
        }

    def _fetching(self) -> FetchStatus | None:
        fetching = self._parts.models.fetching
        if fetching is None:
            return None
        spec, (count, total) = fetching
        return {"name": spec.name, "bytes": count, "total_bytes": total}

    def _model_status(self) -> ModelStatus:
        model = self._parts.models.current
        width, height = model.segmenter.input_size
        return {
            "name": model.spec.name,
            "form": model.spec.form,
            "runtime": model.runtime,
            "input": f"{width}x{height}",
            "delegate": model.delegate,
            "delegate_error": model.delegate_error,
            "offered": list(self._parts.models.offered),
            "error": self._parts.models.missing,
            "fetching": self._fetching(),
        }


def _effect(settings: "Settings", missing: str | None) -> EffectStatus:
    image = settings.background_replacement.background_image_url
    strength, replacement = settings.background_blur.strength, settings.background_replacement
    return {
        "effect": settings.effect,
        "strength": strength_number(strength),
        "strength_name": strength_name(strength),
        "color": replacement.default_color,
        "image": without_secrets(image) if image is not None else None,
        "image_error": missing,
        "fit": replacement.fit,
    }


def _device(details: CameraDetails | None) -> DeviceStatus | None:
    if details is None:
        return None
    return {
        "name": details.name,
        "place": details.place,
        "delivers": details.delivers,
        "controls": dict(details.controls),
        "refused": list(details.refused),
    }


def _sink(loop: SinkLoop) -> SinkStatus:
    state: Literal["open", "failed"] = "failed" if loop.error else "open"
    return {
        "name": loop.name,
        "state": state,
        "delivered": loop.delivered,
        "dropped": loop.mailbox.dropped,
        "consumers": loop.consumers,
        "error": loop.error,
    }


def _age_ms(pts_ns: int | None) -> float | None:
    return None if pts_ns is None else (time.monotonic_ns() - pts_ns) / 1e6


def _rss_mb() -> float:
    return round((resident_bytes() or 0) / MB, 1)

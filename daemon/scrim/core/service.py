"""The composition root of the camera's process: builds all parts in order, stops them in reverse."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import cv2

from scrim import __version__
from scrim.config import Settings, strength_name, strength_number
from scrim.core.capture.registry import find_camera, make_source
from scrim.core.capture.scale import Scaled
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control
from scrim.core.look import prepare_look
from scrim.core.loops import CaptureLoop, OutletLoop, PipelineLoop, SinkLoop
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.segment.loading import LoadedModel, load_model
from scrim.core.sinks.feed import FeedSink
from scrim.core.sinks.registry import make_sink
from scrim.core.workers import Latest, Worker
from scrim.errors import LocalError
from scrim.frame import Caps, Frame, FramePool
from scrim.local.feed import FeedWriter
from scrim.local.server import LocalServer
from scrim.local.status import (
    EffectStatus,
    FramesStatus,
    ModelStatus,
    SinkStatus,
    StagesStatus,
    State,
    Status,
)

logger = logging.getLogger(__name__)

_POOL_FRAMES = 8
"""One being made, one fresh and one last in the outlet, one in each mailbox and one in each sink's hands."""


def run(settings: Settings, socket_path: Path, stop: threading.Event, *, is_patient: bool = True) -> None:
    """Run the core until ``stop`` is set.

    Args:
        settings: checked.
        socket_path: of the local socket.
        stop: ends it.
        is_patient: wait for a camera that is not there; else it is an error at start.

    Raises:
        ScrimError: something cannot be used and no waiting will cure it.
    """
    cv2.setNumThreads(1)
    caps = Caps(settings.camera.width, settings.camera.height, settings.camera.frame_rate)
    with ExitStack() as stack:
        outlet = Outlet(PlaceholderPainter(caps.size), caps.frame_interval_s)
        feed = FeedWriter()
        sinks = _start_sinks(stack, settings, caps, feed)
        outgoing = OutletLoop(outlet, [sink.mailbox for sink in sinks])
        stack.enter_context(_running("outlet", outgoing.step))
        stack.callback(_say_goodbye, outlet, outgoing, sinks)

        model = load_model(settings.model)
        stack.callback(model.segmenter.close)
        pool = FramePool(caps.size, _POOL_FRAMES + 2 * len(sinks))
        pipeline = Pipeline(caps.size, model.segmenter, prepare_look(settings, caps.size, 1), pool)
        mailbox: Latest[Frame] = Latest()
        processing = PipelineLoop(pipeline, mailbox, outlet)
        stack.enter_context(_running("pipeline", processing.step, mailbox.close))

        name = find_camera() if settings.camera.source == "auto" else settings.camera.source
        capture = CaptureLoop(name, Scaled(make_source(name, caps), caps.size), mailbox, outlet)
        stack.callback(capture.close)
        if not is_patient:
            capture.open()
        control = Control(settings, pipeline, outlet)
        answers = Answers(control, model, pipeline, outlet, capture, processing, outgoing, sinks)
        stack.enter_context(LocalServer(socket_path, answers, feed))
        stack.enter_context(_running("capture", capture.step, capture.stop))
        logger.info("core: running, socket %s", socket_path)
        stop.wait()


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
            "placeholder_reason": self._reason() if is_placeholder else None,
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

    def _reason(self) -> Reason:
        hidden = self._control.settings.effect == "off" and not self._control.settings.privacy.allow_raw
        return Reason.EFFECT_OFF if hidden else self._outlet.reason

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


def _start_sinks(stack: ExitStack, settings: Settings, caps: Caps, feed: FeedWriter) -> list[SinkLoop]:
    loops = [SinkLoop("feed", FeedSink(feed), caps)]
    loops += [SinkLoop(url, make_sink(url), caps) for url in settings.sinks]
    for loop in loops:
        stack.callback(loop.close)
        stack.enter_context(_running(f"sink {loop.name}", loop.step, loop.stop))
    return loops


@contextmanager
def _running(name: str, step: Callable[[], None], wake: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A thread that repeats ``step``; ``wake`` gets it out of a wait when it is to end."""
    worker = Worker(name, step)
    worker.start()
    try:
        yield
    finally:
        worker.ask_to_stop()
        wake()
        if not worker.join():
            logger.warning("%s: did not stop in time", name)


def _say_goodbye(outlet: Outlet, outgoing: OutletLoop, sinks: list[SinkLoop]) -> None:
    """Leave the placeholder on every sink: readers that stay see no frozen person."""
    outlet.because(Reason.STOPPING)
    outlet.drop()
    deadline_s = time.monotonic() + 1.0
    while time.monotonic() < deadline_s:
        if outgoing.showing == "placeholder" and all(sink.is_idle for sink in sinks):
            return
        time.sleep(0.01)


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

"""The composition root of the camera's process: builds all parts in order, stops them in reverse."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cv2

from scrim.core.answers import Answers
from scrim.core.capture.base import Source
from scrim.core.capture.first import FirstCamera
from scrim.core.capture.orient import Oriented, turned
from scrim.core.capture.registry import find_camera, make_source
from scrim.core.capture.scale import Scaled
from scrim.core.capture_loop import CaptureLoop
from scrim.core.changes import InEffect, hidden_by
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control
from scrim.core.crashes import CrashRecord, SafeMode, record_folder, recorded
from scrim.core.demand import Demand
from scrim.core.endurance import SAFE_MODE_PARTY, Endurance
from scrim.core.event_log import EventLog
from scrim.core.events import (
    EventCount,
    Observers,
    StateWatch,
    config_selected,
    filter_failed,
    filter_started,
)
from scrim.core.images import Images
from scrim.core.look import first_look, image_url, kept_regions
from scrim.core.loops import OutletLoop, PipelineLoop, SinkLoop, say_goodbye
from scrim.core.metrics import ErrorCount
from scrim.core.model_store import ModelStore
from scrim.core.models import Models, first_model, first_small_model
from scrim.core.outlet import Outlet
from scrim.core.panel import start_panel
from scrim.core.pipeline import Pipeline
from scrim.core.privacy import HOST_PARTY, SETTINGS_PARTY, Privacy, Shutter
from scrim.core.regulator import Regulator
from scrim.core.relay import FirstPicture, Relay
from scrim.core.remember import Memory
from scrim.core.report import FEED_NAME, Parts, Report
from scrim.core.segment.loading import load_adaptive, load_nothing
from scrim.core.sinks.feed import FeedSink
from scrim.core.sinks.registry import make_sink
from scrim.core.state import state_path
from scrim.core.watchdog import Watchdog
from scrim.core.workers import Latest, running
from scrim.errors import SegmentError
from scrim.frame import Caps, Frame, FramePool
from scrim.local.feed import FeedWriter
from scrim.local.model_files import ModelDesk
from scrim.local.pictures import PictureDesk
from scrim.local.server import LocalServer
from scrim.notify import notifier, watchdog_interval_s
from scrim.rss_guard import CORE, RssGuard, limit_mb
from scrim.statefile import StateFile
from scrim.thrift import settle

if TYPE_CHECKING:
    from gpiozero.pins import Factory

    from scrim.config import Settings

logger = logging.getLogger(__name__)

_SUPERVISION_INTERVAL_S = 0.25
_WAITING_INTERVAL_S = 0.1
"""While the camera rests: who begins to watch does not want to wait."""

_START_S = 10.0
"""After so long everything that stays is there, also where no camera is."""

_POOL_FRAMES = 8
"""One being made, one fresh and one last in the outlet, one in each mailbox and one in each sink's hands."""


def run(
    settings: "Settings",
    socket_path: Path,
    stop: threading.Event,
    *,
    is_patient: bool = True,
    plays_demo: bool = False,
    assigned: Mapping[str, Any] = MappingProxyType({}),
    observers: Iterable[object] = (),
    pins: "Factory | None" = None,
) -> bool:
    """Run the core until ``stop`` is set, or somebody asks for a restart.

    Args:
        settings: checked; what was changed at run time before is laid over them.
        socket_path: of the local socket.
        stop: ends it.
        is_patient: wait for a camera or an image that is not there; else it is an error at start.
        plays_demo: where ``auto`` finds no camera, play the demo rather than wait for one.
        assigned: the command line's patch: part of ``settings``, and above what is remembered.
        observers: hear every event; see :class:`scrim.core.events.Observers`.
        pins: of the panel, a pin factory of gpiozero; None takes the board's.

    Returns:
        Whether it is to be started again.

    Raises:
        ScrimError: something cannot be used and no waiting will cure it.
    """
    cv2.setNumThreads(1)
    started_s, is_to_restart, is_settled = time.monotonic(), threading.Event(), False

    def restart() -> None:
        is_to_restart.set()
        stop.set()

    with ExitStack() as stack:
        errors = _count_errors(stack)
        record = stack.enter_context(recorded(CrashRecord(record_folder())))
        memory = Memory(StateFile(state_path()), settings, assigned)
        start = memory.recall(record.instead)
        output = _start_output(stack, start.settings, observers, is_safe_mode=record.safe_mode is not None)
        loop = output.loop
        show_lights = start_panel(stack, settings.panel, output.privacy, lambda: loop.showing, pins)
        stack.callback(memory.close)
        filtering = _start_filtering(stack, settings, start, output, is_patient=is_patient)
        guard = RssGuard(limit_mb(settings.memory.core_limit_mb, CORE))
        endurance = Endurance(
            record,
            guard,
            settings,
            memory,
            lambda: filtering.control.in_effect,
            output.observers.notify,
            restart,
        )
        capture, source = _open_capture(
            stack, output, filtering, restart, is_patient=is_patient, plays_demo=plays_demo
        )
        core = _Core(output, filtering, capture, source, memory, errors, record.safe_mode, started_s, restart)
        _start_answering(stack, socket_path, core)
        stack.enter_context(running("capture", capture.step, capture.stop))
        logger.info("core: running, socket %s", socket_path)
        while not stop.wait(_SUPERVISION_INTERVAL_S if output.demand.is_there else _WAITING_INTERVAL_S):
            filtering.regulator.step()
            output.demand.look(sink.consumers for sink in output.sinks)
            show_lights()
            why = filtering.models.current.delegate_error
            output.watch.delegate(is_lost=why is not None, reason=why)
            endurance.step()
            if not is_settled and (output.loop.showing != "placeholder" or _is_late(started_s)):
                is_settled = True
                settle()
    return is_to_restart.is_set()


def _is_late(started_s: float) -> bool:
    return time.monotonic() - started_s > _START_S


@dataclass(frozen=True, slots=True)
class _Output:
    """From the outlet on: it runs first and stops last, so that there is always a picture."""

    caps: Caps
    outlet: Outlet
    feed: FeedWriter
    sinks: list[SinkLoop]
    loop: OutletLoop
    observers: Observers
    events: EventCount
    watch: StateWatch
    privacy: Privacy
    demand: Demand
    is_safe_mode: bool


@dataclass(frozen=True, slots=True)
class _Filtering:
    """From the capture mailbox to the outlet."""

    models: Models
    pipeline: Pipeline
    mailbox: Latest[Frame]
    loop: PipelineLoop
    regulator: Regulator
    control: Control
    desk: PictureDesk
    model_desk: ModelDesk


@dataclass(frozen=True, slots=True)
class _Core:
    """Everything that answers are about."""

    output: _Output
    filtering: _Filtering
    capture: CaptureLoop
    source: Oriented
    memory: Memory
    errors: ErrorCount
    safe_mode: SafeMode | None
    started_s: float
    restart: Callable[[], None]


def _start_output(
    stack: ExitStack, settings: "Settings", listening: Iterable[object], *, is_safe_mode: bool
) -> _Output:
    camera = settings.camera
    caps = Caps(camera.width, camera.height, camera.frame_rate)
    painter = PlaceholderPainter(caps.size)
    closed = Reason.SAFE_MODE if is_safe_mode else Reason.PRIVACY
    outlet = Outlet(painter, caps.frame_interval_s, closed=closed)
    privacy, demand = Privacy(outlet), Demand(is_on=camera.on_demand)
    privacy.switch(SAFE_MODE_PARTY).set_private(is_safe_mode)
    feed, observers = FeedWriter(), Observers()
    events = EventCount()
    for observer in (EventLog(), events, *listening):
        observers.add(observer)
    watch = StateWatch(observers.notify)
    sinks = _start_sinks(stack, settings, caps, feed, painter, Shutter(privacy, HOST_PARTY))
    loop = OutletLoop(outlet, [sink.mailbox for sink in sinks], watch)
    loop.begin()
    stack.enter_context(running("outlet", loop.step))
    stack.callback(say_goodbye, outlet, loop, sinks)
    return _Output(caps, outlet, feed, sinks, loop, observers, events, watch, privacy, demand, is_safe_mode)


def _start_filtering(
    stack: ExitStack, settings: "Settings", start: InEffect, output: _Output, *, is_patient: bool
) -> _Filtering:
    caps, outlet = output.caps, output.outlet
    load = load_nothing if output.is_safe_mode else load_adaptive
    first = first_model(start.settings.model, settings.model, load)
    start = replace(start, settings=start.settings.model_copy(update={"model": first.settings}))
    small, small_specs = (None, ()) if output.is_safe_mode else first_small_model(settings)
    if small is not None:
        stack.callback(small.close)
    desk, model_desk = PictureDesk(), ModelDesk()
    images = Images(outside=desk)
    is_strict = image_url(start.settings) == image_url(settings) and not is_patient
    look, missing = first_look(start.settings, caps.size, start.revision, images, is_strict=is_strict)
    pool = FramePool(caps.size, _POOL_FRAMES + 2 * len(output.sinks))
    keep = kept_regions(settings)
    pipeline = Pipeline(caps.size, first.model.segmenter, look, pool, small=small, keep=keep)
    store = ModelStore(model_desk)
    models = Models(first, pipeline, store, also=small_specs, load=load)
    stack.callback(models.close)
    regulator = Regulator(
        start.settings,
        caps.frame_rate,
        pipeline,
        outlet,
        output.watch,
        output.observers.notify,
        has_small_model=small is not None,
    )
    outlet.hide(hidden_by(start.settings))
    output.privacy.follow(pipeline.forget)
    control = Control(
        start.settings,
        pipeline,
        outlet,
        images,
        base=settings,
        revision=start.revision,
        switch=output.privacy.switch(SETTINGS_PARTY),
        models=models,
    )
    control.missing = missing
    mailbox: Latest[Frame] = Latest()

    def started() -> None:
        model = models.current
        output.observers.notify(filter_started(model=model.spec.name, delegate=model.delegate))

    output.observers.add(FirstPicture(started))

    def failed(error: SegmentError) -> None:
        output.observers.notify(filter_failed(error))

    loop = PipelineLoop(
        pipeline, mailbox, outlet, regulator.processed, failed, lambda: regulator.is_overlapping
    )
    stack.enter_context(running("composite", loop.finish, loop.close))
    stack.enter_context(running("pipeline", loop.step, mailbox.close))
    stack.enter_context(running("models", store.step, store.close))
    return _Filtering(models, pipeline, mailbox, loop, regulator, control, desk, model_desk)


def _open_capture(
    stack: ExitStack,
    output: _Output,
    filtering: _Filtering,
    restart: Callable[[], None],
    *,
    is_patient: bool,
    plays_demo: bool,
) -> tuple[CaptureLoop, Oriented]:
    camera = filtering.control.settings.camera
    asked = turned(output.caps, camera.rotate)

    def make(url: str) -> Source:
        # A picture that is turned afterwards has no small one beside it.
        is_upright = not camera.rotate and not camera.mirror
        model_size = filtering.models.current.segmenter.input_size if is_upright else None
        return make_source(url, asked, controls=camera.controls, model_size=model_size)

    name = find_camera() if camera.source == "auto" else camera.source
    is_awaited = camera.source == "auto" and name == "demo:" and not plays_demo
    device = FirstCamera(make) if is_awaited else make(name)
    source = Oriented(device, mirror=camera.mirror, rotate=camera.rotate)
    capture = CaptureLoop(
        "auto" if is_awaited else name,
        Scaled(source, output.caps.size),
        filtering.mailbox,
        output.outlet,
        output.watch,
        output.privacy,
        device=device,
        demand=output.demand,
        hangs=restart,
        opened=lambda caps: filtering.regulator.retime(caps.frame_rate),
    )
    stack.callback(capture.close)
    if not is_patient:
        capture.open()
    return capture, source


def _start_answering(stack: ExitStack, socket_path: Path, core: _Core) -> None:
    output, filtering, memory = core.output, core.filtering, core.memory
    control = filtering.control
    parts = Parts(
        control,
        filtering.models,
        filtering.pipeline,
        output.outlet,
        core.capture,
        filtering.loop,
        output.loop,
        output.sinks,
        output.privacy,
        filtering.regulator,
        core.errors,
        output.events,
        core.safe_mode,
        core.started_s,
    )
    answers = Answers(control, Report(parts), memory.forget, core.restart)
    server = stack.enter_context(
        LocalServer(socket_path, answers, output.feed, filtering.desk, filtering.model_desk)
    )
    output.observers.add(Relay(server))

    def changed(in_effect: InEffect) -> None:
        memory.note(in_effect)
        filtering.regulator.follow(in_effect.settings)
        _orient(core, in_effect)
        model = filtering.models.current.spec.name
        effect, revision = in_effect.settings.effect, in_effect.revision
        output.observers.notify(config_selected(effect=effect, revision=revision, model=model))

    def step() -> None:
        control.step()
        memory.step()

    control.on_change = changed
    stack.enter_context(running("settings", step, control.close))


def _orient(core: _Core, in_effect: InEffect) -> None:
    """Turn the picture as the settings say, as far as that needs no restart."""
    camera = in_effect.settings.camera
    rotate = core.source.rotate if "camera.rotate" in in_effect.restart_needed else camera.rotate
    turn = partial(core.source.turn, mirror=camera.mirror, rotate=rotate)

    def do() -> None:
        turn()
        core.filtering.pipeline.forget()

    core.capture.between_frames(do)


def _count_errors(stack: ExitStack) -> ErrorCount:
    errors, ours = ErrorCount(), logging.getLogger("scrim")
    ours.addHandler(errors)
    stack.callback(ours.removeHandler, errors)
    return errors


def _start_sinks(
    stack: ExitStack,
    settings: "Settings",
    caps: Caps,
    feed: FeedWriter,
    painter: PlaceholderPainter,
    shutter: Shutter,
) -> list[SinkLoop]:
    notify = notifier()
    watchdog = Watchdog(notify, watchdog_interval_s())
    loops = [SinkLoop(FEED_NAME, FeedSink(feed), caps, painter, watchdog.delivered)]
    for url in settings.sinks:
        sink = make_sink(url, settings.gadget, shutter)
        loops.append(SinkLoop(url, sink, caps, painter, watchdog.delivered))
    watchdog.follow(loops)
    stack.callback(notify, "STOPPING=1")
    for loop in loops:
        stack.callback(loop.close)
        stack.enter_context(running(f"sink {loop.name}", loop.step, loop.stop))
    return loops

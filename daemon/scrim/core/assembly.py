"""From the camera to the outlet, and who answers for it: loaded and built while the placeholder plays."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scrim.core.answers import Answers
from scrim.core.capture.base import Source
from scrim.core.capture.first import FirstCamera
from scrim.core.capture.orient import Oriented, turned
from scrim.core.capture.registry import find_camera, make_source
from scrim.core.capture.scale import Scaled
from scrim.core.capture_loop import CaptureLoop
from scrim.core.changes import InEffect, hidden_by
from scrim.core.control import Control
from scrim.core.crashes import SafeMode
from scrim.core.events import config_selected, filter_failed, filter_started
from scrim.core.images import Images
from scrim.core.look import first_look, image_url, kept_regions
from scrim.core.metrics import ErrorCount
from scrim.core.model_store import ModelStore
from scrim.core.models import Models, first_model, first_small_model
from scrim.core.output import Output
from scrim.core.pipeline import Pipeline
from scrim.core.pipeline_loop import PipelineLoop
from scrim.core.privacy import SETTINGS_PARTY
from scrim.core.regulator import Regulator
from scrim.core.relay import FirstPicture, Relay
from scrim.core.remember import Memory
from scrim.core.report import Parts, Report
from scrim.core.segment.loading import load_adaptive, load_nothing
from scrim.core.workers import Latest, running
from scrim.errors import SegmentError
from scrim.frame import Frame, FramePool
from scrim.local.model_files import ModelDesk
from scrim.local.pictures import PictureDesk
from scrim.local.server import LocalServer

if TYPE_CHECKING:
    from scrim.config import Settings

_POOL_FRAMES = 8
"""One being made, one fresh and one last in the outlet, one in each mailbox and one in each sink's hands."""


@dataclass(frozen=True, slots=True)
class Filtering:
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
class Core:
    """Everything that answers are about."""

    output: Output
    filtering: Filtering
    capture: CaptureLoop
    source: Oriented
    memory: Memory
    errors: ErrorCount
    safe_mode: SafeMode | None
    started_s: float
    restart: Callable[[], None]


def start_filtering(
    stack: ExitStack, settings: "Settings", start: InEffect, output: Output, *, is_patient: bool
) -> Filtering:
    """Load the model, make the look, and let the pipeline wait for frames.

    Args:
        stack: stops it, in reverse.
        settings: the file's and the command line's.
        start: what is in effect first.
        output: where the pictures go.
        is_patient: go on without an image that is not there.

    Raises:
        ScrimError: something cannot be used and no waiting will cure it.
    """
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
    return Filtering(models, pipeline, mailbox, loop, regulator, control, desk, model_desk)


def open_capture(
    stack: ExitStack,
    output: Output,
    filtering: Filtering,
    restart: Callable[[], None],
    *,
    is_patient: bool,
    plays_demo: bool,
) -> tuple[CaptureLoop, Oriented]:
    """Find the camera; it is opened by the loop, or here where nobody is to wait for it.

    Args:
        stack: closes it.
        output: the size that is wanted, and who is told.
        filtering: where its frames go.
        restart: for a camera that hangs beyond repair.
        is_patient: else a camera that cannot be opened is an error.
        plays_demo: where ``auto`` finds none, play the demo.

    Raises:
        ScrimError: the source cannot be used.
    """
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
        hidden=output.wait_for_placeholder,
    )
    stack.callback(capture.close)
    if not is_patient:
        capture.open()
    return capture, source


def start_answering(stack: ExitStack, socket_path: Path, core: Core) -> None:
    """Answer at the local socket, and let settings change; ``stack`` ends both."""
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


def _orient(core: Core, in_effect: InEffect) -> None:
    """Turn the picture as the settings say, as far as that needs no restart."""
    camera = in_effect.settings.camera
    rotate = core.source.rotate if "camera.rotate" in in_effect.restart_needed else camera.rotate
    turn = partial(core.source.turn, mirror=camera.mirror, rotate=rotate)

    def do() -> None:
        turn()
        core.filtering.pipeline.forget()

    core.capture.between_frames(do)

"""The composition root of the camera's process: builds all parts in order, stops them in reverse."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2

from scrim.config import Settings
from scrim.core.answers import Answers
from scrim.core.capture.registry import find_camera, make_source
from scrim.core.capture.scale import Scaled
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control, hidden_by
from scrim.core.images import Images
from scrim.core.look import first_look, image_url
from scrim.core.loops import CaptureLoop, OutletLoop, PipelineLoop, SinkLoop
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.remember import Memory
from scrim.core.segment.loading import load_model
from scrim.core.sinks.feed import FeedSink
from scrim.core.sinks.registry import make_sink
from scrim.core.state import StateFile, state_path
from scrim.core.workers import Latest, Worker
from scrim.frame import Caps, Frame, FramePool
from scrim.local.feed import FeedWriter
from scrim.local.pictures import PictureDesk
from scrim.local.server import LocalServer

logger = logging.getLogger(__name__)

_POOL_FRAMES = 8
"""One being made, one fresh and one last in the outlet, one in each mailbox and one in each sink's hands."""


def run(
    settings: Settings,
    socket_path: Path,
    stop: threading.Event,
    *,
    is_patient: bool = True,
    assigned: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Run the core until ``stop`` is set.

    Args:
        settings: checked; what was changed at run time before is laid over them.
        socket_path: of the local socket.
        stop: ends it.
        is_patient: wait for a camera or an image that is not there; else it is an error at start.
        assigned: the command line's patch: part of ``settings``, and above what is remembered.

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
        memory = Memory(StateFile(state_path()), settings, assigned)
        stack.callback(memory.close)
        start, desk = memory.recall(), PictureDesk()
        images = Images(outside=desk)
        is_named = image_url(start.settings) == image_url(settings)
        look, missing = first_look(
            start.settings, caps.size, start.revision, images, is_strict=is_named and not is_patient
        )
        pipeline = Pipeline(caps.size, model.segmenter, look, pool)
        mailbox: Latest[Frame] = Latest()
        processing = PipelineLoop(pipeline, mailbox, outlet)
        stack.enter_context(_running("pipeline", processing.step, mailbox.close))

        name = find_camera() if settings.camera.source == "auto" else settings.camera.source
        capture = CaptureLoop(name, Scaled(make_source(name, caps), caps.size), mailbox, outlet)
        stack.callback(capture.close)
        if not is_patient:
            capture.open()
        outlet.hide(hidden_by(start.settings))
        control = Control(start.settings, pipeline, outlet, images, base=settings, revision=start.revision)
        control.missing, control.on_change = missing, memory.note
        answers = Answers(
            control, model, pipeline, outlet, capture, processing, outgoing, sinks, memory.forget
        )
        stack.enter_context(LocalServer(socket_path, answers, feed, desk))
        stack.enter_context(_running("settings", partial(_change, control, memory), control.close))
        stack.enter_context(_running("capture", capture.step, capture.stop))
        logger.info("core: running, socket %s", socket_path)
        stop.wait()


def _change(control: Control, memory: Memory) -> None:
    control.step()
    memory.step()


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

"""The composition root of the camera's process: builds all parts in order, stops them in reverse.

The placeholder comes first. What makes pictures of the camera is imported once it is out.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cv2

from scrim.core.crashes import CrashRecord, record_folder, recorded
from scrim.core.endurance import Endurance
from scrim.core.metrics import ErrorCount
from scrim.core.output import start_output
from scrim.core.remember import Memory
from scrim.core.state import state_path
from scrim.core.workers import running
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
        output = start_output(stack, start.settings, observers, is_safe_mode=record.safe_mode is not None)
        output.wait_for_first_picture()
        # As much again as all that was imported so far: whoever reads the webcam is not to wait for it.
        from scrim.core.assembly import Core, open_capture, start_answering, start_filtering
        from scrim.core.panel import start_panel

        loop = output.loop
        show_lights = start_panel(stack, settings.panel, output.privacy, lambda: loop.showing, pins)
        stack.callback(memory.close)
        filtering = start_filtering(stack, settings, start, output, is_patient=is_patient)
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
        capture, source = open_capture(
            stack, output, filtering, restart, is_patient=is_patient, plays_demo=plays_demo
        )
        core = Core(output, filtering, capture, source, memory, errors, record.safe_mode, started_s, restart)
        start_answering(stack, socket_path, core)
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


def _count_errors(stack: ExitStack) -> ErrorCount:
    errors, ours = ErrorCount(), logging.getLogger("scrim")
    ours.addHandler(errors)
    stack.callback(ours.removeHandler, errors)
    return errors

"""Measures scrim on one clip, in a process of its own: ``python -m scrim.core.bench.worker JOB``.

Speaks lines of JSON: prints one after each round of frames; each line on standard input starts a round.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scrim.config import Settings, from_document
from scrim.core.bench.clip import read_clip
from scrim.core.bench.counters import Counters, per_frame
from scrim.core.composite.blend import best_blend
from scrim.core.ladder import ladder
from scrim.core.look import prepare_look
from scrim.core.pipeline import Pipeline
from scrim.core.pyramid import Pyramid
from scrim.core.segment.loading import load_model
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.core.stats import StageClock
from scrim.errors import ScrimError
from scrim.frame import Frame, FramePool


@dataclass(frozen=True, slots=True)
class Job:
    """What to measure.

    Attributes:
        clip: raw frames, see :mod:`.clip`.
        width: pixels.
        height: pixels.
        settings: the settings document.
        image_folder: where the background image lies.
        frames: in a round.
        started_s: when the process was started, seconds of CLOCK_MONOTONIC.
        is_floor: measure the least that a frame can cost instead: see :func:`_floor`.
        level: of the ladder of a time budget without a smaller model; 0 is full quality.
    """

    clip: str
    width: int
    height: int
    settings: dict[str, Any]
    image_folder: str
    frames: int
    started_s: float
    is_floor: bool = False
    level: int = 0

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of frames cost, per frame: CPU of all threads, user and system, and wall time, in ms.

    Cycles and instructions are None where the machine lets nobody count them.
    """

    cpu_ms: float
    wall_ms: float
    stages_ms: dict[str, float]
    cycles: float | None
    instructions: float | None
    peak_rss_mb: float
    first_frame_s: float


def main() -> int:
    """Serve rounds until standard input ends."""
    try:
        return _serve()
    except ScrimError as error:
        print(f"scrim: {error}", file=sys.stderr)
        return error.exit_status


def _serve() -> int:
    play = ready(Job(**json.loads(sys.argv[1])))
    for _ in sys.stdin:
        print(json.dumps(asdict(play())), flush=True)
    return 0


def ready(job: Job) -> Callable[[], Round]:
    """Load everything and process a first frame.

    Returns:
        Plays a round of frames.

    Raises:
        ScrimError: settings, model or clip cannot be used.
    """
    counters = Counters()  # before any thread is started
    cv2.setNumThreads(1)
    frames = read_clip(Path(job.clip), (job.width, job.height))
    clock = StageClock()
    process = _floor(job, frames[0]) if job.is_floor else _pipeline(job, clock).process
    process(frames[0])
    first_frame_s = time.monotonic() - job.started_s
    clip_mb = _mapped_mb(job)

    def play() -> Round:
        before = dict(clock.total_ms)
        cpu_ms, wall_ms, counted = _round(process, frames, job.frames, counters)
        stages_ms = {
            name: (spent - before.get(name, 0.0)) / job.frames for name, spent in clock.total_ms.items()
        }
        peak_rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - clip_mb
        return Round(cpu_ms, wall_ms, stages_ms, *counted, peak_rss_mb, first_frame_s)

    return play


def _mapped_mb(job: Job) -> float:
    """What of the clip is in memory once a round was played: the frames that were read."""
    frame_bytes = job.width * job.height * 3 // 2
    return min(Path(job.clip).stat().st_size, job.frames * frame_bytes) / 1e6


def _pipeline(job: Job, clock: StageClock) -> Pipeline:
    settings: Settings = from_document(job.settings)
    size = (job.width, job.height)
    model = load_model(settings.model)
    model.require_delegate()
    look = prepare_look(settings, size, 1, (Path(job.image_folder),))
    pipeline = Pipeline(size, model.segmenter, look, FramePool(size, 3), clock)
    pipeline.degrade(ladder(look.refine, has_small_model=False)[job.level])
    return pipeline


def _floor(job: Job, first: Frame) -> Callable[[Frame], object]:
    """The least that a frame can cost: the bare model, and one pass that mixes camera and background.

    Matte and background are those of the first frame, as the pipeline makes them. Reading the frame into the
    model, making mask, matte and background of each frame is what scrim adds to this.
    """
    settings: Settings = from_document(job.settings)
    size = (job.width, job.height)
    look = prepare_look(settings, size, 1, (Path(job.image_folder),))
    model = load_model(settings.model.model_copy(update={"delegate": None})).segmenter
    pipeline = Pipeline(size, model, look, FramePool(size, 3))
    pipeline.process(first)
    matte, pyramid, blend = pipeline.last_matte, Pyramid(size), best_blend(size[0])
    pyramid.load(first)
    if look.background is None or not isinstance(model, TFLiteSegmenter):
        raise ScrimError("bench: there is no floor without an effect and a model")
    behind, run = look.background.planes(pyramid, matte), model.run
    out = np.zeros((size[1] * 3 // 2, size[0]), np.uint8)

    def process(frame: Frame) -> None:
        run()
        blend(out, frame.planes, behind, matte)

    return process


def _round(
    process: Callable[[Frame], object], frames: list[Frame], count: int, counters: Counters
) -> tuple[float, float, tuple[float | None, float | None]]:
    before = counters.read()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for at in range(count):
        process(frames[at % len(frames)])
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return cpu_s * 1000 / count, wall_s * 1000 / count, per_frame(before, counters.read(), count)


if __name__ == "__main__":
    sys.exit(main())

"""Measures scrim on one clip, in a process of its own: ``python -m scrim.core.bench.worker JOB``.

Speaks lines of JSON: prints one after each round of frames; each line on standard input starts a round.
"""

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2

from scrim.config import Settings, from_document
from scrim.core.bench.clip import read_clip
from scrim.core.look import prepare_look
from scrim.core.pipeline import Pipeline
from scrim.core.segment.loading import load_model
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
    """

    clip: str
    width: int
    height: int
    settings: dict[str, Any]
    image_folder: str
    frames: int
    started_s: float

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of frames cost, per frame: CPU of all threads, user and system, and wall time, in ms."""

    cpu_ms: float
    wall_ms: float
    stages_ms: dict[str, float]
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
    job = Job(**json.loads(sys.argv[1]))
    cv2.setNumThreads(1)
    frames = read_clip(Path(job.clip), (job.width, job.height))
    pipeline = _pipeline(job)
    pipeline.process(frames[0])
    first_frame_s = time.monotonic() - job.started_s
    clip_mb = Path(job.clip).stat().st_size / 1e6
    for _ in sys.stdin:
        measured = _round(pipeline, frames, job.frames)
        peak_rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - clip_mb
        print(json.dumps(asdict(Round(*measured, peak_rss_mb, first_frame_s))), flush=True)
    return 0


def _pipeline(job: Job) -> Pipeline:
    settings: Settings = from_document(job.settings)
    size = (job.width, job.height)
    model = load_model(settings.model)
    model.require_delegate()
    look = prepare_look(settings, size, 1, (Path(job.image_folder),))
    return Pipeline(size, model.segmenter, look, FramePool(size, 3))


def _round(pipeline: Pipeline, frames: list[Frame], count: int) -> tuple[float, float, dict[str, float]]:
    before = dict(pipeline.clock.total_ms)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for at in range(count):
        pipeline.process(frames[at % len(frames)])
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    after = pipeline.clock.total_ms
    stages = {name: (after[name] - before.get(name, 0.0)) / count for name in after}
    return cpu_s * 1000 / count, wall_s * 1000 / count, stages


if __name__ == "__main__":
    sys.exit(main())

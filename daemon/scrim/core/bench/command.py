"""The benchmark's conductor: one worker per thing measured, taking turns, so that noise hits all alike."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import IO, Any, cast

import cv2
import numpy as np
from tqdm import tqdm

from scrim.config import Settings
from scrim.core.bench.clip import write_clip
from scrim.core.bench.picture import draw
from scrim.core.bench.worker import Job
from scrim.errors import EXIT_CONFIG, ConfigError, Problem, ScrimError
from scrim.frame import MAX_SIDE_PX

MEDIAPIPE_PYTHON = "SCRIM_MEDIAPIPE_PYTHON"
"""Environment variable naming a Python that can import mediapipe."""

FLOOR = "floor"
"""Name of the least that a frame can cost: the bare model and one pass over the picture."""

_SOURCE_TREE = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure.

    Attributes:
        sizes: (width, height) in pixels.
        effects: of blur, image, color.
        threads: inference threads.
        clip: a video, or None for the demo.
        with_mediapipe: measure MediaPipe's own loop in the same run.
        frames: in a round.
        rounds: of which the median counts.
    """

    sizes: Sequence[tuple[int, int]] = ((1280, 720),)
    effects: Sequence[str] = ("blur",)
    threads: Sequence[int] = (1,)
    clip: Path | None = None
    with_mediapipe: bool = False
    frames: int = 100
    rounds: int = 5


@dataclass(slots=True)
class Candidate:
    """One thing that is measured, and what was measured so far."""

    program: str
    size: tuple[int, int]
    effect: str
    threads: int
    process: "subprocess.Popen[str]"
    rounds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def requests(self) -> IO[str]:
        """The worker's standard input."""
        return cast("IO[str]", self.process.stdin)

    @property
    def answers(self) -> IO[str]:
        """The worker's standard output."""
        return cast("IO[str]", self.process.stdout)

    def end(self) -> None:
        """Let the worker end, and wait for it."""
        with contextlib.suppress(BrokenPipeError):
            self.requests.close()
        self.answers.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def play_round(self) -> dict[str, Any]:
        """Have the worker play one round and wait for its figures.

        Raises:
            ScrimError: the worker ended.
        """
        with contextlib.suppress(BrokenPipeError):
            self.requests.write("\n")
            self.requests.flush()
        line = self.answers.readline()
        if not line:
            raise self._ended()
        return dict(json.loads(line))

    def _counted(self, what: str) -> int | None:
        counts = [one.get(what) for one in self.rounds]
        return None if None in counts else round(median(cast("list[float]", counts)))

    def _ended(self) -> ScrimError:
        """That the worker ended; with wrong settings where it said so."""
        error = ScrimError(f"bench: the worker for {self.program} ended; its own words are above")
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.process.wait(10) == EXIT_CONFIG:
                error.exit_status = EXIT_CONFIG
        return error

    def result(self) -> dict[str, Any]:
        """The medians, and the spread of the CPU time as half the distance between the quartiles."""
        cpu = [one["cpu_ms"] for one in self.rounds]
        low, high = np.percentile(cpu, (25, 75))
        stages = {
            name: median(one["stages_ms"][name] for one in self.rounds)
            for name in self.rounds[0]["stages_ms"]
        }
        return {
            "program": self.program,
            "width": self.size[0],
            "height": self.size[1],
            "effect": self.effect,
            "threads": self.threads,
            "cpu_ms_per_frame": round(median(cpu), 3),
            "cpu_ms_spread": round((high - low) / 2, 3),
            "wall_ms_per_frame": round(median(one["wall_ms"] for one in self.rounds), 3),
            "fps": round(1000 / median(one["wall_ms"] for one in self.rounds), 1),
            "stages": {name: round(spent, 3) for name, spent in stages.items()},
            "cycles_per_frame": self._counted("cycles"),
            "instructions_per_frame": self._counted("instructions"),
            "peak_rss_mb": round(max(one["peak_rss_mb"] for one in self.rounds), 1),
            "first_frame_s": round(self.rounds[0]["first_frame_s"], 2),
        }


def measure(settings: Settings, options: Options, *, is_quiet: bool = False) -> list[dict[str, Any]]:
    """Measure everything, one size after the other, all candidates of a size taking turns.

    Returns:
        One result per candidate. Those of scrim have ``ratio_to_floor``, ``floor_cpu_ms`` and
        ``floor_wall_ms``, and ``ratio_to_mediapipe`` where that was measured too.

    Raises:
        ScrimError: the clip cannot be read, mediapipe is wanted and not there, or a worker ended.
    """
    if options.with_mediapipe:
        mediapipe_python()
    results: list[dict[str, Any]] = []
    total = len(options.sizes) * (options.rounds + 1)
    with tqdm(total=total, unit="round", disable=is_quiet, leave=False) as progress, ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scrim-bench-")))
        image = _write_image(folder)
        for size in options.sizes:
            clip = folder / "{}x{}.i420".format(*size)
            write_clip(clip, size, options.clip)
            with _candidates(settings, options, size, clip, image) as candidates:
                for number in range(options.rounds + 1):
                    for candidate in candidates:
                        figures = candidate.play_round()
                        if number:  # the first round warms up
                            candidate.rounds.append(figures)
                    progress.update()
                measured = [candidate.result() for candidate in candidates]
                results += _with_floor(_with_ratios(measured))
    return results


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results for people."""
    names = ("program", "size", "effect", "thr", "CPU ms", "wall ms", "fps", "RSS MB", "first s")
    head = "{:10} {:>9} {:6} {:>3} {:>14} {:>8} {:>6} {:>7} {:>7}".format(*names)
    lines = [head, "-" * len(head)]
    for one in results:
        size = f"{one['width']}x{one['height']}"
        cpu = f"{one['cpu_ms_per_frame']:.2f} ±{one['cpu_ms_spread']:.2f}"
        lines.append(
            f"{one['program']:10} {size:>9} {one['effect']:6} {one['threads']:3} {cpu:>14}"
            f" {one['wall_ms_per_frame']:8.2f} {one['fps']:6.0f} {one['peak_rss_mb']:7.0f}"
            f" {one['first_frame_s']:7.2f}"
        )
        if one["stages"]:
            lines.append(
                "           " + "  ".join(f"{name} {spent:.2f}" for name, spent in one["stages"].items())
            )
        if one["program"] == "scrim":
            lines.append(f"           {_counted(one)}")
        if "ratio_to_floor" in one:
            lines.append(f"           {one['ratio_to_floor']:.2f} of the floor: bare model and one pass")
        if "ratio_to_mediapipe" in one:
            lines.append(f"           {one['ratio_to_mediapipe']:.3f} of MediaPipe's own loop in this run")
    return "\n".join(lines)


def _counted(one: dict[str, Any]) -> str:
    if one["instructions_per_frame"] is None or one["cycles_per_frame"] is None:
        return "cycles and instructions: not counted, this machine lets nobody"
    cycles, instructions = one["cycles_per_frame"] / 1e6, one["instructions_per_frame"] / 1e6
    return f"{cycles:.1f} M cycles, {instructions:.1f} M instructions ({instructions / cycles:.1f} a cycle)"


def save_picture(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Draw where the time of a frame goes.

    Raises:
        ScrimError: the file cannot be written.
    """
    try:
        path.write_text(draw([one for one in results if one["program"] != FLOOR]))
    except OSError as error:
        raise ScrimError(f"--profile {path}: cannot be written: {error.strerror}") from None


def parse_size(text: str) -> tuple[int, int]:
    """``1280x720`` as (1280, 720).

    Raises:
        ConfigError: it is no size, or not an even one.
    """
    width, _, height = text.lower().partition("x")
    if width.isdecimal() and height.isdecimal():
        size = int(width), int(height)
        if all(side % 2 == 0 and 64 <= side <= MAX_SIDE_PX for side in size):
            return size
    raise ConfigError(
        [Problem("--size", text, "is not a frame size", f"WxH, both even, 64 to {MAX_SIDE_PX}")], "bench"
    )


@contextmanager
def _candidates(
    settings: Settings, options: Options, size: tuple[int, int], clip: Path, image: Path
) -> Iterator[list[Candidate]]:
    candidates: list[Candidate] = []
    try:
        for effect, threads in product(options.effects, options.threads):
            job = _job(settings, options, size, clip, image, effect, threads)
            candidates.append(_scrim(job, effect, threads))
            candidates.append(_scrim(replace(job, is_floor=True), effect, threads))
        if options.with_mediapipe:
            candidates += [_mediapipe(options, size, clip, image, effect) for effect in options.effects]
        yield candidates
    finally:
        for candidate in candidates:
            candidate.end()


def _job(
    settings: Settings,
    options: Options,
    size: tuple[int, int],
    clip: Path,
    image: Path,
    effect: str,
    threads: int,
) -> Job:
    patch: dict[str, Any] = {"effect": effect, "model": {"threads": threads}}
    if effect == "image":
        patch["image"] = image.as_uri()
    document = settings.patched(patch).model_dump()
    return Job(str(clip), *size, document, str(image.parent), options.frames, 0.0)


def _scrim(job: Job, effect: str, threads: int) -> Candidate:
    started = replace(job, started_s=time.monotonic())
    command = [sys.executable, "-m", "scrim.core.bench.worker", started.as_json()]
    program = FLOOR if job.is_floor else "scrim"
    return Candidate(program, (job.width, job.height), effect, threads, _spawn(command))


def _mediapipe(options: Options, size: tuple[int, int], clip: Path, image: Path, effect: str) -> Candidate:
    job = {
        "clip": str(clip),
        "width": size[0],
        "height": size[1],
        "background": None if effect == "blur" else str(image),
        "frames": max(10, options.frames // 4),
        "started_s": time.monotonic(),
    }
    loop = Path(__file__).with_name("mediapipe_loop.py")
    return Candidate(
        "mediapipe", size, effect, 1, _spawn([str(mediapipe_python()), str(loop), json.dumps(job)])
    )


def mediapipe_python() -> Path:
    """A Python that has mediapipe.

    Raises:
        ScrimError: there is none.
    """
    named = os.environ.get(MEDIAPIPE_PYTHON)
    for candidate in (named,) if named else (sys.executable, f"{_SOURCE_TREE}/.venv-mediapipe/bin/python"):
        probe = [
            candidate,
            "-c",
            "import importlib.util, sys; sys.exit(importlib.util.find_spec('mediapipe') is None)",
        ]
        if Path(candidate).exists() and subprocess.run(probe, check=False).returncode == 0:
            return Path(candidate)
    raise ScrimError(
        f"mediapipe is not installed: run scripts/setup --mediapipe, or name a Python in {MEDIAPIPE_PYTHON}"
    )


def _spawn(command: list[str]) -> "subprocess.Popen[str]":
    environment = {**os.environ, "GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def _with_ratios(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    theirs = {one["effect"]: one["cpu_ms_per_frame"] for one in results if one["program"] == "mediapipe"}
    for one in results:
        if one["program"] == "scrim" and one["effect"] in theirs:
            one["ratio_to_mediapipe"] = round(one["cpu_ms_per_frame"] / theirs[one["effect"]], 4)
    return results


def _with_floor(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    floors = {(one["effect"], one["threads"]): one for one in results if one["program"] == FLOOR}
    for one in results:
        floor = floors.get((one["effect"], one["threads"]))
        if one["program"] == "scrim" and floor is not None:
            one["floor_cpu_ms"], one["floor_wall_ms"] = floor["cpu_ms_per_frame"], floor["wall_ms_per_frame"]
            one["ratio_to_floor"] = round(one["cpu_ms_per_frame"] / floor["cpu_ms_per_frame"], 4)
    return results


def _write_image(folder: Path) -> Path:
    """A background picture to replace the room by."""
    ramp = np.linspace(0, 255, 640, dtype=np.float32)
    picture = np.empty((480, 640, 3), np.uint8)
    picture[:] = np.stack([ramp, ramp[::-1], np.full_like(ramp, 128)], axis=-1).astype(np.uint8)
    path = folder / "background.png"
    cv2.imwrite(str(path), picture)
    return path

"""``form = "auto"``: which form of a model is fastest on this machine, timed once and remembered.

Integer models win where the processor has dot-product instructions (Cortex-A76) and the runtime uses them,
and lose elsewhere; only a measurement tells.
"""

import json
import logging
import os
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scrim.core.segment.model import CPU_FORMS, Form, ModelSpec
from scrim.core.segment.tflite import TFLiteSegmenter, find_runtime
from scrim.errors import ModelError

_log = logging.getLogger(__name__)

Measure = Callable[[ModelSpec, int], float]
"""(model, threads) to milliseconds per inference."""

_WARM_UPS = 2
_RUNS = 7
_MOST_ENTRIES = 64
_MOST_CACHE_BYTES = 64 * 1024
_CPUINFO = Path("/proc/cpuinfo")
_MOST_CPUINFO_BYTES = 256 * 1024
_CPU_LINE = re.compile(r"^(model name|CPU implementer|CPU part|Hardware|Model)\s*:\s*(.+?)\s*$", re.MULTILINE)

Timings = dict[str, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """The form to use.

    Attributes:
        spec: the fastest.
        timings_ms: milliseconds per inference of each form that was tried.
        remembered: whether the timings come from the cache.
    """

    spec: ModelSpec
    timings_ms: Mapping[Form, float]
    remembered: bool


def choose_form(
    specs: Mapping[Form, ModelSpec], threads: int, cache_file: Path | None, measure: Measure | None = None
) -> Choice:
    """Take the fastest of one model's forms that run on a CPU.

    Args:
        specs: the forms of one model.
        threads: how many threads inference will have.
        cache_file: JSON of earlier timings, read and written; None remembers nothing. A broken or unwritable
            file costs a measurement, nothing else.
        measure: how to time one form; :func:`measure_ms` when None.

    Raises:
        ModelError: there is no form for a CPU, or one of them cannot be run.
    """
    candidates = {form: specs[form] for form in CPU_FORMS if form in specs}
    if not candidates:
        has = ", ".join(specs) or "none"
        raise ModelError(
            f'form = "auto": the model has no form for a CPU (has: {has}; wants: {", ".join(CPU_FORMS)})'
        )
    if len(candidates) == 1:
        return Choice(next(iter(candidates.values())), {}, remembered=False)
    key = cache_key(candidates, threads)
    entries = _read_cache(cache_file) if cache_file else {}
    timings, remembered = entries.get(key), True
    if timings is None or timings.keys() != candidates.keys():
        timings, remembered = _time_all(candidates, threads, measure or measure_ms), False
        if cache_file:
            _write_cache(cache_file, entries, key, timings)
    fastest = min(candidates, key=timings.__getitem__)
    return Choice(candidates[fastest], {form: timings[form] for form in candidates}, remembered)


def measure_ms(spec: ModelSpec, threads: int) -> float:
    """Time one form: the median of a few inferences after two to warm up.

    With one thread it is the thread's CPU time, which a busy machine does not disturb; with more it is wall
    time, because what the others compute does not show in this thread's.

    Raises:
        ModelError: the model cannot be run.
    """
    clock = time.thread_time_ns if threads <= 1 else time.monotonic_ns
    segmenter = TFLiteSegmenter(spec, threads)
    width, height = segmenter.input_size
    picture = np.full((height, width, 3), 128, np.uint8)
    runs = []
    try:
        for _ in range(_WARM_UPS + _RUNS):
            start_ns = clock()
            segmenter.segment(picture)
            runs.append(clock() - start_ns)
    finally:
        segmenter.close()
    return statistics.median(runs[_WARM_UPS:]) / 1e6


def cache_key(specs: Mapping[Form, ModelSpec], threads: int) -> str:
    """What a timing holds for: processor, runtime and its version, threads, and each file's hash.

    Raises:
        ModelError: no runtime is installed.
    """
    files = ",".join(f"{form}:{spec.sha256[:16]}" for form, spec in sorted(specs.items()))
    return f"{processor()} | {find_runtime()} | threads {threads} | {files}"


def processor(cpuinfo: Path = _CPUINFO) -> str:
    """The processor's name, or on Arm its part numbers and the board's name."""
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as stream:
            found = _CPU_LINE.findall(stream.read(_MOST_CPUINFO_BYTES))
    except OSError:
        found = []
    return ", ".join(dict.fromkeys(value for _, value in found)) or platform.machine()


def _time_all(specs: Mapping[Form, ModelSpec], threads: int, measure: Measure) -> Timings:
    timings: Timings = {form: round(measure(spec, threads), 3) for form, spec in specs.items()}
    _log.info("timed forms: %s", ", ".join(f"{form} {ms:.2f} ms" for form, ms in timings.items()))
    return timings


def _read_cache(file: Path) -> dict[str, Timings]:
    """The remembered timings; nothing where the file is absent, too large or not what is written here."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_CACHE_BYTES + 1)
        document = json.loads(data) if len(data) <= _MOST_CACHE_BYTES else {}
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {key: dict(value) for key, value in document.items() if _is_timings(value)}


def _is_timings(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(ms, int | float) and not isinstance(ms, bool) and 0 <= ms < float("inf")
        for ms in value.values()
    )


def _write_cache(file: Path, entries: dict[str, Timings], key: str, timings: Timings) -> None:
    """Remember one more, the newest last, the oldest dropped; old or new, never half."""
    kept = {old: value for old, value in entries.items() if old != key} | {key: timings}
    recent = dict(list(kept.items())[-_MOST_ENTRIES:])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, json.dumps(recent, indent=1).encode())
    except OSError as error:
        _log.warning("%s: the timings are not remembered: %s", file, error.strerror)


def _replace(file: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise

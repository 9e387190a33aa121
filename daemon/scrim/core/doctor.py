"""``scrim doctor``: what works on this machine, and what would mend the rest."""

import grp
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from scrim import __version__
from scrim.config import Settings
from scrim.core.capture.demo import Demo
from scrim.core.capture.registry import find_camera, make_source
from scrim.core.look import prepare_look
from scrim.core.pipeline import Pipeline
from scrim.core.segment.loading import LoadedModel, load_model
from scrim.core.sinks.registry import make_sink
from scrim.errors import LocalError, ScrimError
from scrim.frame import Caps, FramePool
from scrim.local.client import Client
from scrim.local.place import default_path

_PATIENCE_S = 5.0
_TIMED_FRAMES = 20
_HOT_CELSIUS = 80.0
"""Where a Raspberry Pi begins to slow down (its documentation on thermal control)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        is_good: whether it works.
        found: what was seen.
        mend: what to do about it; empty when it works.
    """

    name: str
    is_good: bool
    found: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Look at everything, one thing after the other; what fails does not stop the rest."""
    cv2.setNumThreads(1)
    findings = [
        Finding("scrim", True, f"{__version__}, Python {platform.python_version()}, {platform.machine()}")
    ]
    findings += _attempt("settings", partial(_settings, settings))
    findings += _attempt("model", partial(_model, settings))
    findings += _attempt("camera", partial(_camera, settings))
    for url in settings.sinks:
        findings += _attempt(f"sink {url}", partial(_sink, url, settings))
    findings += _attempt("core", _core)
    findings += _attempt("groups", _groups)
    findings += _attempt("temperature", _temperature)
    return findings


def table(findings: list[Finding]) -> str:
    """The findings for people."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.is_good else 'FAIL'} {finding.name:{width}}  {finding.found}")
        if finding.mend:
            lines.append(f"     {'':{width}}  mend: {finding.mend}")
    return "\n".join(lines)


def _attempt(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except ScrimError as error:
        found, _, mend = str(error).partition("; ")
        yield Finding(name, False, found, mend or "see the message")


def _settings(settings: Settings) -> Iterator[Finding]:
    caps = _caps(settings)
    prepare_look(settings, caps.size, 1)
    is_raw = settings.effect == "off" and settings.privacy.allow_raw
    found = f"effect {settings.effect}, {caps}"
    yield Finding("settings", True, found + (", RAW PICTURE ALLOWED" if is_raw else ""))


def _model(settings: Settings) -> Iterator[Finding]:
    model = load_model(settings.model)
    try:
        timed = ", ".join(f"{form} {spent:.2f} ms" for form, spent in model.timings_ms.items())
        found = f"{model.spec.name} {model.spec.form} on {model.runtime}, CPU, {model.threads} threads"
        yield Finding("model", True, found + (f" (timed: {timed})" if timed else ""))
        yield from _attempt("time per frame", partial(_budget, settings, model))
    finally:
        model.segmenter.close()


def _budget(settings: Settings, model: LoadedModel) -> Iterator[Finding]:
    """Time the whole path of a frame on the demo."""
    caps = _caps(settings)
    pipeline = Pipeline(
        caps.size, model.segmenter, prepare_look(settings, caps.size, 1), FramePool(caps.size, 3)
    )
    demo = Demo(caps, pace=False)
    demo.open()
    spent_ms = []
    for _ in range(_TIMED_FRAMES):
        frame = demo.read()
        if frame is not None:
            begin_s = time.perf_counter()
            pipeline.process(frame)
            spent_ms.append((time.perf_counter() - begin_s) * 1000)
    demo.close()
    mean_ms, interval_ms = median(spent_ms), caps.frame_interval_s * 1000
    found = f"{mean_ms:.1f} ms per frame at {caps}, {100 * mean_ms / interval_ms:.0f} % of the frame interval"
    mend = "choose a smaller camera.width and height, a lower frame_rate, or model person-192x112"
    is_good = mean_ms <= interval_ms
    yield Finding("time per frame", is_good, found, "" if is_good else mend)


def _camera(settings: Settings) -> Iterator[Finding]:
    name = settings.camera.source
    if name == "auto":
        name = find_camera()
    source = make_source(name, _caps(settings))
    try:
        caps = source.open()
        deadline_s = time.monotonic() + _PATIENCE_S
        frame = None
        while frame is None and time.monotonic() < deadline_s:
            frame = source.read()
    finally:
        source.close()
    if frame is None:
        mend = "is it in use by another program? unplug it and plug it in again"
        yield Finding("camera", False, f"{name}: opens, but gave no frame in {_PATIENCE_S:.0f} s", mend)
    else:
        note = (
            " (no camera was found, so the demo plays)"
            if name == "demo:" and settings.camera.source == "auto"
            else ""
        )
        yield Finding("camera", True, f"{name}: delivers {caps}{note}")


def _sink(url: str, settings: Settings) -> Iterator[Finding]:
    """Open devices for real; a file would be emptied by that, so its folder is looked at instead."""
    scheme, _, place = url.partition(":")
    if scheme in ("file", "images"):
        folder = Path(place).absolute().parent
        is_good = os.access(folder, os.W_OK)
        yield Finding(
            f"sink {url}",
            is_good,
            f"folder {folder}",
            "" if is_good else f"make {folder} and let this user write",
        )
        return
    sink = make_sink(url)
    try:
        sink.open(_caps(settings))
    finally:
        sink.close()
    yield Finding(f"sink {url}", True, "can be opened")


def _core() -> Iterator[Finding]:
    path = default_path()
    try:
        with Client(path) as client:
            status = client.status()
    except LocalError:
        yield Finding("core", True, "is not running")
        return
    yield Finding("core", True, f"is running at {path}, {status['state']}")


def _groups() -> Iterator[Finding]:
    """Whether this user may open cameras: the nodes belong to group video."""
    try:
        video = grp.getgrnam("video")
    except KeyError:
        yield Finding("groups", True, "this system has no group video")
        return
    is_good = os.geteuid() == 0 or video.gr_gid in {os.getegid(), *os.getgroups()}
    mend = "" if is_good else "sudo usermod -aG video $USER, then log in again"
    yield Finding(
        "groups",
        is_good,
        f"{'root or ' if os.geteuid() == 0 else ''}{'in' if is_good else 'not in'} group video",
        mend,
    )


def _temperature(zones: Path = Path("/sys/class/thermal")) -> Iterator[Finding]:
    degrees = [_celsius(path) for path in sorted(zones.glob("thermal_zone*/temp"))]
    known = [value for value in degrees if value is not None]
    if not known:
        yield Finding("temperature", True, "no sensor here")
        return
    is_good = max(known) < _HOT_CELSIUS
    yield Finding(
        "temperature", is_good, f"{max(known):.0f} °C", "" if is_good else "cool it: it slows down soon"
    )


def _celsius(path: Path) -> float | None:
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None


def _caps(settings: Settings) -> Caps:
    return Caps(settings.camera.width, settings.camera.height, settings.camera.frame_rate)

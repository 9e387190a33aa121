"""What every run must keep to, and what two runs must have in common."""

import json
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from scrim.config import Settings
from scrim.core.composite.replace import color_picture, fitted_picture
from scrim.core.images import load_background
from scrim.core.look import prepare_look
from scrim.core.pipeline import Pipeline
from scrim.frame import Frame, FramePool, Plane, Planes

from .rig import FrameSegmenter, Output, Parts, Record, Run
from .scene import SIZE
from .schedule import Schedule

HOLD_NS = 200_000_000
ENOUGH_PX = 12
RESEMBLANCE = 6.0
"""A row of room nearer to the camera's than this many levels, in the mean, counts as shown."""


class LeakError(AssertionError):
    """A promise was broken."""


def check(schedule: Schedule, folder: Path, parts: Parts | None = None) -> None:
    """Play the schedule before two cameras that differ only where the matte is 0, and hold every promise.

    Raises:
        LeakError: one was broken; the text says which.
    """
    parts = parts or Parts()
    runs = [Run(schedule, is_other, folder, parts).play() for is_other in (False, True)]
    for record in runs:
        check_run(schedule, record, folder)
    check_pair(*runs)


def check_pair(one: Record, other: Record) -> None:
    """P4: where the room is replaced or not shown the bytes are the same; elsewhere all but the pixels."""
    _promise(one.answers == other.answers, "P4", "a change was answered differently", None)
    _promise(len(one.outputs) == len(other.outputs), "P4", "one run delivered more", None)
    for left, right in zip(one.outputs, other.outputs, strict=True):
        if left is None or right is None:
            _promise(left is right, "P4", "one run delivered, the other did not", left or right)
            continue
        for name in ("at_ns", "origin", "sequence", "revision"):
            same = getattr(left, name) == getattr(right, name)
            _promise(same, "P4", f"{name} depends on the room", left)
        if left.origin == "placeholder" or _replaces(one, left):
            for name in ("i420", "preview"):
                same = np.array_equal(getattr(left, name), getattr(right, name))
                _promise(same, "P4", f"{name} depends on the room", left)


def check_run(schedule: Schedule, record: Record, folder: Path) -> None:
    """P1, P2, P3, P5 and P6 of one run."""
    outputs = [output for output in record.outputs if output is not None]
    _promise(bool(outputs) and outputs[0].origin == "placeholder", "P5", "begins with a picture", outputs[0])
    first_ns: dict[tuple[int, int], int] = {}
    newest = -1
    for output in outputs:
        _promise(np.array_equal(output.i420, output.preview), "P1", "preview is another picture", output)
        if output.origin == "placeholder":
            continue
        _check_time(output, first_ns, newest)
        newest = output.sequence
        effect = record.settings[output.revision].effect
        if output.origin == "raw":
            allowed = schedule.allow_raw and effect == "off"
            _promise(allowed, "P6", "raw without leave", output)
            same = np.array_equal(output.i420, record.cameras[output.sequence])
            _promise(same, "P6", "what passes raw is changed", output)
        else:
            _promise(effect != "off", "P6", "an effect while it is off", output)
            _check_pixels(schedule, record, output, folder)


def _check_time(output: Output, first_ns: dict[tuple[int, int], int], newest: int) -> None:
    _promise(output.revision == output.required, "P5", "made under settings not in effect", output)
    _promise(output.sequence >= newest, "P2", "an older picture after a newer one", output)
    since_ns = output.at_ns - first_ns.setdefault((output.sequence, output.revision), output.at_ns)
    _promise(since_ns <= HOLD_NS, "P2", f"repeated for {since_ns // 1_000_000} ms", output)


def _check_pixels(schedule: Schedule, record: Record, output: Output, folder: Path) -> None:
    settings = record.settings[output.revision]
    _promise(output.sequence in record.good, "P2", "no usable mask, and yet composited", output)
    shown, camera = Planes.of(output.i420), Planes.of(record.cameras[output.sequence])
    room = record.rooms[output.sequence].planes()
    if _replaces(record, output):
        behind = Planes.of(_background(_key(settings), folder))
        for seen, wanted, where in zip(shown, behind, room, strict=True):
            same = np.array_equal(seen[where], wanted[where])
            _promise(same, "P2", "what is out of the mask's reach is not background", output)
    else:
        for seen, raw, where in zip(shown, camera, room, strict=True):
            nearest = _nearest_row(seen, raw, where)
            _promise(nearest > RESEMBLANCE, "P3", f"a row of room within {nearest:.1f} levels", output)
    if not settings.matte.smooth:
        wanted = _by_itself(schedule, record, output, folder)
        _promise(np.array_equal(output.i420, wanted), "P2", "not what the frame gives by itself", output)


def _nearest_row(seen: Plane, raw: Plane, where: np.ndarray) -> float:
    """Mean distance from the camera's picture, in levels, of the row that is nearest to it."""
    counts = where.sum(axis=1)
    distance = (cv2.absdiff(seen, raw) * where).sum(axis=1)
    enough = counts >= ENOUGH_PX
    return float((distance[enough] / counts[enough]).min()) if enough.any() else 255.0


def _by_itself(schedule: Schedule, record: Record, output: Output, folder: Path) -> Plane:
    """The frame with its own mask through parts that have seen no other frame."""
    pipeline, segmenter = _fresh(
        schedule.salt, schedule.has_model, _key(record.settings[output.revision]), folder
    )
    segmenter.sequence = output.sequence
    pipeline.reset()
    camera = Planes.of(record.cameras[output.sequence])
    safe = pipeline.process(Frame(camera, 0, output.sequence))
    assert safe is not None
    return safe.i420.copy()


@lru_cache(maxsize=512)
def _fresh(salt: int, has_model: bool, settings_json: str, folder: Path) -> tuple[Pipeline, FrameSegmenter]:
    segmenter = FrameSegmenter(salt)
    look = prepare_look(_read(settings_json), SIZE, 1, (folder,))
    return Pipeline(SIZE, segmenter if has_model else None, look, FramePool(SIZE, 2)), segmenter


@lru_cache(maxsize=64)
def _background(settings_json: str, folder: Path) -> Plane:
    replacement = _read(settings_json).background_replacement
    if replacement.background_image_url is None:
        return color_picture(replacement.default_color or "#000000", SIZE)
    image = load_background(replacement.background_image_url, (folder,))
    return fitted_picture(image, SIZE, replacement.fit)


def _key(settings: Settings) -> str:
    return json.dumps(settings.model_dump(), sort_keys=True)


def _read(settings_json: str) -> Settings:
    return Settings.model_validate(json.loads(settings_json))


def _replaces(record: Record, output: Output) -> bool:
    return output.origin == "effect" and record.settings[output.revision].effect in ("image", "color")


def _promise(holds: bool, rule: str, what: str, output: Output | None) -> None:
    if not holds:
        where = f" (frame {output.sequence}, {output.origin}, revision {output.revision})" if output else ""
        raise LeakError(f"{rule}: {what}{where}")

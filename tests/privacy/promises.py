"""What every run must keep to, and what two runs must have in common."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from scrim.config import Settings
from scrim.core.composite.replace import color_picture, fitted_picture
from scrim.core.framing.view import FULL
from scrim.core.images import load_background
from scrim.core.ladder import Level
from scrim.core.look import prepare_look
from scrim.core.matte.firm import FAINT
from scrim.core.pipeline import Pipeline
from scrim.frame import Frame, FramePool, Mask, Plane, Planes

from .rig import Output, Parts, Record, Run, foresee
from .scene import MASK_SIZE, SIZE, Sight, cut, everything, kept, mask_of, people_of, shown_room
from .schedule import Schedule

HOLD_NS = 200_000_000
ENOUGH_PX = 12
RESEMBLANCE = 6.0
"""A row of room nearer to the camera's than this many levels, in the mean, counts as shown."""

CROPPED_RESEMBLANCE = 0.5
"""The same beside the enlarged crop of the camera's picture, which is soft before it is blurred: at 96 rows a
weak blur is one pixel wide, and changes little where a camera's pixel is three."""

ROUNDING = 1e-9


class LeakError(AssertionError):
    """A promise was broken."""


def check(
    schedule: Schedule,
    folder: Path,
    parts: Parts | None = None,
    sights: Mapping[int, Sight] | None = None,
) -> None:
    """Play the schedule before two cameras that differ only where the matte is 0, and hold every promise.

    Args:
        schedule: what happens.
        folder: of background images.
        parts: what to build both runs of.
        sights: what ``foresee`` says of the schedule, if that is known already.

    Raises:
        LeakError: one was broken; the text says which.
    """
    parts = parts or Parts()
    sights = foresee(schedule, folder) if sights is None else sights
    check_sights(schedule, sights)
    runs = [Run(schedule, folder, parts, sights, is_other=is_other).play() for is_other in (False, True)]
    for record in runs:
        check_run(schedule, record, folder, sights)
    check_pair(*runs)


def check_sights(schedule: Schedule, sights: Mapping[int, Sight]) -> None:
    """P2: what is to be seen is of the model's mask, of one person if asked for, or kept of the room."""
    for sequence, sight in sights.items():
        mask, view, settings = sight.mask, sight.view, sight.settings
        zoom = settings.framing.max_zoom if settings.framing.is_enabled else 1
        is_inside = min(view.left, view.top) >= 0 and max(view.left, view.top) + view.share <= 1 + ROUNDING
        _promise(is_inside and view.zoom <= zoom + ROUNDING, "P2", f"frame {sequence}: shown is {view}", None)
        height, width = mask.shape
        said = mask_of(schedule.salt, sequence, (width, height))
        shown = (mask > FAINT) & ~kept(schedule.keep, view, (width, height))
        more = shown & (mask > (said if sight.looks == 1 else said // 2 + 128))
        _promise(not more.any(), "P2", f"frame {sequence}: more than the model said", None)
        if settings.person.persons == "largest" and sight.looks == 1:
            _promise(_people_in(shown, schedule, sequence) <= 1, "P2", f"frame {sequence}: two people", None)


def _people_in(shown: np.ndarray, schedule: Schedule, sequence: int) -> int:
    scale = shown.shape[1] / MASK_SIZE[0]
    rects = ([max(0, round(side * scale)) for side in rect] for rect in people_of(schedule.salt, sequence))
    return sum(bool(shown[top:bottom, left:right].any()) for left, top, right, bottom in rects)


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


def check_run(schedule: Schedule, record: Record, folder: Path, sights: Mapping[int, Sight]) -> None:
    """P1, P2, P3, P5 and P6 of one run."""
    outputs = [output for output in record.outputs if output is not None]
    _promise(bool(outputs) and outputs[0].origin == "placeholder", "P5", "begins with a picture", outputs[0])
    _promise(not record.open_in_private, "P5", "the camera is open though somebody wants it closed", None)
    first_ns: dict[tuple[int, int], int] = {}
    newest = -1
    for output in outputs:
        _promise(np.array_equal(output.i420, output.preview), "P1", "preview is another picture", output)
        if output.origin == "placeholder":
            continue
        _check_time(output, first_ns, newest)
        _promise(not output.is_private, "P5", "a picture while the camera is to be closed", output)
        is_new = record.taken_ns[output.sequence] >= output.opened_ns
        _promise(is_new, "P5", "taken before the camera was switched on", output)
        newest = output.sequence
        effect = record.settings[output.revision].effect
        if output.origin == "raw":
            allowed = schedule.allow_raw and effect == "off"
            _promise(allowed, "P6", "raw without leave", output)
            same = np.array_equal(output.i420, record.cameras[output.sequence])
            _promise(same, "P6", "what passes raw is changed", output)
        else:
            _promise(effect != "off", "P6", "an effect while it is off", output)
            _promise(output.sequence in record.good, "P2", "no usable mask, and yet composited", output)
            is_seen = output.sequence in sights or not schedule.has_model
            _promise(is_seen, "P2", "a frame that was to be skipped", output)
            sight = sights.get(output.sequence)
            is_whole = sight is None or sight.settings == record.settings[output.revision]
            _promise(is_whole, "P5", "the settings changed within the frame", output)
            _check_pixels(record, output, folder, sight)


def _check_time(output: Output, first_ns: dict[tuple[int, int], int], newest: int) -> None:
    _promise(output.revision == output.required, "P5", "made under settings not in effect", output)
    _promise(output.sequence >= newest, "P2", "an older picture after a newer one", output)
    since_ns = output.at_ns - first_ns.setdefault((output.sequence, output.revision), output.at_ns)
    _promise(since_ns <= HOLD_NS, "P2", f"repeated for {since_ns // 1_000_000} ms", output)


def _check_pixels(record: Record, output: Output, folder: Path, sight: Sight | None) -> None:
    settings = record.settings[output.revision]
    camera, view = record.cameras[output.sequence], sight.view if sight else FULL
    shown, room = Planes.of(output.i420), (shown_room(sight) if sight else everything()).planes()
    if _replaces(record, output):
        behind = Planes.of(_background(_key(settings), folder))
        for seen, wanted, where in zip(shown, behind, room, strict=True):
            same = np.array_equal(seen[where], wanted[where])
            _promise(same, "P2", "what is out of the mask's reach is not background", output)
    else:
        for crop in dict.fromkeys((FULL, view)):
            for seen, raw, where in zip(shown, cut(camera, crop), room, strict=True):
                nearest = _nearest_row(seen, raw, where)
                least = RESEMBLANCE if crop == FULL else CROPPED_RESEMBLANCE
                _promise(nearest > least, "P3", f"a row of room within {nearest:.1f} levels", output)
    if not settings.matte.smooth:
        wanted = _by_itself(camera, settings, record.levels[output.sequence], sight, folder)
        _promise(np.array_equal(output.i420, wanted), "P2", "not what the frame gives by itself", output)


def _nearest_row(seen: Plane, raw: Plane, where: np.ndarray) -> float:
    """Mean distance from the camera's picture, in levels, of the row that is nearest to it."""
    counts = where.sum(axis=1)
    distance = (cv2.absdiff(seen, raw) * where).sum(axis=1)
    enough = counts >= ENOUGH_PX
    return float((distance[enough] / counts[enough]).min()) if enough.any() else 255.0


class _Given:
    """A segmenter that answers with the mask it was given."""

    def __init__(self, mask_size: tuple[int, int]) -> None:
        self.input_size = mask_size
        self.mask: Mask = np.zeros(mask_size[::-1], np.uint8)

    def segment(self, rgb: Plane) -> Mask:
        return self.mask.copy()

    def close(self) -> None:
        pass


def _by_itself(camera: Plane, settings: Settings, level: Level, sight: Sight | None, folder: Path) -> Plane:
    """What a frame's view gives with its own mask, in parts that have seen no other frame."""
    key = _key(settings.model_copy(update=_OF_NO_CONCERN))
    if sight is None:
        pipeline, _ = _fresh(key, folder, None, level)
    else:
        height, width = sight.mask.shape
        pipeline, segmenter = _fresh(key, folder, (width, height), level)
        segmenter.mask = sight.mask
    pipeline.reset()
    safe = pipeline.process(Frame(cut(camera, sight.view if sight else FULL), 0, 0))
    assert safe is not None
    return safe.i420.copy()


_OF_NO_CONCERN = {name: getattr(Settings(), name) for name in ("person", "framing", "keep")}


@lru_cache(maxsize=512)
def _fresh(
    settings_json: str, folder: Path, mask_size: tuple[int, int] | None, level: Level
) -> tuple[Pipeline, _Given]:
    segmenter = _Given(mask_size or (2, 2))
    look = prepare_look(_read(settings_json), SIZE, 1, (folder,))
    pipeline = Pipeline(SIZE, segmenter if mask_size else None, replace(look, looks=1), FramePool(SIZE, 2))
    pipeline.degrade(replace(level, small_model=False, every=1))
    return pipeline, segmenter


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

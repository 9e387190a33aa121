"""``scrim process``: a picture, a folder of pictures or a video in, filtered out; always the same way."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from scrim.config import Settings
from scrim.core.capture.base import EndOfStream
from scrim.core.capture.file import VideoFile
from scrim.core.capture.stills import IMAGE_SUFFIXES, list_stills, read_picture
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.look import kept_regions, prepare_look
from scrim.core.outlet import HOLD_S
from scrim.core.pipeline import Pipeline
from scrim.core.segment.loading import load_model
from scrim.core.sinks.file import VideoFileSink, open_writer
from scrim.errors import ConfigError, ImageError, Problem, SegmentError, SourceError
from scrim.frame import Frame, FramePool, Plane, Planes, SafeFrame
from scrim.places import BACKGROUND_FOLDERS

T = TypeVar("T")

MakePipeline = Callable[[tuple[int, int]], Pipeline]
"""Makes a pipeline for a frame size, (width, height) in pixels."""


def process(
    settings: Settings,
    given: Path,
    output: Path,
    matte: Path | None = None,
    background: Path | None = None,
    *,
    is_quiet: bool = False,
) -> int:
    """Filter what ``given`` names into ``output``.

    Args:
        settings: effect, model and matte are used.
        given: an image, a folder of images or a video.
        output: an image, a folder or a video, to match.
        matte: where the 8-bit alpha matte goes, at frame size; of the same kind.
        background: an image to replace the room by, whatever the settings say.
        is_quiet: show no progress.

    Returns:
        How many pictures could not be segmented and are placeholders now, and how many of a folder could not
        be read and were left out.

    Raises:
        ScrimError: something given cannot be used; the text says what.
    """
    cv2.setNumThreads(1)
    if background is not None:
        settings = settings.patched({"effect": "image", "image": background.resolve().as_uri()})
    if settings.effect == "off" and not settings.privacy.allow_raw:
        raise ConfigError([_NO_EFFECT])
    folders = BACKGROUND_FOLDERS if background is None else (background.resolve().parent,)
    _check_not_overwritten(given, output, matte)
    is_still = given.is_dir() or given.suffix.lower() in IMAGE_SUFFIXES
    keep = kept_regions(settings)
    # On the processor alone, so that the same input gives the same output.
    model = load_model(settings.model.model_copy(update={"delegate": None}))

    def make_pipeline(size: tuple[int, int]) -> Pipeline:
        look = prepare_look(settings, size, 1, folders)
        if is_still and settings.matte.second_look != "off":
            look = replace(look, looks=6)
        return Pipeline(size, model.segmenter, look, FramePool(size, 4), keep=keep)

    try:
        if is_still:
            jobs = _still_jobs(given, output, matte)
            return _process_stills(make_pipeline, jobs, goes_on=given.is_dir(), is_quiet=is_quiet)
        return _process_video(make_pipeline, given, output, matte, is_quiet=is_quiet)
    finally:
        model.segmenter.close()


_NO_EFFECT = Problem("effect", "off", "there is nothing to do", "blur, image or color")

Job = tuple[Path, Path, Path | None]
"""Where a still is read, where the result goes, where its matte goes."""


def _still_jobs(given: Path, output: Path, matte: Path | None) -> list[Job]:
    if not given.is_dir():
        for path in filter(None, (output, matte)):
            _check_image_name(path)
        return [(given, output, matte)]
    names = list_stills(given)
    for folder in (output, matte):
        if folder is not None:
            _make_folder(folder)
    return [(path, output / path.name, matte / f"{path.stem}.png" if matte else None) for path in names]


def _process_stills(make_pipeline: MakePipeline, jobs: list[Job], *, goes_on: bool, is_quiet: bool) -> int:
    failed = 0
    stills = _Stills(make_pipeline)
    for source, target, matte in _progress(jobs, len(jobs), is_quiet=is_quiet or len(jobs) < 2):
        try:
            given = read_picture(source)
        except SourceError as error:
            if not goes_on:
                raise
            failed += 1
            print(f"scrim: {error}; it was left out", file=sys.stderr)
            continue
        picture, alpha, is_good = stills.filter(given)
        _write_image(target, picture)
        if matte is not None:
            _write_image(matte, alpha)
        if not is_good:
            failed += 1
            print(f"scrim: {source}: no usable mask; a placeholder was written", file=sys.stderr)
    return failed


class _Stills:
    """Filters pictures of any size, each for itself."""

    def __init__(self, make_pipeline: MakePipeline) -> None:
        self._make_pipeline = make_pipeline
        self._pipeline: Pipeline | None = None

    def filter(self, bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Plane, bool]:
        """The filtered picture in BGR, its matte, and whether there was a mask."""
        height, width = bgr.shape[:2]
        even = np.pad(bgr, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        i420 = cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)
        pipeline = self._for_size((even.shape[1], even.shape[0]))
        pipeline.reset()
        safe, is_good = _safe(pipeline, Frame(Planes.of(i420), 0, 0), None)
        alpha = pipeline.last_matte.y if is_good else np.zeros(even.shape[:2], np.uint8)
        picture = cv2.cvtColor(np.asarray(safe.i420), cv2.COLOR_YUV2BGR_I420)
        return picture[:height, :width], alpha[:height, :width], is_good

    def _for_size(self, size: tuple[int, int]) -> Pipeline:
        if self._pipeline is None or self._pipeline.size != size:
            self._pipeline = self._make_pipeline(size)
        return self._pipeline


def _process_video(
    make_pipeline: MakePipeline,
    given: Path,
    output: Path,
    matte: Path | None,
    *,
    is_quiet: bool,
) -> int:
    source = VideoFile(given, loop=False, pace="fast")
    sink = VideoFileSink(output)
    failed = 0
    with ExitStack() as stack:
        stack.callback(source.close)
        caps = source.open()
        pipeline = make_pipeline(caps.size)
        stack.callback(sink.close)
        sink.open(caps)
        write_matte = stack.enter_context(open_writer(matte, caps, is_color=False)) if matte else None
        held: SafeFrame | None = None
        for frame in _progress(_frames(source, caps.frame_rate), source.frame_count, is_quiet=is_quiet):
            safe, is_good = _safe(pipeline, frame, held, caps.frame_rate)
            failed += not is_good
            held = safe if is_good else held
            sink.write(safe)
            if write_matte is not None:
                write_matte(pipeline.last_matte.y if is_good else np.zeros_like(pipeline.last_matte.y))
    return failed


def _safe(
    pipeline: Pipeline, frame: Frame, held: SafeFrame | None, frame_rate: float = 1.0
) -> tuple[SafeFrame, bool]:
    """The safe picture of a frame: without a mask the held one while it may be repeated, then a placeholder.

    Returns:
        The picture, and whether it is of this frame.
    """
    try:
        safe = pipeline.process(frame)
    except SegmentError:
        safe = None
    if safe is not None:
        return safe, True
    if held is not None and (frame.sequence - held.sequence) / frame_rate <= HOLD_S:
        return held, False
    return PlaceholderPainter(pipeline.size).paint(Reason.NO_SAFE_PICTURE, 1), False


def _frames(source: VideoFile, frame_rate: float) -> Iterator[Frame]:
    """All frames, stamped with their time in the clip: what happens must not depend on today's speed."""
    while True:
        try:
            frame = source.read()
        except EndOfStream:
            return
        if frame is not None:
            yield Frame(frame.planes, round(frame.sequence * 1e9 / frame_rate), frame.sequence)


def _progress(items: Iterable[T], total: int | None, *, is_quiet: bool) -> Iterable[T]:
    return tqdm(items, total=total, unit="frame", disable=is_quiet, leave=False)


def _check_not_overwritten(given: Path, output: Path, matte: Path | None) -> None:
    """What was given stays as it is, and result and matte are not written over each other."""
    places = [path.resolve() for path in (given, output, matte) if path is not None]
    if len(set(places)) < len(places):
        named = ", ".join(str(path) for path in (given, output, matte) if path is not None)
        raise ImageError(f"{named}: one of them would be written over another; name a different one")


def _check_image_name(path: Path) -> None:
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        allowed = ", ".join(IMAGE_SUFFIXES)
        raise ImageError(f"{path}: an image goes into an image; the name must end in one of {allowed}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{folder}: {error.strerror}; a folder of images goes into a folder") from None


def _write_image(path: Path, picture: NDArray[np.uint8]) -> None:
    _, encoded = cv2.imencode(path.suffix.lower(), np.ascontiguousarray(picture))
    try:
        path.write_bytes(encoded.data)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}; name a place that can be written") from None

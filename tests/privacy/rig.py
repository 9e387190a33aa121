"""One run of a schedule through the real parts, without threads and on a clock that only events move."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from scrim.config import Settings
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control
from scrim.core.images import Images, decode_image
from scrim.core.look import prepare_look
from scrim.core.loops import OutletLoop, PipelineLoop
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.sinks.feed import FeedSink
from scrim.core.sinks.memory import MemorySink
from scrim.core.workers import Latest
from scrim.errors import ConfigError, SegmentError
from scrim.frame import Caps, Frame, FramePool, Mask, Origin, Plane, Planes, SafeFrame
from scrim.local.feed import FeedWriter
from scrim.local.ring import RingReader

from .scene import MASK_SIZE, SIZE, Room, mask_of, other_room, picture_of, reach_px, room_of, transparent_room
from .schedule import Change, Event, Fault, Lose, Patch, Schedule, Shoot, Wait

START_NS = 1_000_000_000_000
POOL_FRAMES = 8


class UnexpectedError(RuntimeError):
    """What a segmenter raises that nobody expects; the worker's loop ends it."""


@dataclass(frozen=True)
class Parts:
    """What a run is built of; a mutant puts another class in one place."""

    pipeline: type[Pipeline] = Pipeline
    outlet: type[Outlet] = Outlet
    control: type[Control] = Control
    painter: type[PlaceholderPainter] = PlaceholderPainter


@dataclass(frozen=True)
class Output:
    """One picture at the sink.

    Attributes:
        at_ns: when it was delivered.
        i420: what the sink got.
        preview: what a reader of the frame feed got.
        origin: what it says it shows.
        sequence: of the camera frame.
        revision: it was made under.
        required: revision in effect when it was delivered.
    """

    at_ns: int
    i420: Plane
    preview: Plane
    origin: Origin
    sequence: int
    revision: int
    required: int


@dataclass
class Record:
    """What happened in one run.

    Attributes:
        outputs: what was delivered, None where the outlet had nothing to deliver.
        settings: by revision.
        rooms: of each frame, by sequence: what is room for certain.
        cameras: the pictures taken, by sequence.
        good: sequences of the frames that had a usable mask, or needed none.
        answers: to each change, whether it was accepted.
    """

    outputs: list[Output | None] = field(default_factory=list)
    settings: dict[int, Settings] = field(default_factory=dict)
    rooms: dict[int, Room] = field(default_factory=dict)
    cameras: dict[int, Plane] = field(default_factory=dict)
    good: set[int] = field(default_factory=set)
    answers: list[bool] = field(default_factory=list)


class PoisonedPool(FramePool):
    """Buffers that hold something else in each run, so that a pixel nobody wrote shows."""

    def __init__(self, poison: int) -> None:
        super().__init__(SIZE, POOL_FRAMES)
        self._poison = poison

    def lease(self) -> Plane | None:
        """A buffer full of poison."""
        buffer = super().lease()
        if buffer is not None:
            buffer[:] = self._poison
        return buffer


class FrameSegmenter:
    """Answers with the mask that belongs to the present frame's number, or with a fault."""

    def __init__(self, salt: int) -> None:
        self._salt = salt
        self._had_mask = False
        self.sequence = 0
        self.fault: Fault | None = None
        self.inside: Callable[[], None] = lambda: None

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return MASK_SIZE

    def segment(self, rgb: Plane) -> Mask:
        """The mask, after whatever is to happen meanwhile."""
        assert rgb.shape == (*MASK_SIZE[::-1], 3)
        self.inside()
        mask = mask_of(self._salt, self.sequence).copy()
        if self.fault in (None, Fault.POOL_OUT):
            self._had_mask = True
            return mask
        return self._broken(mask)

    def close(self) -> None:
        """Nothing to let go."""

    def _broken(self, mask: Mask) -> Mask:
        height, width = mask.shape
        match self.fault:
            case Fault.RAISES:
                raise SegmentError("the model failed")
            case Fault.BLOWS_UP:
                raise UnexpectedError
            case Fault.HALF_SIZE if self._had_mask:
                return np.ascontiguousarray(mask[::2, ::2])
            case Fault.ONE_PIXEL:
                return np.full((1, 1), 255, np.uint8)
            case Fault.THREE_AXES:
                return mask[:, :, None]
            case Fault.EMPTY:
                return mask[:0]
            case Fault.FLOATS:
                return cast("Mask", mask.astype(np.float32) / 255)
            case Fault.NAN:
                return cast("Mask", np.full((height, width), np.nan, np.float32))
            case Fault.NOT_ARRAY:
                return cast("Mask", mask.tolist())
            case _:
                return np.full((height, width - 1), 255, np.uint8)


class _Hooked:
    """A pipeline after which something happens before the outlet is reached."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.after: Callable[[], None] = lambda: None

    @property
    def skips(self) -> int:
        """One of so many frames is to be processed."""
        return self._pipeline.skips

    @property
    def is_filtering(self) -> bool:
        """Whether frames are filtered now."""
        return self._pipeline.is_filtering

    def process(self, frame: Frame) -> SafeFrame | None:
        """What the pipeline makes of the frame."""
        try:
            return self._pipeline.process(frame)
        finally:
            self.after()


class Run:
    """The real pipeline, outlet, control, loops, sink and feed, driven by a schedule.

    Args:
        schedule: what happens.
        is_other: take the camera that differs wherever the matte is 0.
        folder: of background images.
        parts: what to build it of.
    """

    def __init__(self, schedule: Schedule, is_other: bool, folder: Path, parts: Parts) -> None:
        self._schedule, self._is_other, self._folder = schedule, is_other, folder
        self._now_ns = START_NS
        self.record = Record()
        self._segmenter = FrameSegmenter(schedule.salt)
        self._pool = PoisonedPool(0 if is_other else 255)
        self._buffers = [np.zeros((SIZE[1] * 3 // 2, SIZE[0]), np.uint8) for _ in range(2)]
        settings = _settings(schedule, folder)
        self._outlet = parts.outlet(parts.painter(SIZE), 1 / schedule.frame_rate, lambda: self._now_ns)
        self._pipeline = parts.pipeline(
            SIZE,
            self._segmenter if schedule.has_model else None,
            prepare_look(settings, SIZE, 1, (folder,)),
            self._pool,
        )
        images = Images((folder,), decode=decode_image)
        self._control = parts.control(settings, self._pipeline, self._outlet, images)
        self._hooked = _Hooked(self._pipeline)
        self._mailbox: Latest[Frame] = Latest()
        self._processing = PipelineLoop(cast("Pipeline", self._hooked), self._mailbox, self._outlet)
        self._deliveries: tuple[Latest[SafeFrame], Latest[SafeFrame]] = (Latest(), Latest())
        self._outgoing = OutletLoop(self._outlet, list(self._deliveries))
        self._sequence = 0

    def play(self) -> Record:
        """Let everything happen."""
        with self._consumers():
            self._keep_settings()
            self._deliver()
            for event in self._schedule.events:
                self._play(event)
        return self.record

    @contextmanager
    def _consumers(self) -> Iterator[None]:
        caps = Caps(*SIZE, self._schedule.frame_rate)
        writer = FeedWriter()
        self._sink, self._feed = MemorySink(1), FeedSink(writer)
        self._sink.open(caps)
        self._feed.open(caps)
        token, pipe = writer.subscribe()
        ring = writer.share()
        assert ring is not None
        self._reader = RingReader(ring)
        try:
            yield
        finally:
            writer.unsubscribe(token)
            self._feed.close()
            for descriptor in (pipe, ring):
                os.close(descriptor)

    def _play(self, event: Event) -> None:
        match event:
            case Shoot():
                self._shoot(event)
            case Wait(ms, step_ms):
                for _ in range(ms // step_ms):
                    self._pass_ms(step_ms)
                    self._deliver()
            case Change(patch):
                self._change(patch)
            case Lose():
                self._outlet.because(Reason.CAMERA_LOST)
                self._outlet.drop()
                self._deliver()

    def _shoot(self, shoot: Shoot) -> None:
        sequence, self._sequence = self._sequence, self._sequence + 1
        frame = self._camera_frame(sequence)
        self._note(sequence, shoot)
        self._segmenter.sequence, self._segmenter.fault = sequence, shoot.fault
        self._segmenter.inside = lambda: self._change(shoot.inside)
        self._hooked.after = lambda: self._finish(shoot)
        held = self._take_all_buffers() if shoot.fault == Fault.POOL_OUT else []
        self._process(frame)
        held.clear()
        self._pass_ms(1)
        self._buffers[sequence % 2][:] = 0 if self._is_other else 255
        if shoot.deliver:
            self._deliver()

    def _process(self, frame: Frame) -> None:
        self._mailbox.put(frame)
        with suppress(UnexpectedError):
            self._processing.step()

    def _finish(self, shoot: Shoot) -> None:
        self._pass_ms(shoot.takes_ms)
        self._change(shoot.before_put)

    def _camera_frame(self, sequence: int) -> Frame:
        """The picture of this run's camera, in a buffer that is used again."""
        salt, settings = self._schedule.salt, self._control.settings
        picture = picture_of(salt, sequence)
        rooms = _rooms(self._schedule, sequence, refine=settings.matte.refine)
        self.record.rooms[sequence] = rooms[0]
        if self._is_other:
            picture = other_room(picture, *rooms)
        self.record.cameras[sequence] = picture
        buffer = self._buffers[sequence % 2]
        np.copyto(buffer, picture)
        return Frame(Planes.of(buffer), self._now_ns, sequence)

    def _note(self, sequence: int, shoot: Shoot) -> None:
        needs_mask = self._schedule.has_model and self._control.settings.effect != "off"
        if shoot.fault is None or (shoot.fault != Fault.POOL_OUT and not needs_mask):
            self.record.good.add(sequence)

    def _take_all_buffers(self) -> list[Plane]:
        held = []
        while (buffer := self._pool.lease()) is not None:
            held.append(buffer)
        return held

    def _change(self, patch: Patch | None) -> None:
        if patch is None:
            return
        try:
            self._control.change(in_folder(patch, self._folder))
            self.record.answers.append(True)
        except ConfigError:
            self.record.answers.append(False)
        self._keep_settings()

    def _keep_settings(self) -> None:
        self.record.settings[self._control.revision] = self._control.settings

    def _pass_ms(self, ms: int) -> None:
        self._now_ns += ms * 1_000_000

    def _deliver(self) -> None:
        """What the outlet's thread and the sinks' threads do."""
        self._outgoing.step()
        frame, preview = (mailbox.get(0) for mailbox in self._deliveries)
        if frame is None or preview is None:
            self.record.outputs.append(None)
            return
        self._sink.write(frame)
        self._feed.write(preview)
        kept, seen = self._sink.frames[-1], self._reader.read()
        assert seen is not None
        flat = np.concatenate([plane.reshape(-1) for plane in seen.planes]).reshape(kept.i420.shape)
        self.record.outputs.append(
            Output(
                self._now_ns,
                kept.i420,
                flat,
                kept.origin,
                kept.sequence,
                kept.revision,
                self._control.revision,
            )
        )


def in_folder(patch: Patch, folder: Path) -> dict[str, Any]:
    """The patch with FOLDER replaced by the path."""
    return {
        key: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value
        for key, value in patch.items()
    }


def _settings(schedule: Schedule, folder: Path) -> Settings:
    local = {
        "privacy": {"allow_raw": schedule.allow_raw},
        "matte": {"refine": schedule.refine, "smooth": schedule.smooth},
    }
    return Settings().patched(local).patched(in_folder(schedule.start, folder))


def _rooms(schedule: Schedule, sequence: int, *, refine: bool) -> tuple[Room, ...]:
    """What is room for certain in one frame, first what follows from its mask alone.

    A matte that is calmed over time may remember earlier masks, but never beyond the present one's support,
    so ``smooth`` makes no difference here. The plain matte of a frame by itself is known exactly.
    """
    if not schedule.has_model:
        return (_everything(),)
    out_of_reach = room_of(schedule.salt, sequence, reach_px(refine=refine))
    if refine or schedule.smooth:
        return (out_of_reach,)
    return out_of_reach, transparent_room(schedule.salt, sequence)


def _everything() -> Room:
    width, height = SIZE
    return Room(np.ones((height, width), np.bool_), np.ones((height // 2, width // 2), np.bool_))

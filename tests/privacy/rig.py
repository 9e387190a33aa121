"""One run of a schedule through the real parts, without threads and on a clock that only events move."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from scrim.config import ModelSettings, Settings
from scrim.core.capture.orient import Oriented
from scrim.core.capture_loop import CaptureLoop
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control
from scrim.core.found import Found
from scrim.core.framing.view import View
from scrim.core.images import Images, decode_image
from scrim.core.ladder import Level
from scrim.core.look import kept_regions, prepare_look
from scrim.core.loops import OutletLoop
from scrim.core.models import FirstModel, Models
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Pipeline
from scrim.core.pipeline_loop import PipelineLoop
from scrim.core.privacy import SETTINGS_PARTY, Privacy
from scrim.core.segment.loading import LoadedModel
from scrim.core.segment.model import InputSpec, ModelSpec, OutputSpec
from scrim.core.sinks.feed import FeedSink
from scrim.core.sinks.memory import MemorySink
from scrim.core.subject import Subject
from scrim.core.workers import Latest
from scrim.errors import ConfigError, ModelError
from scrim.frame import Caps, Frame, Mask, Origin, Plane, SafeFrame
from scrim.local.feed import FeedWriter
from scrim.local.ring import RingReader

from .devices import Camera, FrameSegmenter, Moment, PoisonedPool, UnexpectedError
from .scene import MASK_SIZE, SIZE, SMALL_MASK_SIZE, Sight, camera_rooms, other_room, picture_of
from .schedule import (
    CAMERA_OFF,
    CAMERA_ON,
    LEVELS,
    Blink,
    Change,
    Deed,
    Degrade,
    Event,
    Fault,
    Hide,
    Hold,
    Lose,
    Order,
    Patch,
    Schedule,
    Shoot,
    Wait,
)

START_NS = 1_000_000_000_000


@dataclass(frozen=True)
class Parts:
    """What a run is built of; a mutant puts another class in one place."""

    pipeline: type[Pipeline] = Pipeline
    outlet: type[Outlet] = Outlet
    control: type[Control] = Control
    painter: type[PlaceholderPainter] = PlaceholderPainter
    loop: type[PipelineLoop] = PipelineLoop
    source: type[Oriented] = Oriented
    capture: type[CaptureLoop] = CaptureLoop


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
        is_private: whether somebody wanted the camera closed then.
        opened_ns: when the camera was switched on last.
    """

    at_ns: int
    i420: Plane
    preview: Plane
    origin: Origin
    sequence: int
    revision: int
    required: int
    is_private: bool
    opened_ns: int


@dataclass
class Record:
    """What happened in one run.

    Attributes:
        outputs: what was delivered, None where the outlet had nothing to deliver.
        settings: by revision.
        cameras: the pictures taken, upright, by sequence.
        taken_ns: when, by sequence.
        open_in_private: sequences at whose end the camera was open though somebody wanted it closed.
        levels: of quality, by sequence.
        good: sequences of the frames that had a usable mask, or needed none.
        answers: to each change, whether it was accepted.
    """

    outputs: list[Output | None] = field(default_factory=list)
    settings: dict[int, Settings] = field(default_factory=dict)
    cameras: dict[int, Plane] = field(default_factory=dict)
    taken_ns: dict[int, int] = field(default_factory=dict)
    open_in_private: list[int] = field(default_factory=list)
    levels: dict[int, Level] = field(default_factory=dict)
    good: set[int] = field(default_factory=set)
    answers: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class _Way:
    """What happens to one frame on its way.

    Attributes:
        sequence: its number.
        order: when its second half is done.
        after: is called after that, or after the first where there is no second.
        is_pool_out: every output buffer is in use.
    """

    sequence: int
    order: Order
    after: Callable[[], None]
    is_pool_out: bool


class _Hooked:
    """A pipeline that takes its time, after which something happens before the outlet is reached."""

    def __init__(self, pipeline: Pipeline, pool: PoisonedPool) -> None:
        self._pipeline, self._pool = pipeline, pool
        self._ways: dict[Found, _Way] = {}
        self.takes: Callable[[], None] = lambda: None
        self.way = _Way(0, Order.AT_ONCE, lambda: None, is_pool_out=False)

    @property
    def skips(self) -> int:
        """One of so many frames is to be processed."""
        return self._pipeline.skips

    @property
    def is_filtering(self) -> bool:
        """Whether frames are filtered now."""
        return self._pipeline.is_filtering

    @property
    def why_hidden(self) -> Reason | None:
        """Why the last picture is the placeholder."""
        return self._pipeline.why_hidden

    def find(self, frame: Frame) -> Found | None:
        """What the pipeline finds in the frame."""
        way, found = self.way, None
        try:
            found = self._pipeline.find(frame)
        finally:
            self.takes()
            if found is None:
                way.after()
        if found is not None:
            self._ways[found] = way
        return found

    def compose(self, found: Found) -> SafeFrame | None:
        """What the pipeline makes of it."""
        way = self._ways.pop(found)
        held = self._pool.take_all() if way.is_pool_out else []
        try:
            return self._pipeline.compose(found)
        finally:
            held.clear()
            way.after()


class NotingSubject(Subject):
    """Remembers what it said of each frame."""

    noted: tuple[Mask, View] | None = None

    def choose(self, mask: Mask, pts_ns: int) -> Mask:
        """As ever."""
        chosen = super().choose(mask, pts_ns)
        self.noted = (chosen.copy(), self._framing.view)
        return chosen


class Run:
    """The real source, pipeline, outlet, control, loops, sink and feed, driven by a schedule.

    Args:
        schedule: what happens.
        folder: of background images.
        parts: what to build it of.
        sights: of each frame, by sequence: how it is to be seen; see :func:`foresee`.
        is_other: take the camera that differs wherever that leaves room.
    """

    def __init__(
        self,
        schedule: Schedule,
        folder: Path,
        parts: Parts,
        sights: Mapping[int, Sight] = MappingProxyType({}),
        *,
        is_other: bool = False,
    ) -> None:
        self._schedule, self._is_other, self._folder, self._sights = schedule, is_other, folder, sights
        self._now_ns = START_NS
        self._sequence = 0
        self.record = Record()
        self.level = LEVELS[0]
        self.moment = Moment()
        self._pool = PoisonedPool(0 if is_other else 255)
        mirror, rotate = schedule.mirror, schedule.rotate
        self._camera = Camera(0 if is_other else 255, mirror=mirror, rotate=rotate)
        source = parts.source(self._camera, mirror=mirror, rotate=rotate)
        settings = _settings(schedule, folder)
        self._outlet = parts.outlet(parts.painter(SIZE), 1 / schedule.frame_rate, lambda: self._now_ns)
        self._privacy = Privacy(self._outlet)
        self._button = self._privacy.switch("button")
        self._is_held = False
        self._opened_ns = -1
        model, small = (FrameSegmenter(schedule.salt, size, self.moment) for size in _MODELS.values())
        self.pipeline = parts.pipeline(
            SIZE,
            model if schedule.has_model else None,
            prepare_look(settings, SIZE, 1, (folder,)),
            self._pool,
            small=small if schedule.has_model else None,
            keep=kept_regions(settings),
        )
        images = Images((folder,), decode=decode_image)
        self._privacy.follow(self.pipeline.forget)
        switch = self._privacy.switch(SETTINGS_PARTY)
        first = FirstModel(settings.model, settings.model, _loaded(model))
        models = Models(first, self.pipeline, load=self._load, offer=lambda: ())
        self.control = parts.control(
            settings,
            self.pipeline,
            self._outlet,
            images,
            switch=switch,
            models=models if schedule.has_model else None,
        )
        self._hooked = _Hooked(self.pipeline, self._pool)
        self._mailbox: Latest[Frame] = Latest()
        self._processing = parts.loop(
            cast("Pipeline", self._hooked),
            self._mailbox,
            self._outlet,
            overlaps=lambda: schedule.overlaps_at(self.moment.sequence),
        )
        self._unfinished: deque[_Way] = deque()
        self._begun = -1
        self._capture = parts.capture(
            "rig", source, self._mailbox, self._outlet, None, self._privacy, lambda: self._now_ns / 1e9
        )
        self._capture.stop()  # no pause in real time
        self._deliveries: tuple[Latest[SafeFrame], Latest[SafeFrame]] = (Latest(), Latest())
        self._outgoing = OutletLoop(self._outlet, list(self._deliveries))

    def _load(self, wanted: ModelSettings) -> LoadedModel:
        if wanted.name not in _MODELS:
            raise ModelError(f"model.name = {wanted.name}: not here")
        size = _MODELS[wanted.name]
        return _loaded(FrameSegmenter(self._schedule.salt, size, self.moment, is_on_trial=True))

    def play(self) -> Record:
        """Let everything happen."""
        with self._consumers():
            self._keep_settings()
            self._deliver()
            for event in self._schedule.events:
                self._play(event)
            while self._unfinished:
                self._finish()
            self._deliver()
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
            case Hide():
                self._hide(event)
            case Change() | Degrade() | Hold() | Blink():
                self._do(event)
            case Lose():
                self._outlet.because(Reason.CAMERA_LOST)
                self._outlet.drop()
                self._deliver()

    def _hide(self, hide: Hide) -> None:
        self._do(Change(CAMERA_OFF) if hide.by_settings else Hold(True))
        self._pass_ms(hide.ms)
        self._deliver()
        self._do(Change(CAMERA_ON) if hide.by_settings else Hold(False))

    def _shoot(self, shoot: Shoot) -> None:
        sequence, self._sequence = self._sequence, self._sequence + 1
        if not self._schedule.overlaps_at(sequence) or self._is_due(Order.BEFORE_NEXT):
            self._finish()
        self._aim(sequence)
        self.record.taken_ns[sequence] = self._now_ns
        was_private = self._is_private()
        self.moment.begin(sequence, shoot, lambda: self._happen_inside(shoot))
        is_pool_out = shoot.fault == Fault.POOL_OUT
        self._hooked.way = _Way(sequence, shoot.order, lambda: self._do(shoot.before_put), is_pool_out)
        self._overlap(shoot)
        self._pass_ms(1)
        if self._is_private() and was_private and self._camera.is_open:
            self.record.open_in_private.append(sequence)
        if shoot.deliver:
            self._deliver()

    def _overlap(self, shoot: Shoot) -> None:
        """The first half of this frame, and the second of the one before if it waits, as it is to be."""
        earlier = self._unfinished[0] if self._unfinished else None
        if self._is_due(Order.AROUND_NEXT):
            self._pool.meanwhile = lambda: self._begin(shoot)
            self._finish()
        self._begin(shoot)
        while self._unfinished and (self._unfinished[0] is earlier or self._is_due(Order.AT_ONCE)):
            self._finish()

    def _begin(self, shoot: Shoot) -> None:
        """The first half of a frame, unless it is done; the second too, where frames do not overlap."""
        self._pool.meanwhile = lambda: None
        if self._begun == self.moment.sequence:
            return
        self._begun = self.moment.sequence
        self.record.levels[self._begun] = self.level
        self._process(shoot.takes_ms)
        if self.moment.has_good_mask or not self._schedule.has_model:
            self.record.good.add(self._begun)
        if len(self._processing._handover._waiting) > len(self._unfinished):
            self._unfinished.append(self._hooked.way)
        else:
            self._camera.done(self._begun)

    def _happen_inside(self, shoot: Shoot) -> None:
        if self._is_due(Order.INSIDE_NEXT):
            self._finish()
        self._do(shoot.inside)

    def _is_due(self, order: Order) -> bool:
        return bool(self._unfinished) and self._unfinished[0].order == order

    def _finish(self) -> None:
        """The second half of the frame that has waited longest for it, if there is one."""
        if self._unfinished:
            way = self._unfinished.popleft()
            self._processing.finish()
            self._camera.done(way.sequence)

    def _aim(self, sequence: int) -> None:
        """Set up what this run's camera is to see."""
        picture = picture_of(self._schedule.salt, sequence)
        if self._is_other:
            picture = other_room(picture, *camera_rooms(self._sights.get(sequence)))
        self.record.cameras[sequence] = picture
        self._camera.set(picture, self._now_ns, sequence)

    def _process(self, takes_ms: int) -> None:
        begin_ns = self._now_ns
        self._hooked.takes = lambda: self._pass_ms(takes_ms)
        self._capture.step()
        if not self._mailbox.is_empty:
            with suppress(UnexpectedError):
                self._processing.step()
        if self._now_ns == begin_ns:  # the frame was skipped; the next one is not there at once for that
            self._pass_ms(takes_ms)

    def _is_private(self) -> bool:
        """Whether somebody wants the camera closed, by the rig's own account."""
        return self._is_held or not self.control.settings.camera.is_enabled

    def _do(self, deed: Deed | None) -> None:
        was_private = self._is_private()
        match deed:
            case Hold(is_private):
                self._is_held = is_private
                self._button.set_private(is_private)
            case Blink():
                self._is_held, was_private = False, True
                self._button.set_private(True)
                self._button.set_private(False)
            case Degrade(number):
                self.level = LEVELS[number]
                self.pipeline.degrade(self.level)
                self._outlet.expect(self.pipeline.skips / self._schedule.frame_rate)
            case Change(patch):
                self._change(patch)
        if was_private and not self._is_private():
            self._opened_ns = self._now_ns

    def _change(self, patch: Patch) -> None:
        try:
            self.control.change(in_folder(patch, self._folder))
            self.record.answers.append(True)
        except ConfigError as error:
            self.record.answers.append(False)
            _let_go(error)
        self._keep_settings()

    def _keep_settings(self) -> None:
        self.record.settings[self.control.revision] = self.control.settings

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
                self.control.revision,
                self._is_private(),
                self._opened_ns,
            )
        )


def _loaded(segmenter: FrameSegmenter) -> LoadedModel:
    width, height = segmenter.input_size
    given = InputSpec(width, height, 3, (0, 1), "uint8")
    taken = OutputSpec("alpha", width, height, 1, (0, 1), "uint8", 0, 1)
    spec = ModelSpec("rig", "int8", Path(), "", "", "", given, taken)
    return LoadedModel(segmenter, spec, 1, 0.0, "rig")


def in_folder(patch: Patch, folder: Path) -> dict[str, Any]:
    """The patch with FOLDER replaced by the path."""
    return {
        key: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value
        for key, value in patch.items()
    }


def _let_go(error: BaseException | None) -> None:
    """Break the circle of an error, its traceback and the change it belongs to.

    Changes have a thread of their own; here they are made on the pipeline's stack, and what is caught in the
    circle keeps its buffers in use until the garbage collector happens to come by.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


class _Rehearsal(Run):
    """A run of the real parts before a camera that sees nothing, which notes how each frame is to be seen."""

    def __init__(self, schedule: Schedule, folder: Path) -> None:
        super().__init__(schedule, folder, Parts())
        self.sights: dict[int, Sight] = {}
        self._subject = self.pipeline.subject = NotingSubject(SIZE, kept_regions(self.control.settings))

    def _aim(self, sequence: int) -> None:
        self._camera.set(_NOTHING, self._now_ns, sequence)

    def _process(self, takes_ms: int) -> None:
        level, settings, self._subject.noted = self.level, self.control.settings, None
        super()._process(takes_ms)
        if self._subject.noted is not None:
            mask, view = self._subject.noted
            self.sights[self.moment.sequence] = Sight(mask, view, level, settings, self.moment.asked)


def foresee(schedule: Schedule, folder: Path) -> Mapping[int, Sight]:
    """How each frame is to be seen, by sequence; those of which nothing may be seen are left out.

    What the settings say of the person makes it depend on earlier masks; on the camera's pixels it must not
    depend. So it is asked for where there are none.
    """
    rehearsal = _Rehearsal(schedule, folder)
    rehearsal.play()
    return rehearsal.sights


_NOTHING = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
_MODELS = {"person-256x144": MASK_SIZE, "small": SMALL_MASK_SIZE}
"""Name to size of picture and mask; the second is also what stands in when time is short."""


def _settings(schedule: Schedule, folder: Path) -> Settings:
    local = {
        "privacy": {"allow_raw": schedule.allow_raw},
        "matte": {"refine": schedule.refine, "smooth": schedule.smooth},
        "keep": {"regions": [list(region) for region in schedule.keep]},
    }
    settings = Settings().patched(local).patched(in_folder(schedule.start, folder))
    for patch in schedule.more:
        with suppress(ConfigError):
            settings = settings.patched(patch)
    return settings

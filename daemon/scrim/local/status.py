"""The shapes of the answers to ``status`` and ``counters``, and the names of events. The core fills them."""

from typing import Literal, TypedDict, get_args

State = Literal["starting", "running", "placeholder", "off"]
CameraState = Literal["live", "starting", "lost", "off", "idle"]
SinkState = Literal["open", "failed"]
EventName = Literal[
    "filter_frame_duration_high",
    "filter_cpu_utilization_high",
    "background_filter_started",
    "background_filter_config_selected",
    "background_filter_failed",
    "camera_lost",
    "camera_back",
    "delegate_lost",
    "delegate_back",
    "level_changed",
    "placeholder_shown",
    "placeholder_gone",
    "memory_high",
]

EVENT_NAMES: tuple[EventName, ...] = get_args(EventName)


class DeviceStatus(TypedDict):
    """What a camera says of itself.

    ``place`` is where it is looked for, its stable name if it has one; ``delivers`` reads as
    ``MJPG 1280x720@30``; ``controls`` are names and values; ``refused`` says of each control of the settings
    that could not be set why not.
    """

    name: str
    place: str
    delivers: str
    controls: dict[str, int]
    refused: list[str]


class CameraStatus(TypedDict):
    """The capture side. ``caps`` reads as ``1280x720@30``; empty while the size is not known.

    ``closed_by`` names who wants the camera closed, such as ``settings``; then the state is ``off``. It is
    ``idle`` while the camera is closed because nobody watches. ``device`` is null for a source that is no
    device, and before it was opened.
    """

    source: str
    state: CameraState
    caps: str
    error: str | None
    closed_by: list[str]
    device: DeviceStatus | None


class FramesStatus(TypedDict):
    """Frames since the start; rates in frames per second over the last period."""

    rate_in_hz: float
    rate_out_hz: float
    captured: int
    delivered: int
    dropped: int


class LatencyStatus(TypedDict):
    """Milliseconds from capture to delivery, over the last period."""

    p50: float
    p95: float


class StagesStatus(TypedDict):
    """Median milliseconds a frame spends in each stage."""

    capture: float
    segment: float
    matte: float
    composite: float


class FetchStatus(TypedDict):
    """A model that is being fetched; ``total_bytes`` is null while the server has not said."""

    name: str
    bytes: int
    total_bytes: int | None


class ModelStatus(TypedDict):
    """The model in use. ``input`` is width x height, as ``256x144``.

    ``delegate`` does the inference at this moment: ``cpu``, or the delegate that was asked for; while it is
    not that one, ``delegate_error`` says why. ``offered`` are the names that may be chosen.
    ``error`` says why another model stands in for the one of the settings, ``fetching`` what is on its way.
    """

    name: str
    form: str
    runtime: str
    input: str
    delegate: str
    delegate_error: str | None
    offered: list[str]
    error: str | None
    fetching: FetchStatus | None


class EffectStatus(TypedDict):
    """The effect in effect. ``strength`` is a number in (0, 100], ``strength_name`` the nearest name.

    ``image_error`` says why black stands in for an image that was named before the start.
    """

    effect: Literal["off", "blur", "image", "color"]
    strength: float
    strength_name: str
    color: str | None
    image: str | None
    image_error: str | None
    fit: Literal["cover", "contain", "stretch"]


class QualityStatus(TypedDict):
    """The budget's level: 0 is full quality; ``reason`` is time, temperature or under-voltage.

    ``is_overlapping`` says whether the person is found in one frame while the one before is composited.
    """

    level: int
    reason: str | None
    is_overlapping: bool


class SinkStatus(TypedDict):
    """One sink. ``error`` says why it failed and what mends it.

    ``consumers`` is how many take its pictures; null where nobody can tell.
    """

    name: str
    state: SinkState
    delivered: int
    dropped: int
    consumers: int | None
    error: str | None


class StageCounts(TypedDict):
    """A histogram: ``counts`` of durations up to each bound, cumulative, the last of all."""

    counts: list[int]
    sum_s: float


class DropCounts(TypedDict):
    """Frames dropped, by reason."""

    camera: int
    late: int
    no_mask: int
    no_buffer: int
    sink: int


class Counters(TypedDict):
    """The answer to ``counters``: what only counts up, since the core was started."""

    bounds_s: list[float]
    stages: dict[str, StageCounts]
    frames_dropped: DropCounts
    segmentations_skipped: int
    events: dict[str, int]
    settings_changes: dict[str, int]


class SafeModeStatus(TypedDict):
    """Safe mode: after so many ``crashes`` in a minute; it ends by itself when ``left_s`` have passed."""

    crashes: int
    left_s: float


class Status(TypedDict):
    """Everything the core says about itself.

    ``coverage`` is the person's share of the picture, 0 to 1; ``rss_mb`` resident memory in 10^6 bytes;
    ``placeholder_reason`` is one of the placeholder's reasons while it is shown; ``restart_needed`` names the
    settings whose values come into effect when the core is started again; ``safe_mode`` is null in an
    ordinary run.
    """

    version: str
    uptime_s: float
    state: State
    placeholder_reason: str | None
    revision: int
    restart_needed: list[str]
    camera: CameraStatus
    frames: FramesStatus
    latency_ms: LatencyStatus
    stages_ms: StagesStatus
    model: ModelStatus
    effect: EffectStatus
    quality: QualityStatus
    is_somebody_there: bool
    coverage: float
    sinks: list[SinkStatus]
    rss_mb: float
    safe_mode: SafeModeStatus | None

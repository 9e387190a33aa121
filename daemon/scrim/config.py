"""The settings document: read whole, checked whole, never changed in place.

``Settings`` is the schema, the defaults and, through its descriptions, the source of config/scrim.toml. A
change is a patch: ``patched`` applies it to a copy and checks the copy whole.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from math import floor
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import webcolors
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from scrim.errors import ConfigError, Problem
from scrim.image_url import MAX_DATA_URL_CHARACTERS, fault_of, scheme_of
from scrim.patch import expand, merge
from scrim.problems import problems_of, show

EffectName = Literal["off", "blur", "image", "color"]
StrengthName = Literal["low", "medium", "high"]
Fit = Literal["cover", "contain", "stretch"]
ModelForm = Literal["auto", "int8", "float16"]

STRENGTHS: Mapping[str, float] = {"low": 7.0, "medium": 15.0, "high": 30.0}
"""Named blur strengths, as the Amazon Chime SDK's background filters 2.0 number them."""

MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"

MAX_SETTINGS_BYTES = 256 * 1024
"""A settings file or patch larger than this is refused before it is parsed."""

LIVE_KEYS = frozenset(
    {
        "background_blur",
        "background_replacement",
        "matte",
        "person",
        "framing",
        "processing_budget_per_frame",
        "filter_cpu_utilization",
        "reporting_period_ms",
    }
)
"""What a patch may change while scrim runs. Devices, paths, models and privacy stay with the local file."""


_SOURCE = r"(?:auto|demo|test):?|picamera:\d{1,2}|v4l2:/dev/.+|file:.+"
_SINK = r"v4l2loopback:/dev/.+|(?:file|images):.+|memory:?"

_COLORS_OF_CSS4 = {"rebeccapurple": "#663399"}
"""What CSS Color 4 adds to the names of CSS 3, which are all that webcolors knows."""


def _strength(value: object) -> object:
    """A strength by name, any case, or a number in (0, 100]."""
    if isinstance(value, str) and value.lower() in STRENGTHS:
        return value.lower()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("strength", "is neither a name nor a number")
    if not 0 < value <= 100:
        raise PydanticCustomError("strength", "is out of range")
    return float(value)


def _color(value: str) -> str:
    """A colour as ``#rrggbb``."""
    text = value.strip().lower()
    if re.fullmatch(r"#?(?:[0-9a-f]{3}|[0-9a-f]{6})", text):
        return str(webcolors.normalize_hex("#" + text.removeprefix("#")))
    try:
        return _COLORS_OF_CSS4.get(text) or str(webcolors.name_to_hex(text))
    except ValueError:
        raise PydanticCustomError("color", "is not an opaque colour") from None


def _source(value: str) -> str:
    if not re.fullmatch(_SOURCE, value):
        raise PydanticCustomError("source", "is not a source")
    return value


def _sink(value: str) -> str:
    if not re.fullmatch(_SINK, value):
        raise PydanticCustomError("sink", "is not a sink")
    return value


def _size_px(value: int) -> int:
    if value % 2:
        raise PydanticCustomError("size", "is odd, and chroma is shared by pairs of pixels")
    return value


def _image_url(value: str) -> str:
    fault = fault_of(value)
    if fault is not None:
        raise PydanticCustomError("image_url", fault)
    return value


def _none_if_empty(value: object) -> object:
    """TOML has no null: an empty text stands for it."""
    return None if value == "" else value


Strength = Annotated[float | StrengthName, BeforeValidator(_strength)]
Color = Annotated[str, AfterValidator(_color)]
EvenPixels = Annotated[int, AfterValidator(_size_px)]
ImageURL = Annotated[str, Field(max_length=MAX_DATA_URL_CHARACTERS), AfterValidator(_image_url)]
HostName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")]
SourceURL = Annotated[str, AfterValidator(_source)]
SinkURL = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_sink)]


def _key(default: Any, description: str, allowed: str, **limits: Any) -> Any:  # noqa: ANN401
    """A settings key: its default, what it does, and what a person may write."""
    return Field(default, description=description, json_schema_extra={"allowed": allowed}, **limits)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CameraSettings(_Section):
    """Where the picture comes from."""

    source: SourceURL = _key(
        "auto",
        "auto takes the first camera, or plays the demo where there is none",
        "auto, picamera:0, v4l2:/dev/video0, file:/path/clip.mp4, demo: or test:",
        min_length=1,
        max_length=4096,
    )
    width: EvenPixels = _key(
        1280, "pixels; the picture going out has this size", "even, 64 to 4096", ge=64, le=4096
    )
    height: EvenPixels = _key(720, "pixels", "even, 64 to 4096", ge=64, le=4096)
    frame_rate: float = _key(30.0, "frames per second asked of the camera", "1 to 120", ge=1, le=120)
    mirror: bool = _key(False, "swap left and right", "true or false")
    rotate: Literal[0, 90, 180, 270] = _key(0, "degrees clockwise, before mirroring", "0, 90, 180 or 270")


class ModelSettings(_Section):
    """Which model finds the person."""

    name: str = _key(
        "person-256x144",
        "a model in the models folder; larger finds finer edges and costs more",
        "person-192x112, person-256x144, person-320x176, person-384x208 or one of your own",
        pattern=MODEL_NAME,
    )
    form: ModelForm = _key(
        "auto", "auto times the model's forms once and takes the fastest here", "auto, int8 or float16"
    )
    threads: int = _key(
        0, "inference threads; 0 is one fewer than the processor has cores", "0 to 8", ge=0, le=8
    )


class BlurSettings(_Section):
    """Blur the room. The person is left out of the blur, so nobody glows."""

    is_enabled: bool = _key(True, "whether the background is blurred", "true or false")
    strength: Strength = _key("medium", "how much", "low, medium, high, or a number above 0 and up to 100")


class ReplacementSettings(_Section):
    """Replace the room by an image or a colour: concealment, where blur is obfuscation."""

    is_enabled: bool = _key(False, "whether the background is replaced", "true or false")
    background_image_url: Annotated[ImageURL | None, BeforeValidator(_none_if_empty)] = _key(
        None,
        "an image; empty for a colour",
        "https:, data:, or file: below /var/lib/scrim/backgrounds or /usr/share/scrim/backgrounds",
    )
    default_color: Annotated[Color | None, BeforeValidator(_none_if_empty)] = _key(
        None,
        "a colour; without colour and image the background is black",
        "#RRGGBB, #RGB or a CSS colour name",
    )
    fit: Fit = _key("cover", "how an image of another shape fills the picture", "cover, contain or stretch")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.background_image_url is not None and self.default_color is not None:
            raise PydanticCustomError("contradiction", "image and color")
        return self


class MatteSettings(_Section):
    """How the model's coarse mask becomes the edge of the person."""

    refine: bool = _key(
        True, "let the edge follow the picture; false is cheaper and coarser", "true or false"
    )
    smooth: bool = _key(True, "calm the edge over time where nothing moves", "true or false")
    second_look: Literal["off", "stills", "always"] = _key(
        "stills",
        "look at a close-up of the person too, for a better edge and twice the time of the model; stills are "
        "the images of scrim process",
        "off, stills or always",
    )


class PersonSettings(_Section):
    """Who is shown, and what when nobody is."""

    persons: Literal["all", "largest"] = _key(
        "all", "who is shown; largest hides everybody but one", "all or largest"
    )
    nobody: Literal["blur", "placeholder"] = _key(
        "blur",
        "what is shown when nobody is there; blur means the effect in use, over the whole picture",
        "blur or placeholder",
    )
    placeholder_after_s: float = _key(
        10.0, "seconds without a person before that placeholder, 3 at the least", "0 to 3600", ge=0, le=3600
    )


class FramingSettings(_Section):
    """Let the picture follow the person."""

    is_enabled: bool = _key(False, "whether it does", "true or false")
    max_zoom: float = _key(1.5, "how near it may come", "1 to 3", ge=1, le=3)


Fraction = Annotated[float, Field(ge=0, le=1)]
Region = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], Field(strict=False)]


class KeepSettings(_Section):
    """Parts of the room that are always shown, such as a chair or a microphone. Only this file can say so."""

    regions: tuple[Region, ...] = _key(
        (),
        "rectangles, in fractions of the picture",
        "a list of at most 16 [left, top, width, height], each from 0 to 1",
        max_length=16,
        strict=False,
    )
    image_path: Annotated[str | None, BeforeValidator(_none_if_empty)] = _key(
        None,
        "a grey PNG; where it is white the room is shown. Empty for none",
        "path of a PNG of at most 4096 x 4096 pixels and 8 MiB",
        max_length=4096,
    )


class PrivacySettings(_Section):
    """What may be seen."""

    allow_raw: bool = _key(
        False,
        "let the picture pass unchanged when no effect is on; only this file can say so. "
        "false shows the placeholder instead",
        "true or false",
    )


class BudgetSettings(_Section):
    """How quality gives way when time is short."""

    is_adaptive: bool = _key(
        True,
        "lower the quality rather than fall behind, and raise it again when there is room",
        "true or false",
    )
    small_model: Annotated[str | None, BeforeValidator(_none_if_empty)] = _key(
        None,
        "a cheaper model that may stand in; it is kept in memory beside the first. Empty for none",
        "a model's name, such as person-192x112",
        pattern=MODEL_NAME,
    )
    reuse_masks: bool = _key(
        False,
        "when time is short, use a mask for the frames after its own too. A LEAK: where the person moves "
        "away, the room is seen until the next mask",
        "true or false",
    )


class ImagesSettings(_Section):
    """From where background images may be fetched."""

    allow_http: bool = _key(
        False, "fetch http: images too, which anybody on the way can read and exchange", "true or false"
    )
    allow_hosts: tuple[HostName, ...] = _key(
        (),
        "hosts that may have an address in the local network; all others must be on the internet",
        'a list of names or addresses, such as ["nas.lan", "192.168.1.5"]; or []',
        max_length=64,
        strict=False,
    )


class WebSettings(_Section):
    """The page for people."""

    is_enabled: bool = _key(True, "serve the page", "true or false")
    host: str = _key("127.0.0.1", "address to listen on", "a loopback address", max_length=253)
    port: int = _key(8080, "TCP port; 0 takes a free one", "0 to 65535", ge=0, le=65535)


class Settings(_Section):
    """Everything that can be set."""

    camera: CameraSettings = CameraSettings()
    model: ModelSettings = ModelSettings()
    background_blur: BlurSettings = BlurSettings()
    background_replacement: ReplacementSettings = ReplacementSettings()
    matte: MatteSettings = MatteSettings()
    person: PersonSettings = PersonSettings()
    framing: FramingSettings = FramingSettings()
    keep: KeepSettings = KeepSettings()
    budget: BudgetSettings = BudgetSettings()
    privacy: PrivacySettings = PrivacySettings()
    processing_budget_per_frame: float = _key(
        50.0, "percent of the frame interval that filtering may take", "1 to 100", ge=1, le=100
    )
    filter_cpu_utilization: float = _key(
        30.0,
        "percent of the time from which filtering is reported as heavy",
        "above 0 and up to 100",
        gt=0,
        le=100,
    )
    reporting_period_ms: float = _key(
        1000.0,
        "how often slow or heavy filtering is looked for",
        "above 0 and up to 3600000",
        gt=0,
        le=3_600_000,
    )
    sinks: tuple[SinkURL, ...] = _key(
        (),
        "where the picture goes besides the page's preview",
        "a list of v4l2loopback:/dev/video10, file:/path/out.mkv, images:/folder; or []",
        max_length=8,
        strict=False,
    )
    images: ImagesSettings = ImagesSettings()
    web: WebSettings = WebSettings()

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        if self.background_blur.is_enabled and self.background_replacement.is_enabled:
            raise PydanticCustomError("contradiction", "both effects")
        url = self.background_replacement.background_image_url
        if url is not None and scheme_of(url) == "http" and not self.images.allow_http:
            raise PydanticCustomError("contradiction", "http image")
        return self

    @property
    def effect(self) -> EffectName:
        """The effect in one word."""
        if self.background_blur.is_enabled:
            return "blur"
        if not self.background_replacement.is_enabled:
            return "off"
        return "color" if self.background_replacement.background_image_url is None else "image"

    def patched(self, patch: Mapping[str, Any], *, live: bool = False) -> "Settings":
        """A copy with a patch applied, checked whole; this document stays as it is.

        Args:
            patch: snake_case or camelCase keys; ``None`` sets a key back to its default. The shorthands
                ``effect``, ``strength``, ``color``, ``image`` and ``fit`` are understood.
            live: refuse everything that only the local file may say.

        Raises:
            ConfigError: with every problem found.
        """
        changes, problems = expand(patch)
        if live:
            problems += _local_keys(changes)
            changes = {key: value for key, value in changes.items() if key not in _LOCAL_SECTIONS}
        try:
            wanted = from_document(merge(self.model_dump(), changes))
        except ConfigError as error:
            raise ConfigError([*problems, *error.problems], "request") from None
        if patch.get("effect") == "image" and wanted.effect != "image":
            problems.append(_NO_IMAGE)
        if problems:
            raise ConfigError(problems, "request")
        return wanted


_LOCAL_SECTIONS = Settings.model_fields.keys() - LIVE_KEYS

_NO_IMAGE = Problem(
    "effect",
    "image",
    "there is no image to show",
    "name one in background_replacement.background_image_url too",
)


def strength_number(strength: float | str) -> float:
    """The number behind a strength, in (0, 100]."""
    return STRENGTHS[strength] if isinstance(strength, str) else strength


def strength_name(strength: float | str) -> str:
    """The name nearest to a strength."""
    number = strength_number(strength)
    return min(STRENGTHS, key=lambda name: abs(STRENGTHS[name] - number))


def blur_sigma_px(strength: float, height: int) -> int:
    """Standard deviation, in pixels, of the Gaussian that a strength means at a frame height.

    The figure of the Amazon Chime SDK's background blur 1.0: floor(strength * height / 540 + 0.5).
    """
    return floor(strength * height / 540 + 0.5)


def load(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or has wrong settings; lists every problem.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SETTINGS_BYTES + 1)
    except OSError as error:
        problem = Problem(str(path), "file", error.strerror or str(error), "a readable TOML file")
        raise ConfigError([problem], str(path)) from None
    if len(data) > MAX_SETTINGS_BYTES:
        problem = Problem(str(path), "file", "is too large", f"at most {MAX_SETTINGS_BYTES} bytes")
        raise ConfigError([problem], str(path))
    return from_document(_parse_toml(data, path), where=str(path))


def from_document(document: Mapping[str, Any], where: str = "settings") -> Settings:
    """Check a whole document of snake_case keys.

    Raises:
        ConfigError: with every problem found.
    """
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error, Settings)
        raise ConfigError(list(dict.fromkeys([*problems, *_contradictions(document)])), where) from None


def _parse_toml(data: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            [Problem(str(path), "file", f"is no TOML: {error}", "TOML 1.0 in UTF-8")], str(path)
        ) from None


def _local_keys(changes: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(
            key,
            show(changes[key]),
            "can only be changed in the local settings file",
            ", ".join(sorted(LIVE_KEYS)),
        )
        for key in sorted(changes.keys() & _LOCAL_SECTIONS)
    ]


def _contradictions(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys that are right each by itself and wrong together; found even where other keys are wrong."""
    blur, replacement = (_mapping(document.get(key)) for key in ("background_blur", "background_replacement"))
    if blur.get("is_enabled", True) is True and replacement.get("is_enabled") is True:
        keys = "background_blur.is_enabled and background_replacement.is_enabled"
        yield Problem(keys, "true", "both are enabled", "one of them false")
    if replacement.get("background_image_url") and replacement.get("default_color"):
        keys = "background_replacement.background_image_url and background_replacement.default_color"
        yield Problem(
            keys, "(both given)", "an image and a colour are given together", "one of them left out"
        )
    url = replacement.get("background_image_url")
    is_http = isinstance(url, str) and scheme_of(url) == "http"
    if is_http and _mapping(document.get("images")).get("allow_http") is not True:
        key = "background_replacement.background_image_url"
        yield Problem(
            key,
            show(url),
            "is not fetched without encryption",
            "https:; or images.allow_http = true in the local settings file",
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

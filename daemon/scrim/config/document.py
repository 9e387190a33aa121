"""The whole settings document: what holds across its sections, and how it is patched."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import ValidationError, model_validator
from pydantic_core import PydanticCustomError

from scrim.config.gadget import GadgetSettings
from scrim.config.kinds import EffectName, SinkURL
from scrim.config.memory import MemorySettings
from scrim.config.reading import LIVE_KEYS, REPLACEMENT, effect_of, live_keys_of, shown_of
from scrim.config.rtsp import RtspSettings
from scrim.config.sections import (
    BlurSettings,
    BudgetSettings,
    CameraSettings,
    DeviceSettings,
    FramingSettings,
    ImagesSettings,
    KeepSettings,
    MatteSettings,
    ModelSettings,
    MqttSettings,
    PanelSettings,
    PersonSettings,
    PrivacySettings,
    PrometheusSettings,
    ReplacementSettings,
    Section,
    WebSettings,
    setting,
)
from scrim.errors import ConfigError, Problem
from scrim.image_url import scheme_of, without_secrets
from scrim.patch import expand, merge
from scrim.problems import problems_of
from scrim.wording import show


class Settings(Section):
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
    memory: MemorySettings = MemorySettings()
    panel: PanelSettings = PanelSettings()
    privacy: PrivacySettings = PrivacySettings()
    processing_budget_per_frame: float = setting(
        50.0, "percent of the frame interval that filtering may take", "1 to 100", ge=1, le=100
    )
    filter_cpu_utilization: float = setting(
        30.0,
        "percent of the time from which filtering is reported as heavy",
        "above 0 and up to 100",
        gt=0,
        le=100,
    )
    reporting_period_ms: float = setting(
        1000.0,
        "how often slow or heavy filtering is looked for",
        "above 0 and up to 3600000",
        gt=0,
        le=3_600_000,
    )
    sinks: tuple[SinkURL, ...] = setting(
        (),
        "where the picture goes besides the page's preview",
        "a list of v4l2loopback:/dev/video10, uvc_gadget:, file:/path/out.mkv, images:/folder; or []",
        max_length=8,
        strict=False,
    )
    images: ImagesSettings = ImagesSettings()
    gadget: GadgetSettings = GadgetSettings()
    web: WebSettings = WebSettings()
    device: DeviceSettings = DeviceSettings()
    mqtt: MqttSettings = MqttSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    rtsp: RtspSettings = RtspSettings()

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
        return effect_of(self)

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
        self._recognise_image(changes)
        if live:
            changes, local = _live_and_local(changes)
            problems += local
        try:
            wanted = from_document(merge(self.model_dump(), changes))
        except ConfigError as error:
            raise ConfigError([*problems, *error.problems], "request") from None
        if patch.get("effect") == "image" and wanted.effect != "image":
            problems.append(_NO_IMAGE)
        if problems:
            raise ConfigError(problems, "request")
        return wanted

    def _recognise_image(self, changes: dict[str, Any]) -> None:
        """What stands for the image in effect where its URL holds a secret means that image."""
        url, replacement = self.background_replacement.background_image_url, changes.get(REPLACEMENT)
        if url is not None and isinstance(replacement, Mapping):
            given = replacement.get("background_image_url")
            if given == without_secrets(url):
                changes[REPLACEMENT] = {**replacement, "background_image_url": url}

    def without_secrets(self) -> dict[str, Any]:
        """All settings as JSON values, without what stands in an image's URL for a password or as a query."""
        return shown_of(self)


_NO_IMAGE = Problem(
    "effect",
    "image",
    "there is no image to show",
    "name one in background_replacement.background_image_url too",
)


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


def _live_and_local(changes: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The changes that may be made while scrim runs, and a problem for each of the others."""
    live: dict[str, Any] = {}
    problems: list[Problem] = []
    for section, value in changes.items():
        keys = live_keys_of(section)
        if section in LIVE_KEYS or section not in Settings.model_fields:
            live[section] = value
        elif keys and isinstance(value, Mapping):
            local = _fields_of(section) & value.keys() - set(keys)
            live[section] = {key: inner for key, inner in value.items() if key not in local}
            problems += [_local_problem(f"{section}.{key}", value[key]) for key in local]
        else:
            problems.append(_local_problem(section, value))
    return live, sorted(problems, key=lambda problem: problem.key)


def _fields_of(section: str) -> set[str]:
    return set(type(Settings.model_fields[section].default).model_fields)


def _local_problem(key: str, value: object) -> Problem:
    message, allowed = "can only be changed in the local settings file", ", ".join(sorted(LIVE_KEYS))
    return Problem(key, show(value), message, allowed)


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

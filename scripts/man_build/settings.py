"""scrim.toml(5), from the settings document."""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from man_build import roff
from scrim import __version__
from scrim.config import LIVE_KEYS, Settings
from scrim.reference import literal

_EXAMPLE = """\
sinks = ["v4l2loopback:/dev/video10"]

[camera]
source = "auto"

[background_blur]
strength = "high"

[mqtt]
is_enabled = true
host = "broker.lan"
username = "desk"
password_file = "/etc/scrim/mqtt-password"
"""


def page() -> str:
    """The whole page."""
    return roff.page(_lines())


def _lines() -> Iterator[str]:
    yield roff.title("SCRIM.TOML", 5, __version__)
    yield roff.heading("Name")
    yield "scrim.toml \\- settings of scrim"
    yield roff.heading("Synopsis")
    yield ".I /etc/scrim/scrim.toml"
    yield roff.heading("Description")
    yield from roff.paragraph(
        "TOML 1.0 in UTF-8, at most 256 KiB. A key that is left out keeps its default, which stands behind "
        "it here. An empty text means that a key is not set, where that is allowed. A file with mistakes is "
        "refused whole: scrim check-config lists all of them at once. scrim setup writes the file, and any "
        "command takes --set section.key=value."
    )
    yield from roff.paragraph(
        "Keys marked live can also be changed while scrim runs, by the page, over MQTT and by scrim ctl set. "
        "What was changed so is remembered and goes before the file, until scrim ctl reset. Size and rate of "
        "the picture come into effect with scrim ctl restart. All other keys can be said by this file alone, "
        "and come into effect when the services are started again."
    )
    settings = Settings()
    yield roff.heading("Keys before the first section")
    yield from _keys("", settings)
    yield roff.heading("Sections")
    for name in Settings.model_fields:
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            yield roff.subheading(f"[{name}]")
            yield from roff.paragraph(section.__doc__ or "")
            yield from _keys(f"{name}.", section)
    yield roff.heading("Examples")
    yield from roff.literal(_EXAMPLE.splitlines())
    yield roff.heading("Files")
    yield from roff.item("/etc/scrim/scrim.toml", "This file; SCRIM_CONFIG and --config name others.")
    yield from roff.item("/etc/scrim/scrim.toml.bak", "The file as it was before scrim setup wrote it.")
    yield from roff.item(
        "/etc/scrim/web-password, mqtt-password, rtsp-password",
        "Where scrim setup puts passwords; mode 0600, owned by scrim-gateway.",
    )
    yield roff.heading("See also")
    yield ".BR scrim (1)"


def _keys(prefix: str, section: BaseModel) -> Iterator[str]:
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if not isinstance(value, BaseModel):
            yield from roff.item(f"{key} = {literal(value)}", _text(f"{prefix}{key}", field))


def _text(key: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    allowed = str(extra["allowed"]) if isinstance(extra, dict) else ""
    description = field.description or ""
    mark = " Live." if key in LIVE_KEYS or key.partition(".")[0] in LIVE_KEYS else ""
    return f"{description}. Allowed: {allowed}.{mark}"

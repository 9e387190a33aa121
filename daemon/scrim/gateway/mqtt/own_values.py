"""Values that the gateway keeps itself, checked as the settings would; their library is not in here."""

import re
from typing import Any

from scrim.color import color_hex
from scrim.errors import ConfigError, Problem
from scrim.image_url import fault_of, scheme_of
from scrim.wording import GROUP_NAME, MOST_GROUPS, show

LEAST_INTERVAL_S = 2
MOST_INTERVAL_S = 3600

IMAGES = "https:, data:, or background = a name of the library"


def checked_groups(value: object) -> list[str]:
    """Groups as they are kept.

    Raises:
        ConfigError: it is no list of at most 8 names.
    """
    names: list[Any] = value if isinstance(value, list) and len(value) <= MOST_GROUPS else [None]
    if not all(isinstance(name, str) and re.fullmatch(GROUP_NAME, name) for name in names):
        allowed = f"a list of at most {MOST_GROUPS} names of a-z, 0-9, _ and -"
        raise refused("groups", value, "is no list of groups", allowed)
    return names


def checked_interval(value: object) -> float:
    """Seconds between two messages of telemetry.

    Raises:
        ConfigError: it is no number, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        value = float("nan")
    if not LEAST_INTERVAL_S <= value <= MOST_INTERVAL_S:
        allowed = f"{LEAST_INTERVAL_S} to {MOST_INTERVAL_S} seconds"
        raise refused("telemetry_interval_s", value, "is out of range", allowed)
    return float(value)


def checked_color(value: object) -> str:
    """A colour as ``#rrggbb``.

    Raises:
        ConfigError: it is none.
    """
    found = color_hex(value) if isinstance(value, str) else None
    if found is None:
        raise refused(
            "background_color", value, "is not an opaque colour", "#RRGGBB, #RGB or a CSS colour name"
        )
    return found


def check_image(url: object, *, allow_http: bool) -> None:
    """See whether an image that is only chosen could be used, as far as its URL tells.

    Raises:
        ConfigError: it could not.
    """
    fault = fault_of(url) if isinstance(url, str) else "is no text"
    scheme = scheme_of(url) if isinstance(url, str) else ""
    if scheme == "file":
        fault = "is not taken over MQTT"
    elif scheme == "http" and not allow_http:
        fault = "is not fetched without encryption"
    if fault is not None:
        raise refused("background_image", url, fault, IMAGES)


def refused(key: str, value: object, message: str, allowed: str) -> ConfigError:
    """One problem, as an error."""
    return ConfigError([Problem(key, show(value), message, allowed)], "request")

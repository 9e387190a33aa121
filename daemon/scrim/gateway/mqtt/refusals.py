"""Why a request was refused, in one word for programs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scrim.errors import ConfigError, LocalError, Problem, ScrimError

IMAGE_KEY = "background_replacement.background_image_url"

_BY_MESSAGE = (
    (r"is not a known key|is given twice", "unknown_field"),
    (r"both are enabled", "both_effects_enabled"),
    (r"an image and a colour are given together", "image_and_color"),
    (r"can only be changed in the local settings file|raw picture is not allowed", "unsupported"),
)
_BY_KEY: Mapping[str, str] = {
    "background_blur.strength": "invalid_strength",
    "background_replacement.default_color": "invalid_color",
    "background_color": "invalid_color",
    "background_image": "image_url_invalid",
}
_OF_IMAGES = (
    (r"larger than|has \d+ x \d+ pixels", "image_too_large"),
    (r"is broken|is not an image|to decode", "image_decode_failed"),
    (
        r"is no |is too long|names no host|a space|zero byte|without encryption|over MQTT|string|below",
        "image_url_invalid",
    ),
)


_MOST_ALLOWED = 500


class RefusalError(ScrimError):
    """A request was refused for a reason that is not in the settings.

    Attributes:
        code: the reason in one word.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was refused.

    Attributes:
        code: in one word; docs/mqtt.md lists them.
        field: dotted key; empty where it is none of the settings.
        message: for people.
        allowed: what would be right; empty where there is nothing to say.
    """

    code: str
    field: str
    message: str
    allowed: str = ""

    @property
    def text(self) -> str:
        """For people, in one line."""
        return f"{self.field}: {self.message}" if self.field else self.message

    def as_json(self) -> dict[str, Any]:
        """For the wire."""
        fields = {"code": self.code, "field": self.field, "message": self.message}
        return {**fields, "allowed": self.allowed[:_MOST_ALLOWED]} if self.allowed else fields


def refusals(error: ScrimError) -> list[Refusal]:
    """Every reason that an error gives, at least one."""
    if isinstance(error, ConfigError):
        return [
            Refusal(code_of(problem), problem.key, f"{problem.value}: {problem.message}", problem.allowed)
            for problem in error.problems
        ]
    if isinstance(error, RefusalError):
        return [Refusal(error.code, "", str(error))]
    if isinstance(error, LocalError):
        if re.search("superseded|too many changes", str(error)):
            return [Refusal("busy", "", str(error))]
        if "if_revision" in str(error):
            return [Refusal("rev_conflict", "", str(error))]
        # Its own words name a path of this machine.
        return [Refusal("core_unavailable", "", "the process with the camera does not answer")]
    return [Refusal("internal", "", str(error))]


def code_of(problem: Problem) -> str:
    """The word for a problem with the settings."""
    for pattern, code in _BY_MESSAGE:
        if re.search(pattern, problem.message):
            return code
    if problem.key == IMAGE_KEY:
        found = (code for pattern, code in _OF_IMAGES if re.search(pattern, problem.message))
        return next(found, "image_fetch_failed")
    if problem.key.startswith("model") and "load" in problem.message:
        return "model_load_failed"
    return _BY_KEY.get(problem.key, "out_of_range")

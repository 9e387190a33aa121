"""Changes of settings on their way: what was asked for, on what terms, and what became of it."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from scrim.core.composite.placeholder import Reason
from scrim.errors import ConfigError, LocalError, Problem, ScrimError
from scrim.patch import expand

if TYPE_CHECKING:
    from scrim.config import Settings

FIRST_RETRY_S = 2.0
LAST_RETRY_S = 60.0
"""The pause between two tries for what was not to be had at start doubles from the first to this."""

Result = Literal["made", "refused", "superseded", "failed"]
"""What became of a change that was asked for; one that changes nothing counts as made."""

RESULTS: tuple[Result, ...] = get_args(Result)


class SupersededError(LocalError):
    """A later change came before this one was ready; nothing of it is in effect."""


@dataclass(frozen=True, slots=True)
class InEffect:
    """Settings in effect, and their revision.

    Attributes:
        settings: all of them.
        revision: counts up by one with each change.
        restart_needed: keys whose values come into effect when the core is started again.
        is_remembered: they are to survive a restart.
    """

    settings: "Settings"
    revision: int
    restart_needed: tuple[str, ...] = ()
    is_remembered: bool = True


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a change is asked for.

    Attributes:
        if_revision: only while this revision is in effect; None for whichever.
        is_remembered: it is to survive a restart. One that is not may still be written with a later one that
            is: settings are remembered whole.
    """

    if_revision: int | None = None
    is_remembered: bool = True


NO_TERMS = Terms()


@dataclass(slots=True)
class Change:
    """One request on its way.

    Attributes:
        apply: makes the settings that are wanted out of those in effect.
        patch: what was asked for, as it came; empty for a reset.
        wanted: what comes of it if everything that waits before it succeeds.
        terms: on which it is made.
        answer: what is in effect afterwards.
        is_back: its model has been fetched, and it waits for its turn once more, behind later ones.
        brings_model: the model of the settings takes the place of the one that stood in for it.
    """

    apply: "Callable[[Settings], Settings]"
    patch: Mapping[str, Any]
    wanted: "Settings"
    terms: Terms = NO_TERMS
    answer: "Future[InEffect]" = field(default_factory=Future)
    is_back: bool = False
    brings_model: bool = False

    @property
    def is_about_model(self) -> bool:
        """Whether it has a word to say about the model: it names one, or is a reset."""
        return not self.patch or "model" in expand(self.patch)[0]


def answer_of(in_effect: InEffect) -> dict[str, Any]:
    """What an answer says of settings in effect."""
    return {
        "revision": in_effect.revision,
        "settings": in_effect.settings.without_secrets(),
        "restart_needed": list(in_effect.restart_needed),
    }


def hidden_by(settings: "Settings") -> Reason | None:
    """Why these settings show no camera picture at all; None when they show one."""
    return Reason.EFFECT_OFF if settings.effect == "off" and not settings.privacy.allow_raw else None


def result_of(error: ScrimError | None) -> Result:
    """What became of a change that ended with this error; None: with none."""
    match error:
        case None:
            return "made"
        case ConfigError():
            return "refused"
        case SupersededError():
            return "superseded"
    return "failed"


def superseded() -> SupersededError:
    """What a change is answered that gives way to a later one."""
    return SupersededError("superseded by a later request; nothing of this one is in effect")


RAW_NOT_ALLOWED = Problem(
    "effect",
    "off",
    "the raw picture is not allowed here, so the placeholder is shown",
    "blur, image or color; or privacy.allow_raw = true in the local settings file",
)

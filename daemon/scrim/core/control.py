"""The settings in effect, and the one way to change them."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from scrim.config import Settings, restart_needed
from scrim.core.composite.placeholder import Reason
from scrim.core.images import Image, Images
from scrim.core.look import image_url, make_look
from scrim.core.models import Candidate, Models
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look, Pipeline
from scrim.core.privacy import SETTINGS_PARTY, Privacy, PrivacySwitch
from scrim.errors import ConfigError, ImageError, LocalError, ModelError, Problem, ScrimError
from scrim.image_header import FORMATS
from scrim.image_url import shown
from scrim.patch import switches_effect

logger = logging.getLogger(__name__)

MAX_WAITING = 64
"""Changes that may wait for their turn."""

FIRST_RETRY_S = 2.0
LAST_RETRY_S = 60.0
"""The pause between two tries for an image that was not to be had at start doubles from the first to this."""

_IDLE_S = 0.5


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

    settings: Settings
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


@dataclass(slots=True)
class _Change:
    """One request on its way.

    Attributes:
        apply: makes the settings that are wanted out of those in effect.
        patch: what was asked for, as it came; empty for a reset.
        wanted: what comes of it if everything that waits before it succeeds.
        terms: on which it is made.
        answer: what is in effect afterwards.
    """

    apply: Callable[[Settings], Settings]
    patch: Mapping[str, Any]
    wanted: Settings
    terms: Terms = Terms()
    answer: "Future[InEffect]" = field(default_factory=Future)


class Control:
    """Changes settings whole or not at all. ``submit`` may be called from any thread, ``step`` from one.

    Changes are made one after the other, in the order in which they came. One whose image is still on its way
    gives way to any later one that is not refused: what came last wins, whatever arrives when.

    Args:
        settings: in effect at start.
        pipeline: shows the look.
        outlet: refuses pictures made under earlier settings.
        images: loads background images; the default reads those of this machine.
        base: what a reset goes back to; default ``settings``.
        revision: of ``settings``.
        switch: closes the camera while ``camera.is_enabled`` is false.
        models: loads another model; None where there is no other.

    Attributes:
        on_change: called after each change with what is in effect, in the thread that steps, once whoever
            asked for it has the answer.
        results: how many changes were made, refused, superseded by a later one, or failed.
        missing: why the image named at start is not shown yet; None when all is as the settings say.
    """

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        outlet: Outlet,
        images: Images | None = None,
        *,
        base: Settings | None = None,
        revision: int = 1,
        switch: PrivacySwitch | None = None,
        models: Models | None = None,
    ) -> None:
        self._started = settings
        self._in_effect = InEffect(settings, revision)
        self._models = models
        self._pipeline = pipeline
        self._outlet = outlet
        self._images = images if images is not None else Images()
        self._base = base if base is not None else settings
        self._switch = switch if switch is not None else Privacy(outlet).switch(SETTINGS_PARTY)
        self._waiting: deque[_Change] = deque()
        self._making: _Change | None = None
        self._lock = threading.Condition(threading.Lock())
        self._count_lock = threading.Lock()
        self._is_closed = False
        self._retry_s = FIRST_RETRY_S
        self._next_try_s = 0.0
        self.on_change: Callable[[InEffect], None] = lambda _: None
        self.missing: str | None = None
        self.results: dict[Result, int] = dict.fromkeys(RESULTS, 0)
        self._heed_switch()

    @property
    def in_effect(self) -> InEffect:
        """Settings and revision, of one moment."""
        return self._in_effect

    @property
    def settings(self) -> Settings:
        """In effect now."""
        return self._in_effect.settings

    @property
    def revision(self) -> int:
        """Counts up by one with each change."""
        return self._in_effect.revision

    def submit(self, patch: Mapping[str, Any], terms: Terms = Terms()) -> "Future[InEffect]":
        """Ask for a change; it is checked at once and made by ``step``.

        Args:
            patch: what shall be other.
            terms: on which.

        Returns:
            What is in effect once the change is, or an error: ConfigError when what it names cannot be used,
            and when it switches the effect off and raw pictures are not allowed (then the placeholder plays);
            SupersededError when a later change was asked for before this one's image was there; LocalError
            when another revision is in effect than the terms say. Every error carries what stays in effect.

        Raises:
            ConfigError: the patch is wrong; everything stays as it was.
            LocalError: too many changes wait already.
        """
        return self._submit(lambda settings: settings.patched(patch, live=True), patch, terms)

    def reset(self) -> "Future[InEffect]":
        """As ``submit``, back to the settings of the local file."""
        return self._submit(lambda _: self._base, {})

    def change(self, patch: Mapping[str, Any]) -> Settings:
        """As ``submit`` and ``step`` in one, where no other thread steps.

        Returns:
            The settings in effect now.

        Raises:
            ScrimError: as ``submit``, and what its future says.
        """
        answer = self.submit(patch)
        while not answer.done():
            self.step()
        return answer.result().settings

    def step(self) -> None:
        """Make the change that has waited longest, or wait a moment for one; a change may take 15 s."""
        before = self._in_effect
        change = self._next()
        if self._models is not None:
            self._models.step()
        if change is not None:
            self._make(change)
        elif self.missing is not None and time.monotonic() >= self._next_try_s:
            self._try_missing()
        if self._in_effect is not before:
            self.on_change(self._in_effect)

    def close(self) -> None:
        """Take no more changes; wake whoever waits."""
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = tuple(self._waiting), deque()
            self._lock.notify_all()
        for change in waiting:
            change.answer.set_exception(self._telling(LocalError("scrim is stopping; nothing was changed")))

    def _submit(
        self, apply: Callable[[Settings], Settings], patch: Mapping[str, Any], terms: Terms = Terms()
    ) -> "Future[InEffect]":
        try:
            return self._queued(apply, patch, terms)
        except ScrimError as error:
            self._count(error)
            raise self._telling(error) from None

    def _queued(
        self, apply: Callable[[Settings], Settings], patch: Mapping[str, Any], terms: Terms
    ) -> "Future[InEffect]":
        with self._lock:
            change = _Change(apply, patch, apply(self._expected()), terms)
            if self._is_closed or len(self._waiting) >= MAX_WAITING:
                raise LocalError("set: too many changes wait already; try again in a second")
            self._waiting.append(change)
            self._heed_switch()
            self._lock.notify_all()
        return change.answer

    def _expected(self) -> Settings:
        """The settings once everything on its way is done but what the next request would overtake."""
        on_its_way = [self._making, *self._waiting] if self._making else self._waiting
        settled = [change.wanted for change in on_its_way if not self._loads(change.wanted)]
        return settled[-1] if settled else self.settings

    def _next(self) -> _Change | None:
        with self._lock:
            if not self._waiting and not self._is_closed:
                self._lock.wait(_IDLE_S)
            self._making = self._waiting.popleft() if self._waiting else None
            return self._making

    def _make(self, change: _Change) -> None:
        try:
            made = self._made(change)
        except ScrimError as error:
            self._settle(error)
            change.answer.set_exception(self._telling(error))
        except Exception:
            logger.exception("settings: a change failed")
            unknown = LocalError("the change could not be made; the core's log has the details")
            self._settle(unknown)
            change.answer.set_exception(self._telling(unknown))
        else:
            self._settle()
            change.answer.set_result(made)

    def _settle(self, error: ScrimError | None = None) -> None:
        """The change that was being made is made, or cannot be."""
        self._count(error)
        with self._lock:
            self._making = None
            self._heed_switch()

    def _count(self, error: ScrimError | None) -> None:
        with self._count_lock:
            self.results[_result_of(error)] += 1

    def _heed_switch(self) -> None:
        """Close the camera as soon as that is asked for: a change that waits for its turn counts already."""
        on_its_way = [self._making, *self._waiting] if self._making else self._waiting
        wants_off = any(not change.wanted.camera.is_enabled for change in on_its_way)
        self._switch.set_private(wants_off or not self.settings.camera.is_enabled)

    def _made(self, change: _Change) -> InEffect:
        asked = change.terms.if_revision
        if asked is not None and asked != self.revision:
            raise LocalError(
                f"if_revision = {asked}: revision {self.revision} is in effect; read the settings again"
            )
        was_off = self.settings.effect == "off"
        wanted = change.apply(self.settings)
        if wanted != self.settings:
            self._swap(wanted, is_remembered=change.terms.is_remembered)
        if (not was_off or switches_effect(change.patch)) and hidden_by(wanted):
            raise ConfigError([_RAW_NOT_ALLOWED], "request")
        return self.in_effect

    def _swap(self, wanted: Settings, *, is_remembered: bool = True) -> None:
        candidate = self._candidate(wanted)
        try:
            look = self._prepare(wanted, self.revision + 1)
        except BaseException:
            self._discard(candidate)
            raise
        self._pipeline.swap(replace(look, finder=candidate.finder) if candidate else look)
        self._outlet.require(look.revision)
        self._outlet.hide(hidden_by(wanted))
        self._images.keep()
        if candidate and self._models:
            self._models.use(candidate)
        needed = restart_needed(self._started, wanted)
        self._in_effect, self.missing = InEffect(wanted, look.revision, needed, is_remembered), None
        self._retry_s = FIRST_RETRY_S

    def _candidate(self, wanted: Settings) -> Candidate | None:
        """Another model, ready to be used; None where it stays the same."""
        if self._models is None or wanted.model == self.settings.model:
            return None
        try:
            return self._models.prepare(wanted.model)
        except ModelError as error:
            key = "name" if wanted.model.name != self.settings.model.name else "form"
            allowed = ", ".join(self._models.offered) if key == "name" else "auto, or a form that it has"
            problem = Problem(f"model.{key}", getattr(wanted.model, key), str(error), allowed)
            raise ConfigError([problem], "request") from None

    def _discard(self, candidate: Candidate | None) -> None:
        if candidate and self._models:
            self._models.discard(candidate)

    def _prepare(self, wanted: Settings, revision: int) -> Look:
        """Everything that can fail or take long; nothing is touched."""
        loads = self._loads(wanted)
        if loads and self._is_overtaken():
            raise _superseded()
        url = image_url(wanted)
        look = make_look(wanted, self._pipeline.size, revision, self._image(url) if url else None)
        if loads and self._is_overtaken():
            raise _superseded()
        return look

    def _loads(self, wanted: Settings) -> bool:
        url = image_url(wanted)
        return url is not None and not self._images.has(url)

    def _image(self, url: str) -> Image:
        try:
            return self._images.get(url, self._is_overtaken)
        except ImageError as error:
            if self._is_overtaken():
                raise _superseded() from None
            key = "background_replacement.background_image_url"
            message = str(error).removeprefix(f"{shown(url)}: ")
            message = message.removeprefix(f"background_image_url = {shown(url)!r}: ")
            raise ConfigError([Problem(key, shown(url), message, FORMATS)], "request") from None

    def _is_overtaken(self) -> bool:
        return bool(self._waiting) or self._is_closed

    def _try_missing(self) -> None:
        """The image named at start, once more; black stands in for it meanwhile."""
        try:
            self._swap(self.settings, is_remembered=self._in_effect.is_remembered)
        except ScrimError as error:
            why = error.problems[0].message if isinstance(error, ConfigError) else str(error)
            if why != self.missing and not isinstance(error, SupersededError):
                logger.warning("background image: %s", why)
                self.missing = why
            self._next_try_s = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def _telling(self, error: ScrimError) -> ScrimError:
        """The error, with what stays in effect."""
        error.in_effect = answer_of(self.in_effect)
        return error


def answer_of(in_effect: InEffect) -> dict[str, Any]:
    """What an answer says of settings in effect."""
    return {
        "revision": in_effect.revision,
        "settings": in_effect.settings.without_secrets(),
        "restart_needed": list(in_effect.restart_needed),
    }


def hidden_by(settings: Settings) -> Reason | None:
    """Why these settings show no camera picture at all; None when they show one."""
    return Reason.EFFECT_OFF if settings.effect == "off" and not settings.privacy.allow_raw else None


def _result_of(error: ScrimError | None) -> Result:
    match error:
        case None:
            return "made"
        case ConfigError():
            return "refused"
        case SupersededError():
            return "superseded"
    return "failed"


def _superseded() -> SupersededError:
    return SupersededError("superseded by a later request; nothing of this one is in effect")


_RAW_NOT_ALLOWED = Problem(
    "effect",
    "off",
    "the raw picture is not allowed here, so the placeholder is shown",
    "blur, image or color; or privacy.allow_raw = true in the local settings file",
)

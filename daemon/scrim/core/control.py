"""The settings in effect, and the one way to change them."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from scrim.config import restart_needed
from scrim.core.changes import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    NO_TERMS,
    RAW_NOT_ALLOWED,
    RESULTS,
    Change,
    InEffect,
    Result,
    SupersededError,
    Terms,
    answer_of,
    hidden_by,
    result_of,
    superseded,
)
from scrim.core.images import Image, Images
from scrim.core.look import image_url, make_look
from scrim.core.models import Candidate, Models
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look, Pipeline
from scrim.core.privacy import SETTINGS_PARTY, Privacy, PrivacySwitch
from scrim.core.segment.model import NotFetchedError
from scrim.errors import ConfigError, ImageError, LocalError, ModelError, Problem, ScrimError
from scrim.image_header import FORMATS
from scrim.image_url import shown
from scrim.patch import switches_effect

if TYPE_CHECKING:
    from scrim.config import Settings

logger = logging.getLogger(__name__)

MAX_WAITING = 64
"""Changes that may wait for their turn."""

_IDLE_S = 0.5


class Control:
    """Changes settings whole or not at all. ``submit`` may be called from any thread, ``step`` from one.

    Changes are made one after the other, in the order in which they came. One whose image is still on its way
    gives way to any later one that is not refused: what came last wins, whatever arrives when. One whose
    model has to be fetched, which may take minutes, steps aside: others are made meanwhile, and it gives way
    only to what is said of the model later.

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
        settings: "Settings",
        pipeline: Pipeline,
        outlet: Outlet,
        images: Images | None = None,
        *,
        base: "Settings | None" = None,
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
        self._waiting: deque[Change] = deque()
        self._making: Change | None = None
        self._aside: Change | None = None
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
    def settings(self) -> "Settings":
        """In effect now."""
        return self._in_effect.settings

    @property
    def revision(self) -> int:
        """Counts up by one with each change."""
        return self._in_effect.revision

    def submit(self, patch: Mapping[str, Any], terms: Terms = NO_TERMS) -> "Future[InEffect]":
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

    def change(self, patch: Mapping[str, Any]) -> "Settings":
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
        elif self._models is not None and self._aside is None:
            self._models.fetch_awaited(self._awaited_is_here)
        if self._in_effect is not before:
            self.on_change(self._in_effect)

    def close(self) -> None:
        """Take no more changes; wake whoever waits."""
        with self._lock:
            self._is_closed = True
            waiting = [change for change in (self._aside, *self._waiting) if change]
            self._waiting, self._aside = deque(), None
            self._lock.notify_all()
        for change in waiting:
            change.answer.set_exception(self._telling(LocalError("scrim is stopping; nothing was changed")))

    def _submit(
        self, apply: "Callable[[Settings], Settings]", patch: Mapping[str, Any], terms: Terms = NO_TERMS
    ) -> "Future[InEffect]":
        try:
            return self._queued(apply, patch, terms)
        except ScrimError as error:
            self._count(error)
            raise self._telling(error) from None

    def _queued(
        self, apply: "Callable[[Settings], Settings]", patch: Mapping[str, Any], terms: Terms
    ) -> "Future[InEffect]":
        with self._lock:
            change = Change(apply, patch, apply(self._expected()), terms)
            if self._is_closed or len(self._waiting) >= MAX_WAITING:
                raise LocalError("set: too many changes wait already; try again in a second")
            self._waiting.append(change)
            self._heed_switch()
            self._lock.notify_all()
        return change.answer

    def _expected(self) -> "Settings":
        """The settings once everything on its way is done but what the next request would overtake."""
        on_its_way = [self._making, *self._waiting] if self._making else self._waiting
        settled = [
            change.wanted for change in on_its_way if not change.is_back and not self._loads(change.wanted)
        ]
        return settled[-1] if settled else self.settings

    def _next(self) -> Change | None:
        with self._lock:
            if not self._waiting and not self._is_closed:
                self._lock.wait(_IDLE_S)
            self._making = self._waiting.popleft() if self._waiting else None
            return self._making

    def _make(self, change: Change) -> None:
        try:
            made = self._made(change)
        except NotFetchedError as error:
            self._step_aside(change, error)
        except ScrimError as error:
            self._settle(error)
            change.answer.set_exception(self._telling(error))
        except Exception:
            logger.exception("settings: a change failed")
            unknown = LocalError("the change could not be made; the core's log has the details")
            self._settle(unknown)
            change.answer.set_exception(self._telling(unknown))
        else:
            if change.is_about_model and not change.is_back:
                self._give_up_aside()
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
            self.results[result_of(error)] += 1

    def _heed_switch(self) -> None:
        """Close the camera as soon as that is asked for: a change that waits for its turn counts already."""
        on_its_way = [change for change in (self._making, self._aside, *self._waiting) if change]
        wants_off = any(not change.wanted.camera.is_enabled for change in on_its_way)
        self._switch.set_private(wants_off or not self.settings.camera.is_enabled)

    def _made(self, change: Change) -> InEffect:
        asked = change.terms.if_revision
        if asked is not None and asked != self.revision:
            raise LocalError(
                f"if_revision = {asked}: revision {self.revision} is in effect; read the settings again"
            )
        was_off = self.settings.effect == "off"
        wanted = change.apply(self.settings)
        if wanted != self.settings or change.brings_model:
            self._swap(wanted, is_remembered=change.terms.is_remembered, brings_model=change.brings_model)
        if (not was_off or switches_effect(change.patch)) and hidden_by(wanted):
            raise ConfigError([RAW_NOT_ALLOWED], "request")
        return self.in_effect

    def _swap(self, wanted: "Settings", *, is_remembered: bool = True, brings_model: bool = False) -> None:
        is_other = wanted.model != self.settings.model
        candidate = self._candidate(wanted) if is_other or brings_model else None
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

    def _candidate(self, wanted: "Settings") -> Candidate | None:
        """Another model, ready to be used; None where it stays the same."""
        if self._models is None:
            return None
        try:
            return self._models.prepare(wanted.model)
        except NotFetchedError:
            raise
        except ModelError as error:
            raise self._models.refused(wanted.model, error) from None

    def _discard(self, candidate: Candidate | None) -> None:
        if candidate and self._models:
            self._models.discard(candidate)

    def _prepare(self, wanted: "Settings", revision: int) -> Look:
        """Everything that can fail or take long; nothing is touched."""
        loads = self._loads(wanted)
        if loads and self._is_overtaken():
            raise superseded()
        url = image_url(wanted)
        look = make_look(wanted, self._pipeline.size, revision, self._image(url) if url else None)
        if loads and self._is_overtaken():
            raise superseded()
        return look

    def _loads(self, wanted: "Settings") -> bool:
        url = image_url(wanted)
        return url is not None and not self._images.has(url)

    def _image(self, url: str) -> Image:
        try:
            return self._images.get(url, self._is_overtaken)
        except ImageError as error:
            if self._is_overtaken():
                raise superseded() from None
            key = "background_replacement.background_image_url"
            message = str(error).removeprefix(f"{shown(url)}: ")
            message = message.removeprefix(f"background_image_url = {shown(url)!r}: ")
            raise ConfigError([Problem(key, shown(url), message, FORMATS)], "request") from None

    def _is_overtaken(self) -> bool:
        return any(not change.is_back for change in self._waiting) or self._is_closed

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

    def _step_aside(self, change: Change, error: NotFetchedError) -> None:
        """Let others be made until the change's model has been fetched."""
        self._give_up_aside()
        with self._lock:
            self._making, self._aside = None, change
            self._heed_switch()
        if self._models is not None:
            self._models.fetch(error.specs, partial(self._fetched, change))

    def _fetched(self, change: Change, error: ModelError | None) -> None:
        """The files are here, or cannot be had; called in the thread that fetches."""
        refused = self._models.refused(change.wanted.model, error) if error and self._models else None
        with self._lock:
            if self._aside is not change:
                return
            self._aside = None
            if refused is None:
                self._queue_back(change)
            self._heed_switch()
        if refused is not None:
            self._count(refused)
            change.answer.set_exception(self._telling(refused))

    def _give_up_aside(self) -> None:
        """What was said of the model earlier gives way, whether it has been fetched meanwhile or not."""
        with self._lock:
            aside, self._aside = self._aside, None
            earlier = [change for change in self._waiting if change.is_back]
            self._waiting = deque(change for change in self._waiting if not change.is_back)
        if aside is not None:
            earlier.append(aside)
            if self._models is not None:
                self._models.give_up()
        for change in earlier:
            given_up = superseded()
            self._count(given_up)
            change.answer.set_exception(self._telling(given_up))

    def _awaited_is_here(self) -> None:
        """The settings' own model, in whose place another stood; called in the thread that fetches."""
        own = Change(lambda settings: settings, {"model": {}}, self.settings, brings_model=True)
        with self._lock:
            self._queue_back(own)

    def _queue_back(self, change: Change) -> None:
        change.is_back = True
        self._waiting.append(change)
        self._lock.notify_all()

    def _telling(self, error: ScrimError) -> ScrimError:
        """The error, with what stays in effect."""
        error.in_effect = answer_of(self.in_effect)
        return error

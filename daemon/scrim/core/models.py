"""The model in use, and how another takes its place between two frames."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scrim.core.finder import Checked, MaskFinder
from scrim.core.model_store import ModelStore
from scrim.core.pipeline import Pipeline
from scrim.core.segment.base import Segmenter
from scrim.core.segment.loading import LoadedModel, load_model, load_small_model, offered
from scrim.core.segment.model import ModelSpec, NotFetchedError
from scrim.errors import ConfigError, ModelError, Problem, SegmentError
from scrim.local.model_files import ANSWER_S, Progress

if TYPE_CHECKING:
    from scrim.config import ModelSettings, Settings

logger = logging.getLogger(__name__)

_FIRST_RETRY_S = 2.0
_LAST_RETRY_S = 60.0

Load = Callable[["ModelSettings"], LoadedModel]
"""Loads a model; raises ModelError."""


@dataclass(frozen=True, slots=True)
class FirstModel:
    """The model at start.

    Attributes:
        settings: what the settings say of the model from now on.
        in_use: what they would say of the one that is used.
        model: that one.
        awaited: the files that are missing of the settings' own; empty where that one is used.
    """

    settings: "ModelSettings"
    in_use: "ModelSettings"
    model: LoadedModel
    awaited: tuple[ModelSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is ready, in use or not yet.

    Attributes:
        settings: what asked for it.
        model: the model.
        finder: what the pipeline uses of it; None where the pipeline has no model.
    """

    settings: "ModelSettings"
    model: LoadedModel
    finder: MaskFinder | None


class Models:
    """Loads models aside, and lets go of the one before when no frame uses it any more.

    Used from one thread, but for ``current`` and the attributes.

    Args:
        first: the model that the pipeline was built with.
        pipeline: uses it.
        store: brings models that are given by URL; None where they cannot be had.
        also: files that are fetched for another model, at the next start.
        load: loads another.
        offer: says what may be chosen.

    Attributes:
        offered: names that may be chosen, as they were when a model was chosen last.
        missing: why a model that the settings name is not used yet; None where each is.
    """

    def __init__(
        self,
        first: FirstModel,
        pipeline: Pipeline,
        store: ModelStore | None = None,
        also: Sequence[ModelSpec] = (),
        load: Load = load_model,
        offer: Callable[[], tuple[str, ...]] = offered,
    ) -> None:
        self._pipeline = pipeline
        self._load = load
        self._offer = offer
        self._store = store
        self._in_use = Candidate(first.in_use, first.model, pipeline.finder)
        self._awaited = (*first.awaited, *also)
        self._next_try_s, self._pause_s = 0.0, _FIRST_RETRY_S
        self.missing = _why(self._awaited)
        self._retired: list[tuple[LoadedModel, int]] = []
        self.offered = offer()

    @property
    def current(self) -> LoadedModel:
        """The model in use."""
        return self._in_use.model

    def prepare(self, wanted: "ModelSettings") -> Candidate:
        """The model that is wanted: the one in use, or another, loaded and tried on an empty picture.

        Raises:
            ModelError: it cannot be used; nothing is changed.
        """
        if wanted == self._in_use.settings:
            return self._in_use
        self.offered = self._offer()
        model = self._load(wanted)
        try:
            _try(model)
            finder = MaskFinder(self._pipeline.size, model.segmenter, self._pipeline.clock)
            return Candidate(wanted, model, finder)
        except BaseException:
            model.segmenter.close()
            raise

    def refused(self, wanted: "ModelSettings", error: ModelError) -> ConfigError:
        """What to answer of a model that cannot be used: which key, which value, and what would be right."""
        is_form = wanted.name == self._in_use.settings.name
        key, value = ("form", wanted.form) if is_form else ("name", wanted.name)
        allowed = "auto, or a form that it has" if is_form else ", ".join(self.offered)
        return ConfigError([Problem(f"model.{key}", value, str(error), allowed)], "request")

    def discard(self, candidate: Candidate) -> None:
        """Let a model go that is not to be used after all; the one in use stays."""
        if candidate is not self._in_use:
            candidate.model.segmenter.close()

    def use(self, candidate: Candidate) -> None:
        """The pipeline was given this one; the one before is let go of when no frame uses it any more."""
        self._awaited, self.missing = (), None
        if candidate is self._in_use:
            return
        self._retired.append((self._in_use.model, self._pipeline.begun))
        self._in_use = candidate
        spec = candidate.model.spec
        logger.info("model: %s, %s", spec.name, spec.form)
        self.step()

    @property
    def fetching(self) -> tuple[ModelSpec, Progress] | None:
        """What is being fetched, and how far it is; None where nothing is."""
        return self._store.fetching if self._store is not None else None

    def fetch(
        self, specs: Sequence[ModelSpec], done: Callable[[ModelError | None], None], patience_s: float = 0.0
    ) -> None:
        """Begin to fetch the files of these models; see :meth:`ModelStore.want`.

        Args:
            specs: of the models.
            done: is told when they are there, or why they are not.
            patience_s: so long nothing that is awaited is tried for.
        """
        self._next_try_s = time.monotonic() + patience_s + self._pause_s
        if self._store is None:
            done(NotFetchedError(specs))
        else:
            self._store.want(specs, done)

    def give_up(self) -> None:
        """What is being fetched is not wanted any more."""
        if self._store is not None:
            self._store.give_up()

    def fetch_awaited(self, here: Callable[[], None]) -> None:
        """Try for the settings' own model, if another stands in for it and it is time.

        Args:
            here: is called when its files are there, in the thread that fetches.
        """
        if not self._awaited or time.monotonic() < self._next_try_s:
            return

        def done(error: ModelError | None) -> None:
            if error is None:
                here()
            else:
                self._note_missing(error)

        self.fetch(self._awaited, done, ANSWER_S)

    def _note_missing(self, error: ModelError) -> None:
        self._next_try_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LAST_RETRY_S)
        if str(error) != self.missing:
            logger.warning("%s; another model stands in", error)
            self.missing = str(error)

    def step(self) -> None:
        """Let go of what no frame uses any more."""
        ended = self._pipeline.ended
        done = [model for model, begun in self._retired if begun <= ended]
        self._retired = [(model, begun) for model, begun in self._retired if begun > ended]
        for model in done:
            model.segmenter.close()
        if done and self.current.delegated is not None:
            self.current.delegated.retry()

    def close(self) -> None:
        """Let everything go; the pipeline has ended."""
        for model, _ in self._retired:
            model.segmenter.close()
        self._retired = []
        self.current.segmenter.close()


def first_model(wanted: "ModelSettings", base: "ModelSettings", load: Load = load_model) -> FirstModel:
    """The model to start with.

    One that was chosen at run time and cannot be used any more gives way to the settings file's. For one that
    has yet to be fetched another stands in: the settings file's, or the default.

    Args:
        wanted: as remembered.
        base: as the settings file has it.
        load: loads a model.

    Raises:
        ModelError: none of them can be used.
    """
    try:
        return FirstModel(wanted, wanted, load(wanted))
    except NotFetchedError as error:
        logger.warning("%s; another model stands in", error)
        return _standing_in(wanted, base, load, error)
    except ModelError as error:
        if wanted == base:
            raise
        logger.warning("%s; the settings file's model is used instead", error)
        return first_model(base, base, load)


def first_small_model(settings: "Settings") -> tuple[Segmenter | None, tuple[ModelSpec, ...]]:
    """The smaller model of the budget, where one is configured and here; and what files are missing of it.

    Raises:
        ModelError: it cannot be used.
    """
    try:
        return load_small_model(settings), ()
    except NotFetchedError as error:
        logger.warning("%s; the smaller model is used when the core is started after that", error)
        return None, error.specs


def _standing_in(
    wanted: "ModelSettings", base: "ModelSettings", load: Load, why: NotFetchedError
) -> FirstModel:
    if base != wanted:
        try:
            return FirstModel(wanted, base, load(base), why.specs)
        except ModelError as error:
            logger.warning("%s", error)
    from scrim.config import ModelSettings

    default = base.model_copy(update={"name": ModelSettings().name, "form": "auto"})
    return FirstModel(wanted, default, load(default), why.specs)


def _why(awaited: Sequence[ModelSpec]) -> str | None:
    return str(NotFetchedError(awaited)) if awaited else None


def _try(model: LoadedModel) -> None:
    width, height = model.segmenter.input_size
    try:
        Checked(model.segmenter).segment(np.full((height, width, 3), 128, np.uint8))
    except SegmentError as error:
        raise ModelError(f"model {model.spec.path}: does not work: {error}") from error

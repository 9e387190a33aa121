"""The model in use, and how another takes its place between two frames."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scrim.config import ModelSettings
from scrim.core.finder import Checked, MaskFinder
from scrim.core.pipeline import Pipeline
from scrim.core.segment.loading import LoadedModel, load_model, offered
from scrim.errors import ModelError, SegmentError

logger = logging.getLogger(__name__)

Load = Callable[[ModelSettings], LoadedModel]
"""Loads a model; raises ModelError."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is ready, in use or not yet.

    Attributes:
        settings: what asked for it.
        model: the model.
        finder: what the pipeline uses of it; None where the pipeline has no model.
    """

    settings: ModelSettings
    model: LoadedModel
    finder: MaskFinder | None


class Models:
    """Loads models aside, and lets go of the one before when no frame uses it any more.

    Used from one thread, but for ``current`` and ``offered``.

    Args:
        settings: what asked for ``model``.
        model: that the pipeline was built with.
        pipeline: uses it.
        load: loads another.
        offer: says what may be chosen.

    Attributes:
        offered: names that may be chosen, as they were when a model was chosen last.
    """

    def __init__(
        self,
        settings: ModelSettings,
        model: LoadedModel,
        pipeline: Pipeline,
        load: Load = load_model,
        offer: Callable[[], tuple[str, ...]] = offered,
    ) -> None:
        self._pipeline = pipeline
        self._load = load
        self._offer = offer
        self._in_use = Candidate(settings, model, pipeline.finder)
        self._retired: list[tuple[LoadedModel, int]] = []
        self.offered = offer()

    @property
    def current(self) -> LoadedModel:
        """The model in use."""
        return self._in_use.model

    def prepare(self, wanted: ModelSettings) -> Candidate:
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

    def discard(self, candidate: Candidate) -> None:
        """Let a model go that is not to be used after all; the one in use stays."""
        if candidate is not self._in_use:
            candidate.model.segmenter.close()

    def use(self, candidate: Candidate) -> None:
        """The pipeline was given this one; the one before is let go of when no frame uses it any more."""
        if candidate is self._in_use:
            return
        self._retired.append((self._in_use.model, self._pipeline.begun))
        self._in_use = candidate
        spec = candidate.model.spec
        logger.info("model: %s, %s", spec.name, spec.form)
        self.step()

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


def first_model(
    wanted: ModelSettings, base: ModelSettings, load: Load = load_model
) -> tuple[ModelSettings, LoadedModel]:
    """The model to start with, and the settings it goes with: one chosen at run time may be gone since.

    Args:
        wanted: as remembered.
        base: as the settings file has it.
        load: loads a model.

    Raises:
        ModelError: that of the settings file cannot be used.
    """
    try:
        return wanted, load(wanted)
    except ModelError as error:
        if wanted == base:
            raise
        logger.warning("%s; the settings file's model is used instead", error)
        return base, load(base)


def _try(model: LoadedModel) -> None:
    width, height = model.segmenter.input_size
    try:
        Checked(model.segmenter).segment(np.full((height, width, 3), 128, np.uint8))
    except SegmentError as error:
        raise ModelError(f"model {model.spec.path}: does not work: {error}") from error

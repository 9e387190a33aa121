"""From the settings' model name to a segmenter that is ready."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scrim.config import ModelSettings, Settings
from scrim.core.segment.form import choose_form
from scrim.core.segment.model import Form, ModelSpec, catalogue, models_folder
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.errors import ModelError
from scrim.places import state_folder


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in use.

    Attributes:
        segmenter: ready.
        spec: what it is.
        threads: inference threads.
        loading_ms: time until it was ready.
        timings_ms: form to milliseconds per inference, where the forms were timed.
    """

    segmenter: TFLiteSegmenter
    spec: ModelSpec
    threads: int
    loading_ms: float
    timings_ms: Mapping[Form, float] = field(default_factory=dict)

    @property
    def runtime(self) -> str:
        """What runs it, such as ``ai-edge-litert 2.3.0``."""
        return str(self.segmenter.runtime)


def load_model(settings: ModelSettings, folder: Path | None = None) -> LoadedModel:
    """Find, check and load the model of the settings.

    Args:
        settings: name, form and threads.
        folder: where models lie; None means ``$SCRIM_MODELS`` if set, else where scrim's own are installed.

    Raises:
        ModelError: no such model or form, or the file is not what its TOML says.
    """
    begin_s = time.perf_counter()
    forms = _forms(settings.name, folder or default_folder())
    threads = settings.threads or default_threads()
    if settings.form != "auto":
        spec = forms.get(settings.form)
        if spec is None:
            form, allowed = settings.form, ", ".join(forms)
            raise ModelError(f"model.form = {form}: {settings.name} has no such form; allowed is {allowed}")
        return _loaded(spec, threads, begin_s, {})
    choice = choose_form(forms, threads, timings_file())
    return _loaded(choice.spec, threads, begin_s, choice.timings_ms)


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where models lie: a folder of one's own named in the environment, or scrim's."""
    named = environment.get("SCRIM_MODELS")
    return Path(named) if named else models_folder()


def _loaded(spec: ModelSpec, threads: int, begin_s: float, timings_ms: Mapping[Form, float]) -> LoadedModel:
    segmenter = TFLiteSegmenter(spec, threads)
    return LoadedModel(segmenter, spec, threads, (time.perf_counter() - begin_s) * 1000, timings_ms)


def load_small_model(settings: Settings) -> TFLiteSegmenter | None:
    """The cheaper model that may stand in when time is short; None when none is configured.

    Raises:
        ModelError: as ``load_model``.
    """
    name = settings.budget.small_model
    if name is None or not settings.budget.is_adaptive or name == settings.model.name:
        return None
    return load_model(settings.model.model_copy(update={"name": name})).segmenter


def default_threads() -> int:
    """One fewer than the processor has cores: with every core taken, inference collapses under other load."""
    return max(1, (os.cpu_count() or 1) - 1)


def timings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the timings of model forms are remembered: in :func:`scrim.places.state_folder`."""
    return state_folder(environment) / "model-timings.json"


def _forms(name: str, folder: Path) -> dict[Form, ModelSpec]:
    models = catalogue(folder)
    if name not in models:
        allowed = ", ".join(sorted(models)) or "nothing: the folder is empty"
        raise ModelError(f"model.name = {name}: not in {folder}; allowed is {allowed}")
    return models[name]

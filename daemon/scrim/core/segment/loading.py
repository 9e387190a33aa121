"""From the settings' model name to a segmenter that is ready."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scrim.core.segment.adaptive import AdaptiveSegmenter, ThreadChoice
from scrim.core.segment.base import Segmenter
from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.constant import ConstantSegmenter
from scrim.core.segment.delegate_process import START_S, DelegateProcess
from scrim.core.segment.delegated import Delegated
from scrim.core.segment.form import choose_form
from scrim.core.segment.model import Form, ModelSpec, models_folder
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.errors import ModelError
from scrim.places import state_folder

if TYPE_CHECKING:
    from scrim.config import ModelSettings, Settings

logger = logging.getLogger(__name__)

EDGE_TPU = "edgetpu"
_EDGE_TPU_LIBRARY = "libedgetpu.so.1"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in use.

    Attributes:
        segmenter: ready.
        spec: what it is, on the CPU.
        threads: inference threads.
        loading_ms: time until it was ready.
        runtime: what runs it, such as ``ai-edge-litert 2.3.0``.
        timings_ms: form to milliseconds per inference, where the forms were timed.
        delegated: the segmenter, where a delegate is configured.
    """

    segmenter: Segmenter
    spec: ModelSpec
    threads: int
    loading_ms: float
    runtime: str
    timings_ms: Mapping[Form, float] = field(default_factory=dict)
    delegated: Delegated | None = None

    @property
    def delegate(self) -> str:
        """What does the inference at this moment: ``cpu``, or the delegate."""
        return self.delegated.name if self.delegated is not None and self.delegated.is_active else "cpu"

    @property
    def delegate_error(self) -> str | None:
        """Why that is not the delegate that was asked for."""
        return None if self.delegated is None else self.delegated.lost_because

    def require_delegate(self) -> None:
        """Wait for the delegate, if one is configured; for figures that shall be its own.

        Raises:
            ModelError: it does not start.
        """
        if self.delegated is not None:
            self.delegated.wait(START_S)


def load_model(settings: "ModelSettings", folder: Path | None = None) -> LoadedModel:
    """Find, check and load the model of the settings.

    Args:
        settings: name, form and threads.
        folder: where models lie; None means ``$SCRIM_MODELS`` if set, else where scrim's own are installed.

    Raises:
        NotFetchedError: its file has yet to be fetched.
        ModelError: no such model or form, or the file is not what its TOML says.
    """
    begin_s = time.perf_counter()
    models = Catalogue(folder or default_folder())
    threads = settings.threads or default_threads()
    if settings.form == "auto":
        loaded = _fastest(models, settings.name, threads, begin_s)
    else:
        loaded = _loaded(models.form(settings.name, settings.form), threads, begin_s, {})
    if settings.delegate is None:
        return loaded
    return _delegated(loaded, settings.delegate, models[settings.name])


def load_adaptive(settings: "ModelSettings", folder: Path | None = None) -> LoadedModel:
    """As ``load_model``, for a core: one thread runs the model while the machine is busy."""
    loaded = load_model(settings, folder)
    if loaded.threads <= 1 or loaded.delegated is not None:
        return loaded
    choice = ThreadChoice(best_ms=loaded.timings_ms.get(loaded.spec.form, float("inf")))
    segmenter = AdaptiveSegmenter(loaded.segmenter, lambda: TFLiteSegmenter(loaded.spec, 1), choice)
    return replace(loaded, segmenter=segmenter)


def load_nothing(settings: "ModelSettings", folder: Path | None = None) -> LoadedModel:
    """A stand-in for a model, without its file and without the runtime: all it sees is room.

    Args:
        settings: name.
        folder: as for ``load_model``.

    Raises:
        ModelError: no such model.
    """
    spec = next(iter(Catalogue(folder or default_folder()).known(settings.name).values()))
    return LoadedModel(ConstantSegmenter(0, spec.input.size), spec, 1, 0.0, "none")


def offered(folder: Path | None = None) -> tuple[str, ...]:
    """The names of the models that may be chosen, some of whose files may be broken; see ``load_model``."""
    try:
        return tuple(sorted(Catalogue(folder or default_folder())))
    except ModelError:
        return ()


def _fastest(models: Catalogue, name: str, threads: int, begin_s: float) -> LoadedModel:
    forms, faults = models.usable(name)
    for fault in faults:
        logger.warning("%s; its other forms are used", fault)
    choice = choose_form(forms, threads, timings_file())
    return _loaded(choice.spec, threads, begin_s, choice.timings_ms)


def _sizes(spec: ModelSpec) -> tuple[tuple[int, int], int, int]:
    return spec.input.size, spec.output.width, spec.output.height


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where models lie: a folder of one's own named in the environment, or scrim's."""
    named = environment.get("SCRIM_MODELS")
    return Path(named) if named else models_folder()


def _loaded(spec: ModelSpec, threads: int, begin_s: float, timings_ms: Mapping[Form, float]) -> LoadedModel:
    segmenter = TFLiteSegmenter(spec, threads)
    loading_ms = (time.perf_counter() - begin_s) * 1000
    return LoadedModel(segmenter, spec, threads, loading_ms, str(segmenter.runtime), timings_ms)


def _delegated(loaded: LoadedModel, delegate: str, forms: Mapping[Form, ModelSpec]) -> LoadedModel:
    """The same with a delegate, which is started meanwhile."""

    def start() -> Segmenter:
        return start_delegate(delegate, forms, loaded.spec, loaded.threads)

    delegated = Delegated(delegate, loaded.segmenter, start)
    return replace(loaded, segmenter=delegated, delegated=delegated)


def start_delegate(
    delegate: str, forms: Mapping[Form, ModelSpec], on_cpu: ModelSpec, threads: int
) -> DelegateProcess:
    """Load the form of the model that suits a delegate, in a process of its own.

    Args:
        delegate: ``edgetpu``, or the path of a library.
        forms: of the model.
        on_cpu: the one the CPU would run; any delegate but the Edge TPU runs the same.
        threads: for what the delegate leaves to the CPU.

    Raises:
        ModelError: there is no such form, or the delegate does not load it.
    """
    spec = forms.get("edgetpu") if delegate == EDGE_TPU else on_cpu
    if spec is None:
        raise ModelError(
            f"model.delegate = {delegate}: {on_cpu.name} has no form compiled for it; scripts/build-model"
            " --edgetpu makes one where edgetpu_compiler is installed"
        )
    if _sizes(spec) != _sizes(on_cpu):
        raise ModelError(f"model {spec.path}: picture or mask has another size than that of {on_cpu.path}")
    return DelegateProcess(spec, threads, _EDGE_TPU_LIBRARY if delegate == EDGE_TPU else delegate)


def load_small_model(settings: "Settings") -> Segmenter | None:
    """The cheaper model that may stand in when time is short; None when none is configured.

    Raises:
        ModelError: as ``load_model``.
    """
    name = settings.budget.small_model
    if name is None or not settings.budget.is_adaptive or name == settings.model.name:
        return None
    return load_model(settings.model.model_copy(update={"name": name, "delegate": None})).segmenter


def default_threads() -> int:
    """One fewer than the processor has cores: with every core taken, inference collapses under other load."""
    return max(1, (os.cpu_count() or 1) - 1)


def timings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the timings of model forms are remembered: in :func:`scrim.places.state_folder`."""
    return state_folder(environment) / "model-timings.json"

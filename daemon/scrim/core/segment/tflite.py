"""TensorFlow Lite models: one segmenter over both runtimes, LiteRT and tflite-runtime.

A delegate's library may abort the process it is loaded into, so the daemon does not call this with
``delegate`` in its own process; everything the constructor takes can be sent to a child.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any, Protocol

import numpy as np

from scrim.core.segment.codec import MaskReader, Tensor, make_feed
from scrim.core.segment.model import ModelSpec, read_model
from scrim.core.segment.tensors import TensorInfo, check_tensors
from scrim.errors import ModelError, SegmentError
from scrim.frame import Mask, Plane

_RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)
"""Package and module, in the order of preference."""


_DELEGATE_ENTRIES = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")


class Interpreter(Protocol):
    """What both runtimes' ``Interpreter`` have in common, as far as it is used."""

    def allocate_tensors(self) -> None:
        """Get ready to run."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Name, index, shape, dtype and quantisation of each input."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """The same of each output."""

    def tensor(self, index: int) -> Callable[[], Tensor]:
        """A function that gives a view into a tensor; no view may be alive during ``invoke``."""

    def invoke(self) -> None:
        """Run the model once."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """An installed inference runtime.

    Attributes:
        package: what pip calls it.
        version: its version.
        module: its interpreter module, with ``Interpreter`` and ``load_delegate``.
    """

    package: str
    version: str
    module: Any

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


def find_runtime() -> Runtime:
    """The inference runtime to use: LiteRT where it is installed, else tflite-runtime.

    Raises:
        ModelError: neither can be imported; the text says what to install.
    """
    reasons = []
    for package, module in _RUNTIMES:
        try:
            return Runtime(package, metadata.version(package), import_module(module))
        except (ImportError, AttributeError) as error:
            # tflite-runtime beside NumPy 2 fails with an AttributeError.
            reasons.append(f"{package}: {error}")
    raise ModelError(
        f"no inference runtime ({'; '.join(reasons)}). Install one of them:"
        " pip install 'ai-edge-litert>=2.1,<3', or pip install tflite-runtime==2.14.0 'numpy<2'"
    )


class TFLiteSegmenter:
    """Runs a .tflite model.

    Args:
        spec: the model.
        threads: how many may compute, at least 1; more than there are free cores is far slower than 1.
        delegate: path of an external delegate's library, such as ``libedgetpu.so.1``; None means the CPU.

    Raises:
        ModelError: no runtime is installed, the file is not what ``spec`` says, the runtime cannot run it, or
            the delegate cannot be loaded or refuses the model.
    """

    def __init__(self, spec: ModelSpec, threads: int = 1, delegate: str | None = None) -> None:
        self.spec = spec
        self.runtime = find_runtime()
        self._shape = (spec.input.height, spec.input.width, spec.input.channels)
        self._delegate = None if delegate is None else _load_delegate(self.runtime, delegate)
        self._interpreter: Interpreter | None = self._open(threads, delegate)
        given = self._interpreter.get_input_details()
        taken = self._interpreter.get_output_details()
        self._connect(given, taken)

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self.spec.input.size

    def segment(self, rgb: Plane) -> Mask:
        """Find the person; see :class:`scrim.core.segment.base.Segmenter`."""
        if self._interpreter is None:
            raise SegmentError(f"model {self.spec.name} is closed")
        if rgb.shape != self._shape or rgb.dtype != np.uint8:
            raise SegmentError(
                f"model {self.spec.name}: got a picture {rgb.shape} {rgb.dtype}, wants {self._shape} uint8"
            )
        # Each view is gone at the end of its statement: the runtime refuses to run while one is alive.
        self._feed(rgb, self._input())
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise SegmentError(f"model {self.spec.name}: {error}") from error
        if not self._reader.read(self._output()):
            raise SegmentError(f"model {self.spec.name}: answered with NaN or infinity")
        return self._reader.mask

    def run(self) -> None:
        """Run the model on whatever its input holds, and leave the answer; for figures of the runtime alone.

        Raises:
            SegmentError: it is closed.
        """
        if self._interpreter is None:
            raise SegmentError(f"model {self.spec.name} is closed")
        self._interpreter.invoke()

    def close(self) -> None:
        """Let the model go, and then the delegate: the other way round the runtime crashes."""
        self._interpreter = None
        self._input = self._output = _nothing
        self._delegate = None

    def _open(self, threads: int, delegate: str | None) -> Interpreter:
        if self.spec.form == "edgetpu" and delegate is None:
            raise ModelError(f"model {self.spec.path}: is compiled for the Edge TPU; a delegate is needed")
        delegates = None if self._delegate is None else [self._delegate]
        data = read_model(self.spec)
        try:
            interpreter: Interpreter = self.runtime.module.Interpreter(
                model_content=data, num_threads=max(1, threads), experimental_delegates=delegates
            )
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            on = f" with delegate {delegate}" if delegate else ""
            raise ModelError(f"model {self.spec.path}: {self.runtime} cannot run it{on}: {error}") from error
        return interpreter

    def _connect(self, given: list[dict[str, Any]], taken: list[dict[str, Any]]) -> None:
        if self._interpreter is None or len(given) != 1 or len(taken) != 1:
            raise ModelError(
                f"model {self.spec.path}: has {len(given)} inputs and {len(taken)} outputs, wants one of each"
            )
        input_info, output_info = _tensor_info(given[0]), _tensor_info(taken[0])
        check_tensors(self.spec, input_info, output_info)
        self._feed = make_feed(self.spec.input, input_info)
        self._reader = MaskReader(self.spec.output, output_info)
        self._input = self._interpreter.tensor(given[0]["index"])
        self._output = self._interpreter.tensor(taken[0]["index"])


def _nothing() -> Tensor:
    """Stands for a tensor once the interpreter is gone."""
    raise SegmentError("the model is closed")


def _tensor_info(details: dict[str, Any]) -> TensorInfo:
    scale, zero_point = details["quantization"]
    shape = tuple(int(side) for side in details["shape"])
    return TensorInfo(details["name"], shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))


def _load_delegate(runtime: Runtime, path: str) -> object:
    """Load an external delegate.

    Raises:
        ModelError: with what the runtime's own exception means.
    """
    import ctypes

    try:
        # The runtime's own check leaves a half-made object behind that complains when it is collected.
        library = ctypes.CDLL(path)
        for entry in _DELEGATE_ENTRIES:
            getattr(library, entry)
        delegate: object = runtime.module.load_delegate(path)
    except OSError as error:
        raise ModelError(f"delegate = {path}: the library cannot be loaded: {error}") from error
    except AttributeError as error:
        raise ModelError(
            f"delegate = {path}: the library is not a TensorFlow Lite delegate: {error}"
        ) from error
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip() or "no reason given"
        raise ModelError(
            f"delegate = {path}: found no device, or does not fit {runtime}: {reason}. Is the accelerator"
            " plugged in, and may this user open it?"
        ) from error
    return delegate

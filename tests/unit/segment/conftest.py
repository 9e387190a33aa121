"""Tiny models made on the spot: one 1x1 convolution whose weights a test chooses."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TOML = """\
name = "tiny"
form = "{form}"
file = "{file}"
sha256 = "{sha256}"
licence = "Apache-2.0"
origin = "made by a test"

[input]
width = 6
height = 4
channels = 3
range = [0.0, 1.0]
dtype = "{dtype}"

[output]
{output}
"""

TinyModel = Callable[..., Path]


@pytest.fixture(scope="session")
def delegate_library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A delegate that works, and misbehaves as the file named in ``SCRIM_TEST_DELEGATE`` says."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to make a delegate with")
    library = tmp_path_factory.mktemp("delegate") / "libdelegate.so"
    source = Path(__file__).with_name("delegate.c")
    command = [compiler, "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(command, check=True, timeout=600)
    return str(library)


@pytest.fixture
def delegate(delegate_library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "TestDelegate":
    """The same, told by ``order`` what to do from now on."""
    monkeypatch.setenv("SCRIM_TEST_DELEGATE", str(tmp_path / "order"))
    return TestDelegate(delegate_library, tmp_path / "order")


class TestDelegate:
    """The library's path, and a way to tell it what to do; see delegate.c."""

    __test__ = False

    def __init__(self, library: str, orders: Path) -> None:
        self.library = library
        self._orders = orders

    def order(self, what: str) -> None:
        self._orders.write_text(what)


@pytest.fixture(scope="session")
def model_build() -> None:
    """Makes scripts/model_build importable."""
    pytest.importorskip(
        "ai_edge_litert.schema_py_generated", reason="models are made with LiteRT's schema module"
    )
    sys.path.insert(0, str(REPOSITORY / "scripts"))


@pytest.fixture
def tiny_model(tmp_path: Path, model_build: None) -> TinyModel:
    """Writes a 6x4 model and its TOML; the output is weights @ rgb + bias, rgb in 0..1, at every pixel."""

    def write(
        weights: Sequence[Sequence[float]],
        bias: Sequence[float],
        output: str,
        ranges: dict[str, tuple[float, int]] | None = None,
        form: str = "float16",
    ) -> Path:
        data = convolution(np.array(weights, np.float32), np.array(bias, np.float32), ranges)
        file = tmp_path / f"tiny-{form}.tflite"
        file.write_bytes(data)
        toml = file.with_suffix(".toml")
        dtype = "int8" if ranges else "float32"
        sha256 = hashlib.sha256(data).hexdigest()
        toml.write_text(TOML.format(form=form, file=file.name, sha256=sha256, dtype=dtype, output=output))
        return toml

    return write


def convolution(
    weights: np.ndarray,
    bias: np.ndarray,
    ranges: dict[str, tuple[float, int]] | None,
    size: tuple[int, int] = (6, 4),
) -> bytes:
    """The bytes of a model of one 1x1 convolution, float32, or int8 where ranges are given."""
    from model_build.convert import plain_convolution_options
    from model_build.graph import Graph, empty_model
    from model_build.quantize import quantized

    width, height = size
    graph = Graph(empty_model())
    graph.input_tensor = graph.add_tensor("image", [1, height, width, 3])
    graph.output_tensor = graph.add_tensor("answer", [1, height, width, len(bias)])
    weights_at = graph.add_constant("w", weights.reshape(len(bias), 1, 1, 3))
    inputs = [graph.input_tensor, weights_at, graph.add_constant("b", bias)]
    graph.prepend([graph.new_operator("CONV_2D", inputs, [graph.output_tensor], plain_convolution_options())])
    return (quantized(graph, ranges) if ranges else graph).packed()

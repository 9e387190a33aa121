"""Which models there are, and from what each is made."""

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model_build import convert
from model_build.edgetpu import to_edgetpu_operators
from model_build.errors import BuildError
from model_build.graph import Graph
from model_build.hard_swish import expand_hard_swish
from model_build.originals import GENERAL, LANDSCAPE, Original
from model_build.quantize import quantized, read_ranges
from model_build.resize import resized
from model_build.spec import Described

SIZES: dict[tuple[int, int], Original] = {
    (192, 112): LANDSCAPE,
    (256, 144): LANDSCAPE,
    (320, 176): GENERAL,
    (384, 208): GENERAL,
}
"""(width, height) to the weights that do best there."""

SUFFIX_OF_FORM = {"float16": "f16", "int8": "int8", "tpu-int8": "tpu-int8"}
_RANGES_OF_WEIGHTS = {LANDSCAPE: "land", GENERAL: "general"}


@dataclass(frozen=True, slots=True)
class Built:
    """One finished model.

    Attributes:
        described: what its TOML says.
        data: the bytes of the .tflite file.
    """

    described: Described
    data: bytes


def build_all(read: Callable[[Original], bytes], ranges: Path) -> Iterator[Built]:
    """Make every shipped model, one after the other.

    Args:
        read: gives the bytes of one of the wheel's files.
        ranges: folder of the recorded ranges.

    Raises:
        BuildError: something is not as this was written for.
    """
    kitchen = _Kitchen(read, ranges)
    for size, original in SIZES.items():
        for form, suffix in SUFFIX_OF_FORM.items():
            data = kitchen.graph(original, form, size).packed()
            file = f"person-{size[0]}x{size[1]}-{suffix}.tflite"
            sha256 = hashlib.sha256(data).hexdigest()
            yield Built(Described(size, form, file, sha256, original.file, original.sha256), data)


class _Kitchen:
    """Keeps each converted graph, so that the sizes of one set of weights share it."""

    def __init__(self, read: Callable[[Original], bytes], ranges: Path) -> None:
        self._read = read
        self._ranges = ranges
        self.converted = functools.cache(self._converted)

    def graph(self, original: Original, form: str, size: tuple[int, int]) -> Graph:
        graph = resized(self.converted(original, form), *size)
        if form == "float16":
            convert.store_half(graph)
            return graph
        target = "tpu" if form == "tpu-int8" else "cpu"
        ranges = read_ranges(self._ranges / f"{_RANGES_OF_WEIGHTS[original]}-{target}.json")
        return quantized(graph, ranges)

    def _converted(self, original: Original, form: str) -> Graph:
        graph = convert.to_standard_float(self._read(original))
        if form != "float16":
            expand_hard_swish(graph)
        convert.global_pool_as_mean(graph)
        convert.head_as_blocks(graph)
        if form == "tpu-int8":
            to_edgetpu_operators(graph)
        return convert.finish(graph)


def check(built: Built, sums: dict[str, str]) -> None:
    """Compare a model with the recorded sums.

    Args:
        built: the model.
        sums: file name to sha256.

    Raises:
        BuildError: it is another, or not recorded.
    """
    file, found = built.described.file, built.described.sha256
    expected = sums.get(file)
    if expected is None:
        raise BuildError(f"{file}: not in SHA256SUMS")
    if found != expected:
        raise BuildError(f"{file}: built with sha256 {found}, SHA256SUMS says {expected}")


def read_sums(path: Path) -> dict[str, str]:
    """Read a SHA256SUMS file as sha256sum writes it: file name to hash.

    Raises:
        BuildError: it cannot be read.
    """
    try:
        lines = path.read_text().splitlines()
        return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines if line)}
    except (OSError, ValueError) as error:
        raise BuildError(f"{path}: not a list of sha256 sums: {error}") from error


def format_sums(models: list[Built]) -> str:
    """The text of a SHA256SUMS file."""
    lines = sorted((built.described.file, built.described.sha256) for built in models)
    return "".join(f"{digest}  {file}\n" for file, digest in lines)

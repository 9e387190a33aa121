"""What a model is: a .tflite file and the TOML beside it, read and checked against its hash."""

import os
import re
import string
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from scrim.core.segment.toml_table import TomlTable
from scrim.digest import sha256_hex
from scrim.errors import ModelError, Problem
from scrim.frame import MAX_SIDE_PX
from scrim.places import state_folder

Form = Literal["int8", "float16", "float32", "tpu-int8", "edgetpu"]
"""How the weights are stored and what the graph is made for.

``float16`` is stored in half floats and computed in float32. ``tpu-int8`` holds only operators an Edge TPU
maps, and runs on a CPU as well; ``edgetpu`` is that, compiled, and needs the delegate.
"""

OutputKind = Literal["alpha", "logits", "softmax", "classes"]
"""What the output's numbers mean; see :class:`OutputSpec`."""

Dtype = Literal["float32", "int8", "uint8", "int32", "int64"]
"""Element type of a tensor."""

FORMS: tuple[Form, ...] = get_args(Form)
CPU_FORMS: tuple[Form, ...] = ("int8", "float16", "float32")
"""The forms among which ``form = "auto"`` chooses."""

MOST_MODEL_BYTES = 64 * 1024 * 1024
"""No model's file is larger."""

_FOLDERS = (
    Path(__file__).parents[4] / "models",
    Path(sys.prefix) / "share/scrim/models",
    Path("/usr/share/scrim/models"),
)
_MOST_TOML_BYTES = 64 * 1024
_MOST_CHANNELS = 1024
_MOST_BLOCK = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256_DIGITS = 64
_BYTE_DTYPES = ("float32", "int8", "uint8")


class SpecError(ModelError):
    """A model's TOML is wrong, or its file is not what the TOML says. ``problems`` lists everything."""

    def __init__(self, problems: Iterable[Problem], where: str) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        super().__init__("\n  ".join([f"model {where}: {count}", *map(str, self.problems)]))


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The picture a model wants, tensor shape (1, height, width, channels).

    Attributes:
        width: pixels.
        height: pixels.
        channels: 3, RGB.
        range: (low, high), the real numbers that bytes 0 and 255 become.
        dtype: float32, int8 or uint8; an integer tensor's scale and zero point stand in the file.
    """

    width: int
    height: int
    channels: int
    range: tuple[float, float]
    dtype: Dtype

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """The mask a model gives, tensor shape (1, height / block, width / block, channels * block * block).

    Attributes:
        kind: ``alpha``: one channel, the person's share. ``logits``: one channel, or one per class, before
            sigmoid or softmax. ``softmax``: one channel per class, each its share. ``classes``: one channel
            with the number of the class, or one score per class of which the greatest wins.
        width: pixels of the mask.
        height: pixels of the mask.
        channels: numbers per pixel of the mask.
        range: (low, high) of those numbers; for ``alpha`` and ``softmax`` what 0 and 1 person are.
        dtype: element type; int32 and int64 for ``classes`` only.
        person_index: which channel or class is the person; 0 where there is one channel of alpha or logits.
        block: side in pixels of the square that one position of the tensor holds, row by row.
    """

    kind: OutputKind
    width: int
    height: int
    channels: int
    range: tuple[float, float]
    dtype: Dtype
    person_index: int
    block: int

    @property
    def tensor_shape(self) -> tuple[int, int, int, int]:
        """Shape of the output tensor."""
        side = self.block
        return 1, self.height // side, self.width // side, self.channels * side * side


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model: which file, and how to feed and read it.

    Attributes:
        name: what the settings call it; the forms of one model share it.
        form: how the file is made.
        path: the .tflite file.
        sha256: what the file hashes to, 64 hexadecimal digits.
        origin: where it comes from.
        licence: under what terms.
        input: the picture it wants.
        output: the mask it gives.
        url: from where the file is fetched; None where it lies beside its TOML.
    """

    name: str
    form: Form
    path: Path
    sha256: str
    origin: str
    licence: str
    input: InputSpec
    output: OutputSpec
    url: str | None = None


class NotFetchedError(ModelError):
    """Models are given by URL, and nobody has fetched them yet.

    Attributes:
        specs: of the files that are missing.
    """

    def __init__(self, specs: Sequence[ModelSpec]) -> None:
        self.specs = tuple(specs)
        lines = [
            f"model {spec.path}: is not fetched yet; the core and its gateway do that when they run, "
            f"or save {spec.url} there"
            for spec in specs
        ]
        super().__init__("\n".join(lines))


def fetched_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where models given by URL are kept, each as <sha256>.tflite: in :func:`scrim.places.state_folder`."""
    return state_folder(environment) / "models"


def models_folder(candidates: Iterable[Path] = _FOLDERS) -> Path:
    """Where the shipped models are: in the source tree, or where the package or the system installed them.

    Raises:
        ModelError: in none of them.
    """
    folders = list(candidates)
    for folder in folders:
        if folder.is_dir():
            return folder
    looked = ", ".join(map(str, folders))
    raise ModelError(f"no models folder: looked for {looked}. Install scrim again, or copy its models to one")


def load_spec(path: Path) -> ModelSpec:
    """Read a model's TOML and check that its file is the one it means.

    Args:
        path: the TOML.

    Raises:
        SpecError: the TOML says something wrong, every such thing listed, or the hash differs.
        NotFetchedError: the file has yet to be fetched.
        ModelError: the TOML or the model file cannot be read.
    """
    spec = parse_spec(path)
    check_file(spec)
    return spec


def parse_spec(path: Path) -> ModelSpec:
    """Read a model's TOML; its file is not looked at.

    Raises:
        SpecError: the TOML says something wrong, every such thing listed.
        ModelError: it cannot be read.
    """
    problems: list[Problem] = []
    spec = _read_spec(TomlTable(_parsed(path), "", problems), path.parent)
    if problems:
        raise SpecError(problems, str(path))
    return spec


def stated_name(path: Path) -> str:
    """What a TOML that may be wrong calls its model; empty where that cannot be read."""
    try:
        name = _parsed(path).get("name")
    except ModelError:
        return ""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def check_file(spec: ModelSpec) -> None:
    """Make sure that the model's file is the one its TOML means.

    Raises:
        SpecError: its sha256 is another.
        NotFetchedError: it has yet to be fetched.
        ModelError: it cannot be read.
    """
    read_model(spec)


def read_model(spec: ModelSpec) -> bytes:
    """Read a model's file; what is run is what was checked, even if the file changes meanwhile.

    Raises:
        SpecError: its sha256 is another.
        NotFetchedError: it has yet to be fetched.
        ModelError: it cannot be read.
    """
    if spec.url is not None and not spec.path.exists():
        raise NotFetchedError([spec])
    data = _read(spec.path, MOST_MODEL_BYTES, "model")
    found = sha256_hex(data)
    if found != spec.sha256:
        message = f"{spec.path} has sha256 {found}: it is damaged or another file"
        raise SpecError([Problem("sha256", spec.sha256, message, found)], f"{spec.name} ({spec.form})")
    return data


def _parsed(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(_read(path, _MOST_TOML_BYTES, "model TOML").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"model {path}: not TOML: {error}") from error


def _read(path: Path, most_bytes: int, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(most_bytes + 1)
    except OSError as error:
        raise ModelError(f"{what} {path}: {error.strerror}") from error
    if len(data) > most_bytes:
        raise ModelError(f"{what} {path}: larger than {most_bytes} bytes")
    return data


def _read_spec(table: TomlTable, folder: Path) -> ModelSpec:
    name_rule = "1 to 64 of a-z 0-9 . _ - , the first a letter or digit"
    name = table.matching("name", lambda text: _NAME.fullmatch(text) is not None, name_rule)
    form = table.choice("form", FORMS)
    sha256 = table.matching("sha256", _is_sha256, f"{_SHA256_DIGITS} hexadecimal digits").lower()
    origin, licence = table.text("origin"), table.text("licence")
    path = _read_path(table, folder, sha256)
    given, taken = _read_input(table.table("input")), _read_output(table.table("output"))
    table.finish()
    url = table.text("url") if table.has("url") else None
    return ModelSpec(name, cast("Form", form), path, sha256, origin, licence, given, taken, url)


def _read_path(table: TomlTable, folder: Path, sha256: str) -> Path:
    if table.has("url"):
        if table.has("file"):
            table.text("file")
            table.note("url", "stands beside file", "either file or url")
        table.matching("url", lambda url: url.startswith("https://"), "an https:// address")
        return fetched_folder() / f"{sha256}.tflite"
    return folder / table.text("file")


def _read_input(table: TomlTable) -> InputSpec:
    width, height = table.whole("width", 1, MAX_SIDE_PX), table.whole("height", 1, MAX_SIDE_PX)
    channels = table.whole("channels", 3, 3)
    span, dtype = table.interval("range"), table.choice("dtype", _BYTE_DTYPES)
    table.finish()
    return InputSpec(width, height, channels, span, cast("Dtype", dtype))


def _read_output(table: TomlTable) -> OutputSpec:
    noted = len(table.problems)
    kind = table.choice("kind", get_args(OutputKind))
    spec = OutputSpec(
        kind=cast("OutputKind", kind),
        width=table.whole("width", 1, MAX_SIDE_PX),
        height=table.whole("height", 1, MAX_SIDE_PX),
        channels=table.whole("channels", 1, _MOST_CHANNELS),
        range=table.interval("range"),
        dtype=cast("Dtype", table.choice("dtype", get_args(Dtype) if kind == "classes" else _BYTE_DTYPES)),
        person_index=table.whole("person_index", 0, _MOST_CHANNELS - 1, default=_default_person(table)),
        block=table.whole("block", 1, _MOST_BLOCK, default=1),
    )
    table.finish()
    if len(table.problems) == noted:
        _check_output(table, spec)
    return spec


def _default_person(table: TomlTable) -> int | None:
    """Only where there is one channel of alpha or logits is it plain which is the person's."""
    plain = table.holds("channels", 1) and not table.holds("kind", "classes")
    return 0 if plain else None


def _check_output(table: TomlTable, spec: OutputSpec) -> None:
    """What only shows when the keys are seen together."""
    if spec.kind == "alpha" and spec.channels != 1:
        table.note("channels", "does not go with kind = alpha", "1")
    if spec.kind == "softmax" and spec.channels == 1:
        table.note("channels", "does not go with kind = softmax", f"2 to {_MOST_CHANNELS}")
    single_class = spec.kind == "classes" and spec.channels == 1
    if spec.person_index >= spec.channels and not single_class:
        table.note("person_index", f"there are {spec.channels} channels", f"0 to {spec.channels - 1}")
    if spec.width % spec.block or spec.height % spec.block:
        table.note("block", f"does not divide {spec.width}x{spec.height}", "a divisor of width and height")
    if spec.block > 1 and spec.channels != 1:
        table.note("block", f"there are {spec.channels} channels", "1, or one channel")


def _is_sha256(text: str) -> bool:
    return len(text) == _SHA256_DIGITS and all(digit in string.hexdigits for digit in text)

"""``scripts/build-model``: make scrim's models again from MediaPipe's wheel, bit for bit."""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from model_build import environment
from model_build.errors import BuildError
from model_build.originals import GENERAL, LANDSCAPE, WHEEL, Original, download_wheel, read_original

if TYPE_CHECKING:
    # The rest needs numpy, which the Python that starts this may not have.
    from model_build import recipe

MODELS = Path(__file__).resolve().parents[2] / "models"


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: the command line, without the program's name.

    Returns:
        Exit status: 0 done, 1 failed or, with ``--check``, different.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    try:
        if not options.in_place and not environment.fits():
            return _in_throw_away_venv(given)
        _build(options)
    except BuildError as error:
        print(f"build-model: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build-model", description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {WHEEL}, instead of downloading it")
    parser.add_argument("--out", type=Path, default=MODELS, help="folder to write to (default: %(default)s)")
    parser.add_argument(
        "--ranges",
        type=Path,
        default=MODELS / "ranges",
        help="folder of the recorded ranges (default: %(default)s)",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; compare with SHA256SUMS in --out"
    )
    parser.add_argument(
        "--edgetpu", action="store_true", help="also compile the tpu-int8 forms, with edgetpu_compiler"
    )
    parser.add_argument(
        "--in-place", action="store_true", help="use the running Python's libraries, as they are"
    )
    return parser


def _in_throw_away_venv(arguments: list[str]) -> int:
    wanted = ", ".join(f"{name} {version}" for name, version in environment.EXACT.items())
    _say(f"this Python has not {wanted}: making a venv for this run")
    with tempfile.TemporaryDirectory(prefix="build-model-") as folder:
        return environment.run_again(environment.make(Path(folder)), arguments)


def _build(options: argparse.Namespace) -> None:
    from model_build import recipe

    with tempfile.TemporaryDirectory(prefix="build-model-") as folder:
        wheel = options.wheel or _downloaded(Path(folder))
        sums = recipe.read_sums(options.out / "SHA256SUMS") if options.check else {}
        originals = {original: _original(wheel, original) for original in (LANDSCAPE, GENERAL)}
        models = []
        for built in recipe.build_all(originals.__getitem__, options.ranges):
            models.append(built)
            count = f"[{len(models):2}/{len(recipe.SIZES) * len(recipe.SUFFIX_OF_FORM)}]"
            _say(f"{count} {built.described.file}: {len(built.data)} bytes, sha256 {built.described.sha256}")
            if options.check:
                recipe.check(built, sums)
            else:
                _write(options.out, built)
    if options.check:
        _say(f"all {len(models)} models are those of {options.out / 'SHA256SUMS'}")
        return
    (options.out / "SHA256SUMS").write_text(recipe.format_sums(models))
    if options.edgetpu:
        _compile(options.out, models)


def _downloaded(folder: Path) -> Path:
    _say(f"downloading {WHEEL}")
    return download_wheel(folder)


def _original(wheel: Path, original: Original) -> bytes:
    data = read_original(wheel, original)
    _say(f"read {original.file}, sha256 as expected")
    return data


def _write(folder: Path, built: "recipe.Built") -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / built.described.file
        file.write_bytes(built.data)
        file.with_suffix(".toml").write_text(built.described.toml())
    except OSError as error:
        raise BuildError(f"cannot write to {folder}: {error.strerror}") from error


def _compile(folder: Path, models: "list[recipe.Built]") -> None:
    import dataclasses

    from model_build.edgetpu import compile_for_edgetpu

    uncompiled = [built.described for built in models if built.described.form == "tpu-int8"]
    files = compile_for_edgetpu([folder / described.file for described in uncompiled])
    for described, file in zip(uncompiled, files, strict=True):
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        compiled = dataclasses.replace(described, form="edgetpu", file=file.name, sha256=sha256)
        file.with_suffix(".toml").write_text(compiled.toml())
        _say(f"compiled {file.name}, sha256 {sha256}")


def _say(line: str) -> None:
    print(line, flush=True)

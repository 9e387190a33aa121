"""scripts/build-model: the shipped models again, bit for bit, and a refusal of all it was not written for."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "scripts" / "build-model"
MODELS = REPOSITORY / "models"
CACHE = REPOSITORY / ".cache" / "wheels"
SUMS = {name: digest for digest, name in map(str.split, (MODELS / "SHA256SUMS").read_text().splitlines())}

pytest.importorskip(
    "ai_edge_litert.schema_py_generated", reason="models are made with LiteRT's schema module"
)
sys.path.insert(0, str(REPOSITORY / "scripts"))


def run(*arguments: str | Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    import os

    environment = dict(os.environ) | ({"PATH": path} if path else {})
    command = [sys.executable, str(BUILD), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)


@pytest.fixture(scope="session")
def wheel() -> Path:
    """MediaPipe's wheel, downloaded once and kept."""
    from model_build.errors import BuildError
    from model_build.originals import download_wheel

    kept = sorted(CACHE.glob("mediapipe-*.whl"))
    if kept:
        return kept[0]
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        return download_wheel(CACHE)
    except BuildError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_the_shipped_models_are_made_again_bit_for_bit(wheel):
    done = run("--check", "--wheel", wheel)
    assert done.returncode == 0, done.stderr
    assert "all 12 models are those of" in done.stdout


@pytest.mark.slow
def test_a_changed_sum_is_told(wheel, tmp_path):
    text = (MODELS / "SHA256SUMS").read_text()
    first = SUMS["person-192x112-f16.tflite"]
    (tmp_path / "SHA256SUMS").write_text(text.replace(first, "0" * 64))
    done = run("--check", "--in-place", "--wheel", wheel, "--out", tmp_path, "--ranges", MODELS / "ranges")
    assert done.returncode == 1
    assert f"built with sha256 {first}, SHA256SUMS says {'0' * 64}" in done.stderr


@pytest.mark.slow
def test_a_build_writes_what_is_shipped_and_the_compiler_is_called(wheel, tmp_path):
    (tmp_path / "bin").mkdir()
    compiler = tmp_path / "bin" / "edgetpu_compiler"
    # -s -o FOLDER FILE, as the real one is called; this one only copies.
    compiler.write_text('#!/bin/sh\nbase=$(basename "$4" .tflite)\ncp "$4" "$3/${base}_edgetpu.tflite"\n')
    compiler.chmod(0o755)
    out = tmp_path / "out"
    done = run(
        "--edgetpu", "--in-place", "--wheel", wheel, "--out", out, path=f"{tmp_path / 'bin'}:/usr/bin:/bin"
    )
    assert done.returncode == 0, done.stderr
    for file in [*MODELS.glob("*.tflite"), *MODELS.glob("*.toml"), MODELS / "SHA256SUMS"]:
        assert (out / file.name).read_bytes() == file.read_bytes(), file.name
    compiled = tomllib.loads((out / "person-256x144-tpu-int8_edgetpu.toml").read_text())
    assert compiled["form"] == "edgetpu"
    assert compiled["file"] == "person-256x144-tpu-int8_edgetpu.tflite"
    assert compiled["sha256"] == SUMS["person-256x144-tpu-int8.tflite"]


def test_sums_and_specs_name_the_shipped_files():
    shipped = {file.name for file in MODELS.glob("*.tflite")}
    assert SUMS.keys() == shipped
    for name in shipped:
        spec = tomllib.loads((MODELS / name).with_suffix(".toml").read_text())
        assert spec["file"] == name
        assert spec["sha256"] == SUMS[name]


def test_a_wheel_that_is_none_is_told(tmp_path):
    (tmp_path / "wheel.whl").write_bytes(b"nothing")
    done = run("--check", "--in-place", "--wheel", tmp_path / "wheel.whl")
    assert done.returncode == 1
    assert "cannot read mediapipe/modules/selfie_segmentation" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_original_is_told(tmp_path):
    from model_build.originals import LANDSCAPE

    with zipfile.ZipFile(tmp_path / "wheel.whl", "w") as archive:
        archive.writestr(f"mediapipe/modules/selfie_segmentation/{LANDSCAPE.file}", b"another")
    done = run("--check", "--in-place", "--wheel", tmp_path / "wheel.whl")
    assert done.returncode == 1
    assert f"expected {LANDSCAPE.sha256}" in done.stderr


def test_without_the_compiler_it_says_what_to_do(monkeypatch, tmp_path):
    from model_build.edgetpu import compile_for_edgetpu
    from model_build.errors import BuildError

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        BuildError, match="edgetpu_compiler is not installed: the tpu-int8 files stay uncompiled"
    ):
        compile_for_edgetpu([tmp_path / "x.tflite"])


def test_sizes_must_fit_the_network():
    from model_build.errors import BuildError
    from model_build.graph import Graph, empty_model
    from model_build.resize import resized

    with pytest.raises(BuildError, match="100x100: both sides must be multiples of 16"):
        resized(Graph(empty_model()), 100, 100)


def test_ranges_that_are_none_are_told(tmp_path):
    from model_build.errors import BuildError
    from model_build.quantize import read_ranges

    for content in ("[1]", '{"a": 3}', "{", '{"a": ["x", 1]}'):
        (tmp_path / "ranges.json").write_text(content)
        with pytest.raises(BuildError, match="not a table of recorded ranges"):
            read_ranges(tmp_path / "ranges.json")


@pytest.mark.parametrize("axis", [0, 3])
def test_quantised_weights_stay_within_half_a_step(axis):
    from model_build.quantize import quantized_weights

    weights = np.random.default_rng(1).normal(size=(8, 3, 3, 8)).astype(np.float32)
    integers, scale = quantized_weights(weights, axis)
    shape = [1, 1, 1, 1]
    shape[axis] = 8
    error = np.abs(integers * scale.reshape(shape) - weights)
    assert integers.dtype == np.int8
    assert np.median(error / scale.reshape(shape)) < 0.5
    assert scale.shape == (8,)

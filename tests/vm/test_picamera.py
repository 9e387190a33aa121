"""The real libcamera and picamera2, on the kernel's virtual camera (vimc).

vimc gives RGB only, so no picture can come from it through scrim, which asks for what a Raspberry Pi's ISP
gives. What can be seen is that the library does what scrim's stand-in claims, and that scrim says clearly
what is wrong.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, Any]]:
    """What the probe said; the guest's own Python sees /tmp, and not the project."""
    subprocess.run(["modprobe", "vimc"], check=True)
    subprocess.run(["guest", "udevadm", "settle"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PROJECT / "daemon", folder, dirs_exist_ok=True)
        shutil.copy(PROJECT / "tests/vm/picamera_probe.py", folder)
        environment = f"PYTHONPATH={folder}:/opt/picamera2"
        command = ["guest", "env", environment, "python3", "-B", f"{folder}/picamera_probe.py"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert found.returncode == 0, found.stderr
        yield json.loads(found.stdout.splitlines()[-1])
    subprocess.run(["modprobe", "-r", "vimc"], check=True)


def test_cameras_are_listed_and_one_that_is_not_there_is_named(said):
    assert said["cameras"] == [["picamera:0", "Sensor B"]]
    assert said["absent"].startswith("SourceError: picamera:7:")


def test_a_camera_that_gives_no_yuv_is_refused_in_words(said):
    assert said["open"].startswith("SourceError: picamera:0: gives BGR888 at 640x480, not YUV420")


def test_the_library_does_what_the_stand_in_claims(said):
    assert said["main"] == {"format": "BGR888", "size": [640, 480], "stride": 1920}
    assert said["unknown_control"] == "RuntimeError: Control Nope is not advertised by libcamera"
    assert "FrameDurationLimits" not in said["controls"]
    assert said["early"].startswith("TimeoutError")
    assert said["served"] == [[[480, 640, 3], "uint8", ["SensorTimestamp"]]] * 2

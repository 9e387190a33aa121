"""The guest itself: the drivers all the other tests need."""

import subprocess
from pathlib import Path

import pytest


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_kernel_is_the_guests() -> None:
    assert Path("/proc/sys/kernel/osrelease").read_text().strip().endswith("-vm")


@pytest.mark.parametrize(
    "name", ["vivid", "v4l2loopback", "vimc", "libcomposite", "usb_f_uvc", "uvcvideo", "dummy_hcd"]
)
def test_the_driver_is_there(name: str) -> None:
    assert output_of("modinfo", "--basedir", "/run/guest", "--field", "name", name).strip() == name

"""``scrim doctor``: what works on this machine, and what would mend the rest."""

import platform
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scrim import __version__
from scrim.core.doctor import devices, filtering, machine
from scrim.core.health import SYSFS
from scrim.finding import Finding, attempt

if TYPE_CHECKING:
    from scrim.config import Settings

__all__ = ["examine"]


def examine(settings: "Settings", sysfs: Path = SYSFS) -> list[Finding]:
    """Look at everything, one thing after the other; what fails does not stop the rest.

    Args:
        settings: checked.
        sysfs: where the machine's health is read.
    """
    import cv2

    cv2.setNumThreads(1)
    status = devices.running_core()
    findings = [
        Finding("scrim", True, f"{__version__}, Python {platform.python_version()}, {platform.machine()}")
    ]
    findings += attempt("settings", "name another image or effect", partial(filtering.effect, settings))
    findings += attempt("models", "install scrim again", filtering.catalogue)
    findings += attempt(
        "model",
        "set model.name and model.form to one that is there, or install scrim again",
        partial(filtering.model, settings),
    )
    findings += attempt(
        "camera",
        "plug the camera in, or set camera.source to another; auto finds one",
        partial(devices.camera, settings, status),
    )
    findings += devices.cameras()
    findings += devices.mjpg()
    for url in settings.sinks:
        look = partial(devices.sink, url, settings, status)
        findings += attempt(f"sink {url}", "make the device or folder, or take it out of sinks", look)
    findings += devices.core(status)
    findings += machine.groups()
    if status is None:
        findings += machine.permissions()
    findings += machine.health(sysfs)
    return findings

"""Where pictures come from and go to: the camera, the sinks, and a core that may hold them already."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scrim.core.capture import camera_controls, listing, picamera, turbojpeg
from scrim.core.capture.base import Camera, Source
from scrim.core.capture.registry import find_camera, make_source
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.doctor.filtering import caps_of
from scrim.core.sinks.base import Watched
from scrim.core.sinks.registry import make_sink
from scrim.core.sinks.uvc_gadget import UVCGadgetSink
from scrim.errors import LocalError
from scrim.finding import Finding, judged
from scrim.local.client import Client
from scrim.local.place import default_path
from scrim.local.status import Status

if TYPE_CHECKING:
    from scrim.config import Settings

_PATIENCE_S = 5.0
_HELD = "held by the running core"


def running_core() -> Status | None:
    """What a running core says of itself; None when there is none."""
    try:
        with Client(default_path()) as client:
            return client.status()
    except LocalError:
        return None


def core(status: Status | None) -> Iterator[Finding]:
    """Whether scrim runs already."""
    found = f"is running at {default_path()}, {status['state']}" if status else "is not running"
    yield Finding("core", True, found)


def camera(settings: "Settings", status: Status | None) -> Iterator[Finding]:
    """Whether the camera opens and delivers; one that the core holds is judged by what the core says.

    Raises:
        SourceError: it cannot be opened.
    """
    is_auto = settings.camera.source == "auto"
    held = status["camera"] if status else None
    if held is not None and (is_auto or held["source"] == settings.camera.source):
        found = f"{held['source']}: {held['state']}, {_HELD}"
        mend = held["error"] or "scrim ctl status says more"
        yield judged("camera", found, mend, is_good=held["state"] in ("live", "idle", "off"))
        yield from _refused(held["device"]["refused"] if held["device"] else [])
        return
    name = find_camera() if is_auto else settings.camera.source
    source = make_source(name, caps_of(settings), controls=settings.camera.controls)
    caps = _delivered(source)
    if caps is None:
        mend = "is it in use by another program? unplug it and plug it in again"
        yield Finding("camera", False, f"{name}: opens, but gave no frame in {_PATIENCE_S:.0f} s", mend)
        return
    note = " (no camera was found, so the demo plays)" if is_auto and name == "demo:" else ""
    details = source.details if isinstance(source, Camera) else None
    delivers = f"{caps} as {details.delivers}" if details is not None else caps
    yield Finding("camera", True, f"{name}: delivers {delivers}{note}")
    yield from _refused(details.refused if details is not None else ())


def _refused(lines: Iterable[str]) -> Iterator[Finding]:
    """The controls of the settings that the camera does not take."""
    for line in lines:
        key, _, why = line.partition(" = ")
        yield Finding(key, False, f"is {why}", "set it to what is allowed, or take it out of the settings")


def cameras() -> Iterator[Finding]:
    """Every camera, with what it can do as far as that can be told without starting it."""
    for url, sensor in picamera.cameras():
        yield Finding(url, True, f"{sensor}, on a ribbon cable")
    for listed in listing.cameras():
        if listed.error:
            yield Finding(listed.url, True, f"{listed.name or 'a node'}: of no use, {listed.error}")
            continue
        offers = ", ".join(f"{offer.fourcc} to {offer.size_and_rate}" for offer in listed.offers)
        yield Finding(listed.url, True, f"{listed.name} ({listed.driver}): {offers}")
        for control in filter(lambda control: control.is_of_cameras, listed.controls):
            yield Finding(f"  {listed.url} {control.name}", True, camera_controls.described(control))


def mjpg() -> Iterator[Finding]:
    """What would decode the pictures of cameras that deliver MJPG."""
    if turbojpeg.load() is not None:
        yield Finding("MJPG", True, f"decoded to planes, by {turbojpeg.SONAME}")
        return
    found = f"decoded by way of BGR; sudo apt install {turbojpeg.PACKAGE} saves a quarter of its time"
    yield Finding("MJPG", True, found)


def _delivered(source: Source) -> str | None:
    """The caps of a camera that gives a frame in time."""
    try:
        caps = source.open()
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            if source.read() is not None:
                return str(caps)
    finally:
        source.close()
    return None


def sink(url: str, settings: "Settings", status: Status | None) -> Iterator[Finding]:
    """Whether a sink can be written; a device gets one placeholder, a file would be lost by that.

    Raises:
        SinkError: it cannot.
    """
    name = f"sink {url}"
    for held in status["sinks"] if status else []:
        if held["name"] == url:
            mend = held["error"] or "scrim ctl status says more"
            yield judged(name, f"{held['state']}, {_HELD}", mend, is_good=held["state"] == "open")
            return
    scheme, _, place = url.partition(":")
    if scheme in ("file", "images"):
        yield _place(name, Path(place).absolute())
        return
    if scheme == "uvc_gadget":
        node = UVCGadgetSink(settings.gadget).look()
        yield Finding(name, True, f"the gadget is set up, at {node}; a host sees it while scrim runs")
        return
    device, caps = make_sink(url), caps_of(settings)
    try:
        device.open(caps)
        device.write(PlaceholderPainter(caps.size).paint(Reason.STARTING, 0))
        is_blind = isinstance(device, Watched) and device.consumers is None
    finally:
        device.close()
    note = "; who reads it cannot be told, and so camera.on_demand keeps the camera open" if is_blind else ""
    yield Finding(name, True, f"took a placeholder{note}")


def _place(name: str, path: Path) -> Finding:
    """Whether a file or folder can be written, or made where it is not there."""
    if path.exists():
        mend = f"sudo chown $USER {path}, or name another place"
        return judged(name, f"{path} is there", mend, is_good=os.access(path, os.W_OK))
    folder = path.parent
    mend = f"make {folder} and let this user write"
    return judged(name, f"folder {folder}", mend, is_good=os.access(folder, os.W_OK))

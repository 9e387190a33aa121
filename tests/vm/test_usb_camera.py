"""A camera at a USB cable, driven by uvcvideo: MJPG, its name by serial number, and the cable pulled out."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scrim.config import GadgetSettings
from scrim.core.capture.v4l2 import V4L2Camera
from scrim.errors import SourceError
from scrim.frame import Caps

from .usb import MODULES, Board, Cable, camera, camera_gone, gadget, run, until

SERIAL = "4711"
SETTINGS = GadgetSettings(packet_bytes=3072, serial=SERIAL)
CAPS = Caps(1280, 720, 30)


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    run("modprobe", "-a", *MODULES)
    gadget("up", "gadget.packet_bytes=3072", f"gadget.serial='{SERIAL}'")
    with Board(SETTINGS, CAPS) as made:
        camera()
        run("guest", "udevadm", "settle")
        yield made
    camera_gone()
    gadget("down")
    run("guest", "udevadm", "settle")
    run("modprobe", "-r", *reversed(MODULES))


def taken(source: V4L2Camera) -> np.ndarray:
    frame = until(source.read, what="a frame")
    return np.array(frame.planes.y)


def test_its_name_holds_its_serial_number(board: Board) -> None:
    source = V4L2Camera(str(camera()), CAPS)
    source.open()
    assert source.details is not None
    assert source.details.name.startswith("Scrim Camera")
    place = Path(source.place)
    assert place.parent == Path("/dev/v4l/by-id")
    assert SERIAL in place.name
    assert place.resolve() == camera()
    source.close()


def test_mjpg_comes_whole_where_yuyv_would_not_fit(board: Board) -> None:
    source = V4L2Camera(str(camera()), CAPS)
    assert source.open() == CAPS
    assert source.details is not None
    assert source.details.delivers == "MJPG 1280x720@30"
    first = taken(source)
    assert first.std() > 10, "the test pattern"
    until(lambda: np.abs(taken(source).astype(int) - first).max() > 50, what="the pattern's movement")
    assert source.damaged == 0
    source.close()


def test_its_brightness_is_set_by_name(board: Board) -> None:
    means = {}
    for value in (-40, 40):
        source = V4L2Camera(str(camera()), CAPS, wishes={"brightness": value})
        source.open()
        assert source.details is not None
        assert source.details.refused == ()
        assert source.details.controls["brightness"] == value
        means[value] = float(np.mean([taken(source).mean() for _ in range(10)][5:]))
        source.close()
    assert means[40] - means[-40] > 30
    source = V4L2Camera(str(camera()), CAPS, wishes={"brightness": 0})
    source.open()
    source.close()


@pytest.mark.cycles(short=2, long=50)
def test_the_cable_is_pulled_out_and_pushed_in(board: Board, cycles: int) -> None:
    cable = Cable()
    source = V4L2Camera(str(camera()), CAPS)
    source.open()
    taken(source)
    for _ in range(cycles):
        node = camera()
        cable.pull()
        with pytest.raises(SourceError, match="gone"):
            until(lambda: source.read() is None and None, what="the loss")
        source.close()
        camera_gone()
        assert not source.has_returned()
        assert descriptors_of(node) == 0
        cable.push()
        until(source.has_returned, what="its return")
        until(lambda: opens(source), what="its opening")
        taken(source)
    source.close()


def descriptors_of(node: Path) -> int:
    """How many of this process's lead to a node, be it there or not; this process is the gadget too."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(link.readlink()).startswith(str(node))
    return count


def opens(source: V4L2Camera) -> bool:
    try:
        source.open()
    except SourceError:
        return False
    return True

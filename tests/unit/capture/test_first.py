"""Waiting for the first camera: what ``auto`` means where nobody is there to mistype."""

import pytest

from scrim.core.capture.first import FirstCamera
from scrim.core.capture.test import TestPattern
from scrim.errors import SourceError
from scrim.frame import Caps

CAPS = Caps(96, 64, 30)


class Machine:
    """Cameras that come and go; ``made`` are the URLs that a source was made of."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.made: list[str] = []
        self.source = FirstCamera(self.make, self.find, lambda: list(self.nodes))

    def make(self, url: str) -> TestPattern:
        self.made.append(url)
        return TestPattern(CAPS)

    def find(self) -> str:
        return f"v4l2:{self.nodes[0]}" if self.nodes else "demo:"


def test_no_demo_is_played_for_want_of_a_camera() -> None:
    machine = Machine()
    with pytest.raises(SourceError, match="there is no camera; plug one in"):
        machine.source.open()
    assert machine.made == []
    with pytest.raises(SourceError):
        machine.source.read()
    machine.source.close()


def test_a_camera_that_is_plugged_in_is_noticed_and_taken() -> None:
    machine = Machine()
    with pytest.raises(SourceError):
        machine.source.open()
    assert not machine.source.has_returned()
    machine.nodes = ["/dev/video0"]
    assert machine.source.has_returned()
    assert machine.source.open() == CAPS
    assert machine.source.read() is not None


def test_once_found_it_stays_with_that_one() -> None:
    machine = Machine()
    machine.nodes = ["/dev/video1"]
    machine.source.open()
    machine.source.close()
    machine.nodes = ["/dev/video0", "/dev/video1"]
    machine.source.open()
    assert machine.made == ["v4l2:/dev/video1"]
    assert not machine.source.has_returned()
    assert machine.source.details is None

"""What a source's URL means, and which camera ``auto`` finds."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from scrim.core.capture.demo import Demo
from scrim.core.capture.file import VideoFile
from scrim.core.capture.picamera import PiCamera
from scrim.core.capture.registry import candidate_nodes, find_camera, make_source
from scrim.core.capture.stills import ImageFolder
from scrim.core.capture.test import TestPattern
from scrim.core.capture.v4l2 import V4L2Camera
from scrim.core.videodev2 import Node
from scrim.core.videodev2_fake import FakeCamera, FakeLoopback
from scrim.errors import SourceError
from scrim.frame import Caps

CAPS = Caps(96, 64, 30)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("test:", TestPattern),
        ("test", TestPattern),
        ("demo:", Demo),
        ("file:/x.mp4", VideoFile),
        ("file:/x.PNG", ImageFolder),
        ("v4l2:/dev/video0", V4L2Camera),
        ("v4l2:/dev/v4l/by-id/usb-046d-index0", V4L2Camera),
        ("picamera:0", PiCamera),
    ],
)
def test_each_scheme_makes_its_source(url: str, kind: type) -> None:
    assert isinstance(make_source(url, CAPS), kind)


def test_a_folder_is_one_of_pictures(tmp_path: Path) -> None:
    assert isinstance(make_source(f"file:{tmp_path}", CAPS), ImageFolder)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "webcam:",
        "http://camera/",
        "v4l2:",
        "v4l2:video0",
        "file:",
        "picamera:",
        "picamera:-1",
        "test:x",
        "auto:x",
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(SourceError, match=r"allowed are auto, demo:.*v4l2:/dev/video0"):
        make_source(url, CAPS)


def nodes(**kinds: Callable[[], Node]) -> Callable[[str], Node]:
    def open_node(path: str) -> Node:
        if path not in kinds:
            raise OSError(errno.EACCES, "no")
        return kinds[path]()

    return open_node


def camera() -> Node:
    return FakeCamera({}, lambda *_: b"")


def metadata() -> Node:
    return FakeCamera({}, lambda *_: b"", flags=0)


def own_loopback() -> Node:
    """What v4l2loopback looks like while scrim feeds it: a camera."""
    flags = camera().capability().flags
    return FakeLoopback(flags=flags)


def test_auto_takes_the_first_node_that_is_a_camera() -> None:
    opener = nodes(a=metadata, b=own_loopback, d=camera, e=camera)
    assert find_camera("abcde", opener, lambda: False) == "v4l2:d"


def test_auto_prefers_a_pi_camera_and_falls_back_to_the_demo() -> None:
    assert find_camera("d", nodes(d=camera), lambda: True) == "picamera:0"
    assert find_camera("abc", nodes(a=metadata, b=own_loopback), lambda: False) == "demo:"


def test_nodes_are_listed_once_by_their_stable_names(tmp_path: Path) -> None:
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    for number in (10, 2, 0):
        (tmp_path / f"video{number}").touch()
    (by_id / "usb-cam-video-index0").symlink_to(tmp_path / "video2")
    found = [Path(path).name for path in candidate_nodes(by_id, tmp_path)]
    assert found == ["usb-cam-video-index0", "video0", "video10"]
    assert candidate_nodes(tmp_path / "none", by_id) == []

"""What the doctor lists of this machine's cameras."""

import errno

from scrim.core.capture.listing import cameras
from scrim.core.node_controls import Control
from scrim.core.videodev2 import Node
from scrim.core.videodev2_fake import FakeCamera, FakeLoopback

GAIN = Control(0x980902, "gain", "integer", 10, 100, 10, 50, 50)
SIZES = {"MJPG": {(1280, 720): 30.0, (640, 480): 60.0}, "YUYV": {(640, 480): 30.0}, "H264": {(64, 64): 1.0}}


def open_node(path: str) -> Node:
    match path:
        case "camera":
            return FakeCamera(SIZES, lambda *_: b"").with_controls(GAIN)
        case "compressed":
            return FakeCamera({"H264": {(64, 64): 1.0}}, lambda *_: b"")
        case "metadata":
            return FakeCamera({}, lambda *_: b"", flags=0)
        case "loopback":
            return FakeLoopback()
    raise OSError(errno.EACCES, "Permission denied")


def test_cameras_are_listed_with_what_they_can_do_and_nothing_else_is() -> None:
    found = list(cameras(["metadata", "camera", "loopback", "compressed", "secret"], open_node))
    assert [camera.url for camera in found] == ["v4l2:camera", "v4l2:compressed", "v4l2:secret"]
    camera, compressed, secret = found
    assert (camera.name, camera.driver) == ("Fake Camera", "fake")
    assert list(map(str, camera.offers)) == ["MJPG 1280x720@30", "YUYV 640x480@30"]
    assert camera.controls == (GAIN,)
    assert compressed.error == "delivers H264"
    assert "group video" in secret.error

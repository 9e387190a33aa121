"""What a sink's URL means."""

import pytest

from scrim.core.sinks.file import ImageFolderSink, VideoFileSink
from scrim.core.sinks.memory import MemorySink
from scrim.core.sinks.registry import make_sink
from scrim.core.sinks.uvc_gadget import UVCGadgetSink
from scrim.core.sinks.v4l2loopback import V4L2LoopbackSink
from scrim.errors import SinkError


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("v4l2loopback:/dev/video10", V4L2LoopbackSink),
        ("file:/x.mp4", VideoFileSink),
        ("images:/folder", ImageFolderSink),
        ("memory:", MemorySink),
        ("uvc_gadget:", UVCGadgetSink),
    ],
)
def test_each_scheme_makes_its_sink(url: str, kind: type) -> None:
    assert isinstance(make_sink(url), kind)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rtsp://host/",
        "v4l2loopback:",
        "v4l2loopback:video10",
        "v4l2loopback:/dev/video10?format=MJPG",
        "v4l2loopback:/dev/video10?size=1",
        "file:",
        "memory:9",
        "uvc_gadget:/dev/video0",
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(SinkError, match=r"allowed are v4l2loopback:/dev/video10 .*, uvc_gadget:, file:"):
        make_sink(url)

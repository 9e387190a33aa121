"""The plugins, and the H.264 encoders among them, best first, each set up for little delay."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

SYSFS_VIDEO = Path("/sys/class/video4linux")

PLUGINS = {
    "coreelements": "libgstreamer1.0-0",
    "app": "gstreamer1.0-plugins-base",
    "rtp": "gstreamer1.0-plugins-good",
    "rtpmanager": "gstreamer1.0-plugins-good",
    "udp": "gstreamer1.0-plugins-good",
}
"""What serving needs besides an encoder, each with Debian's package."""

BINDINGS = ("python3-gi", "gir1.2-gst-rtsp-server-1.0")
"""What the child needs before it can look for any of that."""

PUBLISHING = {"rtspclientsink": "gstreamer1.0-rtsp"}

UNIT_CAPS = "video/x-h264,stream-format=(string)byte-stream,alignment=(string)au"
"""What every encoder gives: whole access units with start codes."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What is asked of an encoder.

    Attributes:
        bit_rate_kbps: kilobits per second to stay at.
        key_frame_frames: frames from one key frame to the next.
    """

    bit_rate_kbps: int
    key_frame_frames: int


@dataclass(frozen=True, slots=True)
class Kind:
    """One encoder.

    Attributes:
        name: of GStreamer's element.
        plugin: that has it.
        package: Debian's, that has the plugin.
        licence: of what runs when it is used.
        launch: the element with its properties and the caps behind it, for ``Gst.parse_launch``.
    """

    name: str
    plugin: str
    package: str
    licence: str
    launch: Callable[[Rate], str]


def _v4l2(rate: Rate) -> str:
    controls = (
        f"controls,video_bitrate_mode=1,video_bitrate={rate.bit_rate_kbps * 1000},"
        f"h264_i_frame_period={rate.key_frame_frames},repeat_sequence_header=1,"
        "h264_profile=1,h264_level=11"
    )
    # Without a level in the caps the driver takes the lowest, and refuses the picture as too large.
    return f'v4l2h264enc name=encoder extra-controls="{controls}" ! {UNIT_CAPS},level=(string)4'


def _openh264(rate: Rate) -> str:
    bit_rate = rate.bit_rate_kbps * 1000
    return (
        "openh264enc name=encoder usage-type=camera complexity=low rate-control=bitrate "
        f"bitrate={bit_rate} max-bitrate={bit_rate * 3 // 2} gop-size={rate.key_frame_frames} "
        "scene-change-detection=false enable-frame-skip=false multi-thread=1 "
        f"! {UNIT_CAPS},profile=(string)constrained-baseline"
    )


def _x264(rate: Rate) -> str:
    return (
        "x264enc name=encoder tune=zerolatency speed-preset=ultrafast threads=1 "
        f"bitrate={rate.bit_rate_kbps} key-int-max={rate.key_frame_frames} "
        f"! {UNIT_CAPS},profile=(string)constrained-baseline"
    )


KINDS = (
    Kind("v4l2h264enc", "video4linux2", "gstreamer1.0-plugins-good", "LGPL", _v4l2),
    Kind("openh264enc", "openh264", "gstreamer1.0-plugins-bad", "BSD", _openh264),
    Kind("x264enc", "x264", "gstreamer1.0-plugins-ugly", "GPL", _x264),
)


def usable(wanted: str, is_there: Callable[[Kind], bool]) -> list[Kind]:
    """The encoders to try, in this order.

    Args:
        wanted: an element's name, or ``auto`` for any.
        is_there: whether one can be used here.
    """
    return [kind for kind in KINDS if wanted in (kind.name, "auto") and is_there(kind)]


def package(wanted: str) -> str:
    """What to install for an encoder; for ``auto`` the one in software that is not under the GPL."""
    name = "openh264enc" if wanted == "auto" else wanted
    return next(kind.package for kind in KINDS if kind.name == name)


def has_hardware_encoder(nodes: Path = SYSFS_VIDEO) -> bool:
    """Whether the kernel has a node that encodes H.264, told by its name so that no camera is opened.

    ``bcm2835-codec-encode`` is that of a Raspberry Pi 4 and Zero 2 W; a Raspberry Pi 5 has none.
    """
    return any("codec-encode" in name for name in _names(nodes))


def _names(nodes: Path) -> Iterable[str]:
    for node in sorted(nodes.glob("video*/name")):
        try:
            yield node.read_text()
        except OSError:  # unplugged meanwhile
            continue

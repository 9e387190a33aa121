"""The ioctls' numbers and structures, against those the kernel's header gives on 64-bit Linux."""

import ctypes
import errno
from pathlib import Path

import pytest

from scrim.core.node_offers import (
    ENUM_FRAMEINTERVALS,
    ENUM_FRAMESIZES,
    FrameIntervalOffer,
    FrameSizeOffer,
    fourcc_number,
    fourcc_text,
)
from scrim.core.videodev2 import Capability, VideoNode


def test_the_hand_written_structures_are_the_kernels() -> None:
    assert ctypes.sizeof(FrameSizeOffer) == 44
    assert ctypes.sizeof(FrameIntervalOffer) == 52
    assert ENUM_FRAMESIZES == 0xC02C564A
    assert ENUM_FRAMEINTERVALS == 0xC034564B


def test_fourccs_go_both_ways() -> None:
    assert fourcc_number("YUYV") == 0x56595559
    assert fourcc_text(0x56595559) == "YUYV"
    assert fourcc_text(0x00000001) == "????"


def test_what_a_node_can_is_read_from_its_flags() -> None:
    assert Capability("uvcvideo", "Cam", 0x04200001).captures
    assert not Capability("uvcvideo", "Cam", 0x04A00000).captures
    assert not Capability("unicam", "Sensor", 0x24200001).captures
    assert Capability("v4l2 loopback", "Loop", 0x05200002).takes_output


def test_a_file_answers_no_ioctl(tmp_path: Path) -> None:
    (tmp_path / "node").touch()
    node = VideoNode(str(tmp_path / "node"))
    with pytest.raises(OSError, match="ioctl") as refused:
        node.capability()
    assert refused.value.errno == errno.ENOTTY
    node.close()
    node.close()

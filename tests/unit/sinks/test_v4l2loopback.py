"""The v4l2loopback sink: formats, refusals, and a format that stays."""

import errno
import time
from pathlib import Path

import numpy as np
import pytest

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.loopback import TIMEOUT_MS
from scrim.core.node_controls import Control
from scrim.core.sinks.pack import ToNv12, ToYuyv
from scrim.core.sinks.v4l2loopback import FOURCCS, V4L2LoopbackSink
from scrim.core.videodev2 import Direction, Format
from scrim.core.videodev2_fake import FakeLoopback
from scrim.errors import SinkError
from scrim.frame import Caps, Planes, SafeFrame

CAPS = Caps(96, 64, 25)


def safe() -> SafeFrame:
    return PlaceholderPainter(CAPS.size).paint(Reason.CAMERA_LOST, 1)


def sink_on(node: FakeLoopback, version: Path = Path("/nonexistent")) -> V4L2LoopbackSink:
    return V4L2LoopbackSink("/dev/video10", lambda _: node, version)


def test_the_first_accepted_format_is_used() -> None:
    fourccs = tuple(FOURCCS.values())
    for index, fourcc in enumerate(fourccs):
        node = FakeLoopback(fourccs[index:])
        sink_on(node).open(CAPS)
        assert node.format is not None
        assert node.format.fourcc == fourcc


def test_i420_goes_out_as_it_is() -> None:
    node = FakeLoopback()
    sink = sink_on(node)
    sink.open(CAPS)
    frame = safe()
    sink.write(frame)
    assert node.written[0] == frame.i420.tobytes()


def test_yuyv_and_nv12_hold_the_same_picture() -> None:
    i420 = np.random.default_rng(1).integers(0, 256, (96, 96), np.uint8)
    planes = Planes.of(i420)
    yuyv = ToYuyv(CAPS.size)(i420).reshape(64, 96, 2)
    assert np.array_equal(yuyv[..., 0], planes.y)
    assert np.array_equal(yuyv[:, 0::2, 1], planes.u.repeat(2, axis=0))
    assert np.array_equal(yuyv[:, 1::2, 1], planes.v.repeat(2, axis=0))
    nv12 = ToNv12(CAPS.size)(i420).reshape(96, 96)
    assert np.array_equal(nv12[:64], planes.y)
    assert np.array_equal(nv12[64:, 0::2], planes.u)
    assert np.array_equal(nv12[64:, 1::2], planes.v)


def test_a_device_that_refuses_every_format_is_diagnosed(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("0.12.7\n")
    with pytest.raises(SinkError) as refused:
        sink_on(FakeLoopback(()), tmp_path / "version").open(CAPS)
    text = str(refused.value)
    for part in (
        "/dev/video10",
        "96x64@25",
        "0.12.7",
        "exclusive_caps=1",
        "modprobe -r v4l2loopback",
        "max_width",
    ):
        assert part in text


def test_the_first_placeholder_is_left_to_be_shown_when_scrim_is_killed() -> None:
    node = FakeLoopback()
    node.tells = True
    sink = sink_on(node)
    sink.open(CAPS)
    first = safe()
    sink.write(first)
    node.failures["show_when_silent"] = errno.EIO
    sink.write(PlaceholderPainter(CAPS.size).paint(Reason.NOBODY, 1))
    assert node.when_silent == first.i420.tobytes()


def test_the_goodbye_of_a_sink_that_is_closed_stays() -> None:
    silence = Control(TIMEOUT_MS, "timeout", "integer", 0, 100_000, 1, 0, 1000)
    node = FakeLoopback().with_controls(silence)
    node.tells = True
    sink = sink_on(node)
    sink.open(CAPS)
    sink.write(safe())
    assert node.values[TIMEOUT_MS] == 1000
    sink.close()
    assert node.values[TIMEOUT_MS] == 0


def test_a_device_that_shows_none_by_itself_is_written_to_all_the_same() -> None:
    node = FakeLoopback()
    node.tells = True
    node.failures["show_when_silent"] = errno.EIO
    sink = sink_on(node)
    sink.open(CAPS)
    sink.write(safe())
    assert len(node.written) == 1


def test_an_old_device_does_not_stick_after_scrim() -> None:
    node = FakeLoopback()
    node.is_stuck = False
    sink = sink_on(node)
    for _ in range(2):
        sink.open(CAPS)
        sink.write(safe())
        sink.close()
        assert not node.is_stuck


def test_an_old_device_that_another_program_left_stuck_is_freed() -> None:
    node = FakeLoopback()
    node.is_stuck = True
    sink = sink_on(node)
    sink.open(CAPS)
    sink.write(safe())
    assert len(node.written) == 1


def test_a_newer_module_is_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("0.15.0\n")
    with pytest.raises(SinkError, match="If another program feeds it") as refused:
        sink_on(FakeLoopback(()), tmp_path / "version").open(CAPS)
    assert "modprobe" not in str(refused.value)


def test_the_format_stays_while_the_sink_lives() -> None:
    sink = sink_on(FakeLoopback())
    sink.open(CAPS)
    sink.close()
    with pytest.raises(SinkError, match="opened for 96x64@25"):
        sink.open(Caps(128, 64, 25))
    sink.open(CAPS)


def test_part_of_a_picture_taken_is_an_error() -> None:
    node = FakeLoopback()
    node.takes_bytes = 1000
    sink = sink_on(node)
    sink.open(CAPS)
    with pytest.raises(SinkError, match="took 1000 of 9216 bytes"):
        sink.write(safe())


def test_a_device_without_room_is_given_up_in_time() -> None:
    node = FakeLoopback()
    sink = sink_on(node)
    sink.open(CAPS)
    node.room = 0
    start = time.monotonic()
    with pytest.raises(SinkError, match="takes no picture"):
        sink.write(safe())
    assert time.monotonic() - start < 30
    node.room = 1
    sink.write(safe())


@pytest.mark.parametrize(("number", "says"), [(errno.EBUSY, "in use by"), (errno.EACCES, "group video")])
def test_refusals_name_the_mend_and_leave_nothing_open(number: int, says: str) -> None:
    node = FakeLoopback()
    node.failures["set_format"] = number
    with pytest.raises(SinkError, match=says):
        sink_on(node).open(CAPS)
    assert not node.is_open


@pytest.mark.parametrize(("wanted", "fourcc"), FOURCCS.items())
def test_a_format_can_be_insisted_on(wanted: str, fourcc: str) -> None:
    node = FakeLoopback()
    V4L2LoopbackSink("/dev/video10", lambda _: node, wanted=wanted).open(CAPS)
    assert node.format is not None
    assert node.format.fourcc == fourcc
    others = tuple(set(FOURCCS.values()) - {fourcc})
    with pytest.raises(SinkError, match=f"refuses {fourcc} at"):
        V4L2LoopbackSink("/dev/video10", lambda _: FakeLoopback(others), wanted=wanted).open(CAPS)


class Kept(FakeLoopback):
    """Somebody reads it, and so it answers every wish with the format it has."""

    def __init__(self, kept: Format) -> None:
        super().__init__()
        self._kept = kept

    def set_format(self, direction: Direction, fourcc: str, size: tuple[int, int]) -> Format:
        return self._kept


def test_the_format_that_a_reader_has_is_written() -> None:
    width, height = CAPS.size
    node = Kept(Format("YUYV", CAPS.size, 2 * width, 2 * width * height))
    sink = sink_on(node)
    sink.open(CAPS)
    sink.write(safe())
    assert len(node.written[0]) == 2 * width * height


def test_a_size_that_a_reader_holds_is_named_with_the_mend() -> None:
    with pytest.raises(SinkError, match=r"stays at YU12 64x48.*camera\.width = 64 and camera\.height = 48"):
        sink_on(Kept(Format("YU12", (64, 48), 64, 4608))).open(CAPS)


def test_readers_are_counted_as_the_device_tells() -> None:
    node = FakeLoopback()
    node.tells = True
    sink = V4L2LoopbackSink("/dev/video10", lambda _: node, count_open=lambda: 9)
    sink.open(CAPS)
    assert sink.consumers == 0
    for reading in (1, 1, 0, 2):
        node.reading = reading
        sink.write(safe())
        assert sink.consumers == reading


def test_where_the_device_does_not_tell_whoever_has_it_open_counts() -> None:
    counts = iter([None, 0, 3])
    sink = V4L2LoopbackSink("/dev/video10", lambda _: FakeLoopback(), count_open=lambda: next(counts))
    sink.open(CAPS)
    assert [sink.consumers for _ in range(3)] == [None, 0, 3]


def test_a_rate_that_cannot_be_set_does_no_harm() -> None:
    node = FakeLoopback()
    node.failures["set_frame_rate"] = errno.ENOTTY
    sink_on(node).open(CAPS)


def test_a_device_that_goes_away_is_an_error() -> None:
    node = FakeLoopback()
    sink = sink_on(node)
    sink.open(CAPS)
    node.failures["write"] = errno.ENODEV
    with pytest.raises(SinkError, match="the device is gone"):
        sink.write(safe())


def test_what_is_no_loopback_is_refused() -> None:
    with pytest.raises(SinkError, match="not a v4l2loopback device"):
        sink_on(FakeLoopback(flags=1, driver="uvcvideo")).open(CAPS)
    with pytest.raises(SinkError, match="modprobe v4l2loopback"):
        V4L2LoopbackSink("/dev/scrim-has-no-such-node").open(CAPS)

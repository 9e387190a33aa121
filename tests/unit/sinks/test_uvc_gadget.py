"""The gadget sink with a host at the other end: streams, pictures, controls, and hosts that vanish."""

import errno
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest
import simplejpeg
from tests.waiting import until

from scrim.config import GadgetSettings
from scrim.core.composite.compositor import Compositor
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.gadget_node import EventKind, HostEvent
from scrim.core.gadget_node_fake import FakeGadgetNode
from scrim.core.sinks.uvc_gadget import UVCGadgetSink
from scrim.core.sinks.uvc_stream import STALL_S, Pace
from scrim.errors import SinkError
from scrim.frame import Caps, Frame, FramePool, Plane, Planes, SafeFrame
from scrim.uvc.controls import LoneShutter
from scrim.uvc.offers import Speed, offers_at

SETTINGS = GadgetSettings(formats=("MJPG", "YUYV"), sizes=("128x96", "64x64"), frame_rates=(30, 15))
OFFERS = offers_at(Speed.HIGH, SETTINGS.wish)
CAPS = Caps(128, 96, 30)


class Rig:
    """A sink on a fake node, and what its host does."""

    def __init__(self, settings: GadgetSettings = SETTINGS) -> None:
        self.node = FakeGadgetNode(offers_at(Speed.HIGH, settings.wish))
        self.shutter = LoneShutter()
        self.sink = UVCGadgetSink(settings, self.shutter, lambda _: self.node, lambda: "/dev/video9")

    def commit(self, format_index: int, frame_index: int, interval: int = 333333) -> None:
        block = struct.pack("<HBBI26x", 1, format_index, frame_index, interval)
        for selector in (1, 2):
            assert self.node.host_send(struct.pack("<BBHHH", 0x21, 1, selector << 8, 1, 34), block)

    def stream(
        self, format_index: int = 1, frame_index: int = 1, interval: int = 333333, caps: Caps = CAPS
    ) -> None:
        """Plug in, agree, start; the first picture is fetched."""
        self.sink.open(caps)
        self.node.host_plug()
        self.commit(format_index, frame_index, interval)
        self.node.host_start()
        self.node.host_picture()

    def send(self, frame: SafeFrame) -> tuple[str, tuple[int, int], bytes]:
        """Write a frame as often as it takes until it is time for one; what the host got."""
        self.node.pictures.clear()
        until(lambda: self.sink.write(frame) or bool(self.node.pictures))
        return self.node.host_picture()

    def control(self, unit: int, selector: int, value: int, size: int = 2) -> None:
        packet = struct.pack("<BBHHH", 0x21, 1, selector << 8, unit << 8, size)
        assert self.node.host_send(packet, value.to_bytes(size, "little", signed=value < 0))
        # Data are not answered: whoever gets the next answer knows that they were taken.
        self.node.host_ask(struct.pack("<BBHHH", 0xA1, 0x81, selector << 8, unit << 8, size))


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.sink.close()


def placeholder(reason: Reason = Reason.STARTING) -> SafeFrame:
    return PlaceholderPainter(CAPS.size).paint(reason, 1)


def of_camera(i420: Plane) -> SafeFrame:
    """A safe frame with these pixels."""
    size = (i420.shape[1], i420.shape[0] * 2 // 3)
    safe = Compositor(size, FramePool(size, 1)).pass_raw(Frame(Planes.of(i420), time.monotonic_ns(), 0), 1)
    assert safe is not None
    return safe


def flat(y: int, u: int = 128, v: int = 128, size: tuple[int, int] = CAPS.size) -> SafeFrame:
    """A camera picture in one colour."""
    i420 = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
    for plane, value in zip(Planes.of(i420), (y, u, v), strict=True):
        plane[:] = value
    return of_camera(i420)


def luma(picture: tuple[str, tuple[int, int], bytes]) -> float:
    """Mean luma of a YUYV picture, or of a JPEG's, which goes from 0 to 255."""
    fourcc, (width, height), data = picture
    if fourcc == "YUYV":
        return float(np.frombuffer(data, np.uint8)[0::2].mean())
    gray = simplejpeg.decode_jpeg(data, "GRAY")
    assert gray.shape[:2] == (height, width)
    return float(gray.mean())


def test_the_host_sees_the_camera_while_the_sink_is_open(rig: Rig) -> None:
    assert not rig.node.is_connected
    rig.sink.open(CAPS)
    assert rig.node.is_connected
    rig.sink.close()
    assert not rig.node.is_open


def test_nothing_is_sent_before_the_host_starts(rig: Rig) -> None:
    rig.sink.open(CAPS)
    rig.node.host_plug()
    rig.commit(1, 1)
    rig.sink.write(flat(90))
    assert rig.sink.consumers == 0
    assert not rig.node.pictures


@pytest.mark.parametrize("format_index", [1, 2])
def test_each_stream_begins_with_the_placeholder(rig: Rig, format_index: int) -> None:
    rig.sink.open(CAPS)
    rig.sink.write(placeholder())
    rig.node.host_plug()
    for _ in range(3):
        rig.sink.write(flat(200))
        rig.commit(format_index, 1)
        rig.node.host_start()
        first = rig.node.host_picture()
        rig.sink.write(flat(200))
        second = rig.node.host_picture()
        assert luma(first) < 100
        assert luma(second) > 180
        rig.node.host_stop()


def test_before_any_placeholder_a_stream_begins_black(rig: Rig) -> None:
    rig.sink.open(CAPS)
    rig.node.host_plug()
    rig.commit(2, 1)
    rig.node.host_start()
    assert luma(rig.node.host_picture()) == 16


def test_yuyv_has_the_pixels_of_the_frame(rig: Rig) -> None:
    rig.stream(2, 1)
    i420 = np.random.default_rng(3).integers(16, 236, (144, 128), np.uint8)
    rig.sink.write(of_camera(i420))
    _, _, data = rig.node.host_picture()
    planes, pixels = Planes.of(i420), np.frombuffer(data, np.uint8).reshape(96, 128, 2)
    assert np.array_equal(pixels[..., 0], planes.y)
    assert np.array_equal(pixels[:, 0::2, 1], planes.u.repeat(2, axis=0))
    assert np.array_equal(pixels[:, 1::2, 1], planes.v.repeat(2, axis=0))


def test_a_jpeg_has_the_colours_of_the_frame(rig: Rig) -> None:
    """Video's range becomes JPEG's: (81, 90, 240) is pure red."""
    rig.stream(1, 1)
    rig.sink.write(flat(81, 90, 240))
    _, _, data = rig.node.host_picture()
    assert simplejpeg.decode_jpeg(data, "RGB").reshape(-1, 3).mean(0) == pytest.approx([254, 0, 0], abs=3)


def test_a_picture_of_another_shape_is_cut_at_its_longer_side(rig: Rig) -> None:
    """128x96 to 64x64: the middle 96 columns remain."""
    i420 = np.full((144, 128), 128, np.uint8)
    i420[:96] = 60
    i420[:96, 16:112] = 180
    rig.stream(2, 2)
    rig.sink.write(of_camera(i420))
    _, size, data = rig.node.host_picture()
    assert size == (64, 64)
    luma_plane = np.frombuffer(data, np.uint8)[0::2].reshape(64, 64)
    assert luma_plane.min() >= 178


def test_a_larger_size_than_the_pipelines_is_scaled_up() -> None:
    rig = Rig(GadgetSettings(formats=("YUYV",), sizes=("256x192",), frame_rates=(30,)))
    rig.stream(1, 1)
    rig.sink.write(flat(120, 100, 150))
    _, size, data = rig.node.host_picture()
    rig.sink.close()
    assert size == (256, 192)
    assert np.frombuffer(data, np.uint8).reshape(-1, 4).mean(0).tolist() == [120, 100, 120, 150]


def test_brightness_contrast_and_zoom_change_the_picture(rig: Rig) -> None:
    i420 = np.full((144, 128), 128, np.uint8)
    i420[:96] = 60
    i420[32:64, 42:86] = 180
    rig.stream(2, 1)

    def sent() -> Plane:
        return np.frombuffer(rig.send(of_camera(i420))[2], np.uint8)[0::2].reshape(96, 128)

    assert (sent()[48, 64], sent()[10, 10]) == (180, 60)
    rig.control(2, 2, 30)
    assert (sent()[48, 64], sent()[10, 10]) == (210, 90)
    rig.control(2, 2, 0)
    rig.control(2, 3, 50)
    assert (sent()[48, 64], sent()[10, 10]) == (153, 93)
    rig.control(2, 3, 100)
    rig.control(1, 0x0B, 300)
    assert sent().min() > 170


def test_the_placeholder_is_shown_as_it_is_whatever_the_host_sets(rig: Rig) -> None:
    rig.stream(2, 1)
    for unit, selector, value in ((2, 2, 60), (2, 3, 0), (1, 0x0B, 300)):
        rig.control(unit, selector, value)
    frame = placeholder(Reason.NOBODY)
    data = np.frombuffer(rig.send(frame)[2], np.uint8)
    assert np.array_equal(data[0::2].reshape(96, 128), frame.planes.y)


def test_the_hosts_privacy_switch_is_the_cameras(rig: Rig) -> None:
    rig.sink.open(CAPS)
    rig.node.host_plug()
    ask = struct.pack("<BBHHH", 0xA1, 0x81, 0x1100, 0x100, 1)
    assert rig.node.host_ask(ask) == b"\0"
    rig.shutter.is_private = True
    assert rig.node.host_ask(ask) == b"\1"
    rig.control(1, 0x11, 0, 1)
    assert not rig.shutter.is_private


def test_a_jpeg_that_the_bus_could_not_carry_is_compressed_more() -> None:
    """At 1024 bytes in each microframe and 60 pictures a second 121 kB fit; noise at 95 takes more."""
    settings = GadgetSettings(
        formats=("MJPG",), sizes=("640x480",), frame_rates=(60,), quality=95, packet_bytes=1024
    )
    rig = Rig(settings)
    rig.stream(1, 1, 166666, Caps(640, 480, 60))
    noise = of_camera(np.random.default_rng(1).integers(0, 256, (720, 640), np.uint8))
    lengths = [len(rig.send(noise)[2]) for _ in range(6)]
    rig.sink.close()
    assert max(lengths) <= 1012 * 8000 / 60
    assert min(lengths) > 30_000


def test_the_host_gets_no_more_pictures_than_it_asked_for() -> None:
    pace = Pace(1 / 15)
    assert sum(pace.is_due(number / 30) for number in range(300)) == 150
    pace = Pace(1 / 25)
    assert sum(pace.is_due(number / 30) for number in range(300)) == pytest.approx(250, abs=2)
    pace = Pace(1 / 30)
    assert sum(pace.is_due(number / 30 + 0.004 * (number % 2)) for number in range(300)) == 300


def test_a_host_that_sleeps_is_no_consumer_until_it_wakes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.stream(2, 1)
    assert rig.sink.consumers == 1
    rig.node.takes_pictures = False
    stream = rig.sink._host._stream  # type: ignore[union-attr]
    until(lambda: rig.sink.write(flat(90)) or not stream._free)  # type: ignore[union-attr]
    assert rig.sink.consumers == 1
    now_s = time.monotonic()
    monkeypatch.setattr(stream, "_clock_s", lambda: now_s + STALL_S + 1)
    assert rig.sink.consumers == 0
    monkeypatch.undo()
    rig.node.host_wake()
    rig.sink.write(flat(90))
    assert rig.sink.consumers == 1


def test_a_cable_pulled_out_ends_the_stream_and_another_host_may_come(rig: Rig) -> None:
    rig.stream(2, 1)
    rig.node.host_unplug()
    rig.sink.write(flat(90))
    until(lambda: rig.sink.consumers == 0)
    rig.sink.write(flat(90))
    rig.node.host_plug()
    rig.commit(1, 1)
    rig.node.host_start()
    assert rig.node.host_picture()[0] == "MJPG"


def test_a_host_that_the_kernel_does_not_announce_is_met_at_its_first_request(rig: Rig) -> None:
    """After a stream was cut off there is no event for the next connection; the bus may be slower now."""
    rig.stream(2, 1)
    rig.node.host_unplug()
    until(lambda: rig.sink.consumers == 0)
    rig.node.host_replug_silently(Speed.FULL)
    answer = rig.node.host_ask(struct.pack("<BBHHH", 0xA1, 0x87, 0x100, 1, 34))
    assert answer is not None
    assert int.from_bytes(answer[22:26], "little") == 1023


def test_a_gadget_taken_down_lets_its_node_go_at_once_and_is_an_error(rig: Rig) -> None:
    rig.stream(2, 1)
    rig.node.host_fail("events", errno.ENODEV)
    until(lambda: not rig.node.is_open)
    with pytest.raises(SinkError, match=r"taken down.*scrim gadget up"):
        rig.sink.write(flat(90))
    rig.sink.close()


def test_a_stream_that_cannot_be_made_is_granted_empty_and_the_next_may_work(rig: Rig) -> None:
    rig.sink.open(CAPS)
    rig.node.host_plug()
    rig.commit(2, 1)
    rig.node.failures["allocate"] = errno.ENOMEM
    rig.node.host_event(HostEvent(EventKind.STREAM_ON))
    assert rig.node.host_ask(struct.pack("<BBHHH", 0xA1, 0x81, 0x100, 1, 34))
    assert rig.sink.consumers == 0
    del rig.node.failures["allocate"]
    rig.node.host_start()
    assert rig.node.host_picture()[0] == "YUYV"


def test_a_set_up_packet_that_was_overtaken_is_not_answered(rig: Rig) -> None:
    rig.sink.open(CAPS)
    ask = struct.pack("<BBHHH", 0xA1, 0x85, 0x100, 1, 2)
    rig.node.host_event(HostEvent(EventKind.SETUP, b"\xff" * 8), HostEvent(EventKind.SETUP, ask))
    until(lambda: bool(rig.node.responses))
    assert list(rig.node.responses) == [b"\x22\0"]


def test_no_gadget_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(SinkError, match=r"no USB gadget is set up.*scrim gadget up"):
        UVCGadgetSink(SETTINGS, find=lambda: None).open(CAPS)


def test_a_gadget_set_up_with_other_formats_is_refused(rig: Rig) -> None:
    other = GadgetSettings(formats=("MJPG",), sizes=("640x480",))
    sink = UVCGadgetSink(other, open_node=lambda _: rig.node, find=lambda: "/dev/video9")
    with pytest.raises(
        SinkError, match=r"MJPG 128x96, 64x64; YUYV 128x96.*settings say MJPG 640x480.*restart"
    ):
        sink.open(CAPS)
    assert not rig.node.is_open


def test_the_doctors_look_shows_the_host_nothing(rig: Rig) -> None:
    assert rig.sink.look() == "/dev/video9"
    assert not rig.node.is_connected
    assert not rig.node.is_open


def test_a_node_of_something_else_is_refused() -> None:
    node = FakeGadgetNode(OFFERS, driver="uvcvideo")
    with pytest.raises(SinkError, match="belongs to uvcvideo"):
        UVCGadgetSink(SETTINGS, open_node=lambda _: node, find=lambda: "/dev/video9").open(CAPS)


def test_a_gadget_that_another_program_serves_is_refused(rig: Rig) -> None:
    rig.node.failures["connect"] = errno.EBUSY
    with pytest.raises(SinkError, match=r"/dev/video9 is served by .*; stop it"):
        rig.sink.open(CAPS)
    assert not rig.node.is_open

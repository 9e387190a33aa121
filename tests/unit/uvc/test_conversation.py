"""The conversation with a host, without a kernel: every request has its answer or its refusal."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrim.config import GadgetSettings
from scrim.uvc.controls import Levels, LoneShutter
from scrim.uvc.conversation import Conversation
from scrim.uvc.offers import Speed, offers_at
from scrim.uvc.requests import Fault, Request

WISH = GadgetSettings().wish
OFFERS = offers_at(Speed.HIGH, WISH)
GET, SET = 0xA1, 0x21
PROBE, COMMIT = 1, 2
BLOCK = struct.Struct("<HBBIHHHHHIIIBBBB")


def streaming(request: int, selector: int, length: int = 34) -> bytes:
    return struct.pack("<BBHHH", SET if request == 1 else GET, request, selector << 8, 1, length)


def control(request: int, unit: int, selector: int, length: int) -> bytes:
    return struct.pack("<BBHHH", SET if request == 1 else GET, request, selector << 8, unit << 8, length)


class Host:
    """A conversation, its levels and its shutter."""

    def __init__(self) -> None:
        self.levels, self.shutter = Levels(), LoneShutter()
        self.talk = Conversation(WISH, self.levels, self.shutter)

    def get(self, packet: bytes) -> bytes:
        answer = self.talk.setup(packet)
        assert answer is not None
        return answer

    def number(self, packet: bytes) -> int:
        return int.from_bytes(self.get(packet), "little", signed=True)

    def send(self, packet: bytes, data: bytes) -> None:
        assert self.get(packet) == bytes(len(data))
        self.talk.data(data)

    def probe(self, **fields: int) -> dict[str, int]:
        """Ask for a stream; what is granted."""
        self.send(streaming(1, PROBE), block(**fields))
        return fields_of(self.get(streaming(0x81, PROBE)))

    def fault(self) -> int:
        return self.get(control(0x81, 0, 2, 1))[0]


NAMES = ("hint", "format", "frame", "interval", *("",) * 4, "delay", "size", "packet", "clock", "framing")


def block(**fields: int) -> bytes:
    return BLOCK.pack(*(fields.get(name, 0) for name in (*NAMES, "", "", "")))


def fields_of(data: bytes) -> dict[str, int]:
    values = BLOCK.unpack(data)
    return {name: value for name, value in zip(NAMES, values, strict=False) if name}


def test_every_offer_can_be_had() -> None:
    host = Host()
    for format_index, offer in enumerate(OFFERS.formats, 1):
        for frame_index, frame in enumerate(offer.frames, 1):
            for interval in frame.intervals:
                wish = {"format": format_index, "frame": frame_index, "interval": interval}
                granted = host.probe(**wish)
                assert granted | wish == granted
                assert granted["size"] == frame.buffer_bytes
                assert granted["packet"] == 2048
                host.send(streaming(1, COMMIT), block(**wish))
                stream = host.talk.stream
                assert (stream.fourcc, stream.size) == (offer.fourcc, frame.size)
                assert stream.interval_s == pytest.approx(interval / 1e7)


def test_a_host_that_asks_for_nothing_gets_the_default() -> None:
    host = Host()
    default = fields_of(host.get(streaming(0x87, PROBE)))
    assert (default["format"], default["frame"], default["interval"]) == (1, 1, 333333)
    assert fields_of(host.get(streaming(0x81, PROBE))) == default
    assert host.probe() == default


@pytest.mark.parametrize(
    ("wanted", "given_"), [(1, 333333), (350000, 333333), (390000, 400000), (9999999, 666666)]
)
def test_the_nearest_interval_is_granted(wanted: int, given_: int) -> None:
    assert Host().probe(format=1, frame=1, interval=wanted)["interval"] == given_


def test_an_index_that_is_not_there_becomes_the_nearest() -> None:
    granted = Host().probe(format=200, frame=77)
    assert (granted["format"], granted["frame"]) == (2, 2)


def test_probing_commits_to_nothing() -> None:
    host = Host()
    host.send(streaming(1, COMMIT), block(format=2, frame=1, interval=400000))
    host.probe(format=1, frame=3)
    assert host.talk.stream.fourcc == "YUYV"


def test_minimum_and_maximum_are_the_intervals_of_the_size_in_hand() -> None:
    host = Host()
    host.probe(format=2, frame=2, interval=400000)
    lowest, highest = (fields_of(host.get(streaming(request, PROBE))) for request in (0x82, 0x83))
    assert (lowest["format"], lowest["frame"], lowest["interval"]) == (2, 2, 400000)
    assert (highest["format"], highest["frame"], highest["interval"]) == (2, 2, 666666)


@pytest.mark.parametrize("length", [26, 34, 48])
def test_hosts_of_every_revision_are_understood(length: int) -> None:
    """Revision 1.0 has 26 bytes, 1.1 has 34, 1.5 has 48; a host sends its own length."""
    host = Host()
    sent = block(format=2, frame=1, interval=666666).ljust(48, b"\0")[:length]
    host.send(streaming(1, PROBE, length), sent)
    answer = host.get(streaming(0x81, PROBE, length))
    assert len(answer) == min(length, 34)
    assert answer[2:8] == sent[2:8]


def test_a_new_host_starts_from_nothing() -> None:
    host = Host()
    host.send(streaming(1, COMMIT), block(format=2))
    host.talk.connect(Speed.HIGH)
    assert host.talk.stream.fourcc == "MJPG"


def test_at_full_speed_the_small_offers_hold() -> None:
    host = Host()
    host.talk.connect(Speed.FULL)
    granted = host.probe(format=2, frame=3, interval=333333)
    assert (granted["format"], granted["frame"], granted["interval"], granted["packet"]) == (
        1,
        1,
        666666,
        1023,
    )


@pytest.mark.parametrize(
    ("unit", "selector", "size", "lowest", "highest", "default"),
    [(1, 0x0B, 2, 100, 300, 100), (1, 0x11, 1, 0, 1, 0), (2, 2, 2, -64, 64, 0), (2, 3, 2, 0, 200, 100)],
    ids=["zoom", "privacy", "brightness", "contrast"],
)
def test_a_control_says_what_it_has_and_takes_it(
    unit: int, selector: int, size: int, lowest: int, highest: int, default: int
) -> None:
    host = Host()
    assert host.number(control(0x85, unit, selector, 2)) == size
    asked = [
        host.number(control(request, unit, selector, size)) for request in (0x82, 0x83, 0x84, 0x87, 0x81)
    ]
    assert asked == [lowest, highest, 1, default, default]
    assert host.get(control(0x86, unit, selector, 1))[0] & 3 == 3
    for value in (lowest, highest):
        host.send(control(1, unit, selector, size), value.to_bytes(size, "little", signed=value < 0))
        assert host.number(control(0x81, unit, selector, size)) == value


def test_levels_and_shutter_are_what_the_host_set() -> None:
    host = Host()
    host.send(control(1, 2, 2, 2), (-20).to_bytes(2, "little", signed=True))
    host.send(control(1, 2, 3, 2), (150).to_bytes(2, "little"))
    host.send(control(1, 1, 0x0B, 2), (220).to_bytes(2, "little"))
    host.send(control(1, 1, 0x11, 1), b"\1")
    assert (host.levels.brightness, host.levels.contrast, host.levels.zoom) == (-20, 150, 220)
    assert host.shutter.is_private


def test_privacy_says_that_others_change_it_too() -> None:
    """Linux asks such a control again each time, and remembers the others' values."""
    host = Host()
    assert host.get(control(0x86, 1, 0x11, 1)) == b"\x0b"
    assert host.get(control(0x86, 2, 2, 1)) == b"\x03"
    host.shutter.is_private = True
    assert host.get(control(0x81, 1, 0x11, 1)) == b"\1"


@pytest.mark.parametrize(
    ("packet", "fault"),
    [
        (control(0x81, 9, 2, 2), Fault.INVALID_UNIT),
        (control(0x81, 1, 2, 1), Fault.INVALID_CONTROL),
        (control(0x81, 3, 1, 1), Fault.INVALID_CONTROL),
        (streaming(0x81, 5), Fault.INVALID_CONTROL),
        (control(1, 0, 2, 1), Fault.INVALID_CONTROL),
        (struct.pack("<BBHHH", 0xA1, 0x01, 0x0100, 1, 34), Fault.INVALID_REQUEST),
        (struct.pack("<BBHHH", 0x21, 0x81, 0x0100, 1, 34), Fault.INVALID_REQUEST),
        (struct.pack("<BBHHH", 0xA1, 0x9F, 0x0100, 1, 34), Fault.INVALID_REQUEST),
        (struct.pack("<BBHHH", 0xA1, 0x81, 0x0100, 5, 34), Fault.INVALID_REQUEST),
        (struct.pack("<BBHHH", 0x80, 0x06, 0x0100, 0, 18), Fault.INVALID_REQUEST),
        (streaming(1, PROBE, 61), Fault.INVALID_REQUEST),
        (streaming(1, PROBE, 0), Fault.INVALID_REQUEST),
        (b"", Fault.INVALID_REQUEST),
    ],
)
def test_a_refusal_has_a_reason_that_can_be_asked_once(packet: bytes, fault: Fault) -> None:
    host = Host()
    assert host.talk.setup(packet) is None
    assert host.fault() == fault
    assert host.fault() == Fault.NONE


def test_a_value_out_of_range_changes_nothing_and_the_host_can_ask_why() -> None:
    host = Host()
    for data in ((65).to_bytes(2, "little"), (0x8000).to_bytes(2, "little"), b"\1"):
        assert host.talk.setup(control(1, 2, 2, 2)) is not None
        host.talk.data(data)
        assert host.fault() == Fault.OUT_OF_RANGE
    assert host.levels.brightness == 0


def test_data_that_nobody_asked_for_is_ignored() -> None:
    host = Host()
    host.talk.data(block(format=2))
    host.get(streaming(0x81, PROBE))
    host.talk.data(block(format=2))
    assert fields_of(host.get(streaming(0x81, PROBE)))["format"] == 1


def test_no_answer_is_longer_than_the_host_takes() -> None:
    host = Host()
    for request in Request:
        for length in (1, 2, 8, 26, 34, 60, 4096):
            answer = host.talk.setup(streaming(request, PROBE, length))
            assert answer is None or len(answer) <= min(length, 60)


messages = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda kind, code, value, index, length: struct.pack("<BBHHH", kind, code, value, index, length),
        st.sampled_from([0x21, 0xA1, 0x80, 0x22, 0xFF]),
        st.one_of(st.sampled_from(list(Request)), st.integers(0, 255)),
        st.one_of(st.sampled_from([0x100, 0x200, 0x300, 0xB00, 0x1100]), st.integers(0, 0xFFFF)),
        st.one_of(st.sampled_from([0, 1, 0x100, 0x200]), st.integers(0, 0xFFFF)),
        st.integers(0, 0xFFFF),
    ),
)


@given(st.lists(st.tuples(messages, st.binary(max_size=64))))
def test_whatever_a_host_says_the_camera_stays_within_its_offers(said: list[tuple[bytes, bytes]]) -> None:
    """A hostile host sends anything: nothing raises, answers are short, each state is one of the offers."""
    host = Host()
    for packet, data in said:
        answer = host.talk.setup(packet)
        assert answer is None or len(answer) <= min(60, int.from_bytes(packet[6:8], "little"))
        host.talk.data(data)
        stream, levels = host.talk.stream, host.levels
        offer = next(offer for offer in OFFERS.formats if offer.fourcc == stream.fourcc)
        frame = next(frame for frame in offer.frames if frame.size == stream.size)
        assert round(stream.interval_s * 1e7) in frame.intervals
        assert 100 <= levels.zoom <= 300
        assert 0 <= levels.contrast <= 200
        assert -64 <= levels.brightness <= 64

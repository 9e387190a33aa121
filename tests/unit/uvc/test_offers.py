"""What is offered: only what fits through the bus, in the order of the settings."""

import pytest
from pydantic import ValidationError

from scrim.config import GadgetSettings, Settings
from scrim.errors import ConfigError
from scrim.uvc.offers import UNIT_HZ, Offers, Speed, Wish, interval_of, offers_at

SIZES = [(1280, 720), (640, 360), (640, 480), (1920, 1080)]
RATES = [30, 25, 15]


def shape(offers: Offers) -> dict[str, dict[tuple[int, int], list[int]]]:
    return {
        offer.fourcc: {
            frame.size: [round(UNIT_HZ / each) for each in frame.intervals] for frame in offer.frames
        }
        for offer in offers.formats
    }


@pytest.mark.parametrize(
    ("packet_bytes", "yuyv"),
    [
        (1024, {(640, 360): [15]}),
        (2048, {(640, 360): [30, 25, 15], (640, 480): [25, 15]}),
        (3072, {(640, 360): [30, 25, 15], (640, 480): [30, 25, 15]}),
    ],
)
def test_at_high_speed_yuyv_is_offered_where_its_bytes_fit(
    packet_bytes: int, yuyv: dict[tuple[int, int], list[int]]
) -> None:
    offered = shape(offers_at(Speed.HIGH, Wish(["MJPG", "YUYV"], SIZES, RATES, packet_bytes)))
    assert offered["YUYV"] == yuyv
    assert offered["MJPG"] == dict.fromkeys(SIZES, RATES)


@pytest.mark.parametrize("packet_bytes", [1024, 2048, 3072])
def test_what_is_offered_in_yuyv_takes_less_than_the_bus_carries(packet_bytes: int) -> None:
    offers = offers_at(Speed.HIGH, Wish(["YUYV"], SIZES, range(1, 61), packet_bytes))
    for frame in offers.formats[0].frames:
        assert frame.buffer_bytes * UNIT_HZ / frame.intervals[0] <= packet_bytes * 8000 * 0.999
    assert offers.bytes_per_s < packet_bytes * 8000


def test_the_order_is_that_of_the_settings_and_intervals_rise() -> None:
    offers = offers_at(Speed.HIGH, Wish(["YUYV", "MJPG"], [(640, 480), (640, 360)], [15, 30], 2048))
    assert [offer.fourcc for offer in offers.formats] == ["YUYV", "MJPG"]
    assert [frame.size for frame in offers.formats[1].frames] == [(640, 480), (640, 360)]
    assert offers.formats[1].frames[0].intervals == (333333, 666666)


def test_at_full_speed_there_is_one_small_compressed_size() -> None:
    offers = offers_at(Speed.FULL, Wish(["YUYV"], SIZES, RATES, 2048))
    assert shape(offers) == {"MJPG": {(640, 360): [15]}}
    assert offers.packet_bytes == 1023


def test_intervals_are_those_that_cameras_name() -> None:
    assert [interval_of(rate) for rate in (30, 25, 15)] == [333333, 400000, 666666]


def test_the_settings_wish_is_theirs() -> None:
    wish = Settings().gadget.wish
    assert wish == Wish(
        ("MJPG", "YUYV"), [(1280, 720), (640, 360), (640, 480), (1920, 1080)], (30, 25, 15), 2048
    )


def test_a_format_of_which_nothing_fits_is_an_error_with_its_mend() -> None:
    with pytest.raises(ConfigError, match=r"fits through the bus as YUYV.*add 640x360 and 15"):
        Settings().patched({"gadget": {"formats": ["YUYV"], "sizes": ["1920x1080"]}})


@pytest.mark.parametrize(
    "section",
    [
        {"formats": []},
        {"formats": ["H264"]},
        {"formats": ["MJPG", "MJPG"]},
        {"sizes": ["1280"]},
        {"sizes": ["641x360"]},
        {"sizes": ["8192x4320"]},
        {"sizes": ["640x360", "640x360"]},
        {"frame_rates": [0]},
        {"frame_rates": [61]},
        {"quality": 100},
        {"packet_bytes": 512},
        {"product": "Kamera im Büro"},
        {"product": "x" * 32},
        {"serial": "a\nb"},
        {"vendor_id": "0x1d6b"},
        {"udc": "../udc"},
    ],
)
def test_wrong_settings_are_refused(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GadgetSettings.model_validate(section)
    with pytest.raises(ConfigError, match=rf"gadget.{next(iter(section))}"):
        Settings().patched({"gadget": section})


def test_a_request_from_outside_cannot_change_what_hosts_see() -> None:
    with pytest.raises(ConfigError, match="local settings file"):
        Settings().patched({"gadget": {"product": "Kitchen"}}, live=True)

"""Names of devices that survive replugging, and noticing that one is back."""

from pathlib import Path

import pytest

from scrim.core.capture.stable_name import Comeback, stable_name


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    (tmp_path / "video0").touch()
    (tmp_path / "video1").touch()
    for name in ("by-id", "by-path"):
        (tmp_path / name).mkdir()
    return tmp_path


def name_of(device: Path, dev: Path) -> str | None:
    return stable_name(str(device), (dev / "by-id", dev / "by-path"))


def test_the_maker_and_serial_number_come_before_the_port(dev: Path) -> None:
    assert name_of(dev / "video0", dev) is None
    by_path = dev / "by-path" / "usb-0:1-video-index0"
    by_path.symlink_to(dev / "video0")
    assert name_of(dev / "video0", dev) == str(by_path)
    by_id = dev / "by-id" / "usb-Maker_Camera_1234-video-index0"
    by_id.symlink_to(dev / "video0")
    assert name_of(dev / "video0", dev) == str(by_id)
    assert name_of(dev / "video1", dev) is None


def test_a_stable_name_stays_what_it_is(dev: Path) -> None:
    by_path = dev / "by-path" / "usb-0:1-video-index0"
    assert name_of(by_path, dev) is None
    by_path.symlink_to(dev / "video0")
    (dev / "by-id" / "usb-Maker_Camera_1234-video-index0").symlink_to(dev / "video0")
    assert name_of(by_path, dev) == str(by_path)


def test_where_udev_keeps_no_names_there_is_none(tmp_path: Path) -> None:
    assert stable_name(str(tmp_path / "video0"), (tmp_path / "by-id",)) is None


def test_a_device_that_comes_is_noticed(dev: Path) -> None:
    comeback = Comeback(str(dev / "video7"))
    assert not comeback.has_happened()
    (dev / "video7").touch()
    assert comeback.has_happened()


def test_a_device_that_was_exchanged_is_noticed_and_one_that_stays_is_not(dev: Path) -> None:
    link = dev / "by-id" / "usb-cam"
    link.symlink_to(dev / "video0")
    comeback = Comeback(str(link))
    assert not comeback.has_happened()
    (dev / "video0").unlink()
    assert not comeback.has_happened()
    link.unlink()
    link.symlink_to(dev / "video1")
    assert comeback.has_happened()

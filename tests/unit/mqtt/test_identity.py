"""Who the device is, and how it shows itself."""

import asyncio
from pathlib import Path

import pytest

from scrim.config import Settings
from scrim.errors import DeviceError
from scrim.gateway.identify import blink
from scrim.gateway.identity import device_id_of, identify


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
        "sys/firmware/devicetree/base/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "sys/firmware/devicetree/base/serial-number": "10000000abcd\0",
        "sys/class/net/lo/address": "00:00:00:00:00:00\n",
        "sys/class/net/docker0/address": "02:42:00:00:00:01\n",
        "sys/class/net/eth0/address": "d8:3a:dd:00:00:01\n",
        "sys/class/net/eth0/device/uevent": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_board_says_what_it_is(root: Path) -> None:
    identity = identify(Settings(), root)
    assert identity.model == "Raspberry Pi 5 Model B Rev 1.0"
    assert identity.serial == "10000000abcd"
    assert identity.system == "Debian GNU/Linux 13 (trixie)"
    assert identity.mac == "d8:3a:dd:00:00:01"
    assert identity.name == f"Scrim {identity.id}"


def test_the_id_is_the_same_for_ever_and_not_the_machine_s_own(root: Path) -> None:
    device_id = identify(Settings(), root).id
    assert device_id == identify(Settings(), root).id
    assert Settings().patched({"device": {"id": device_id}}).device.id == device_id
    assert device_id not in (root / "etc/machine-id").read_text()
    (root / "etc/machine-id").write_text("another\n")
    assert identify(Settings(), root).id != device_id


def test_without_a_machine_id_the_network_card_stands_in(tmp_path: Path) -> None:
    assert device_id_of(tmp_path, lambda: 1) == device_id_of(tmp_path, lambda: 1)
    assert device_id_of(tmp_path, lambda: 1) != device_id_of(tmp_path, lambda: 2)


def test_an_empty_machine_is_still_somebody(tmp_path: Path) -> None:
    identity = identify(Settings(), tmp_path)
    assert identity.model
    assert (identity.serial, identity.mac) == ("", "")


def test_settings_name_it(root: Path) -> None:
    named = {"id": "b8a3f20c4d11", "name": "Office camera", "suggested_area": "Office"}
    identity = identify(Settings().patched({"device": named}), root)
    assert (identity.id, identity.name, identity.area) == ("b8a3f20c4d11", "Office camera", "Office")


@pytest.mark.parametrize(
    ("web", "url"),
    [
        ({}, ""),
        ({"host": "localhost"}, ""),
        ({"host": "0.0.0.0", "is_enabled": False}, ""),
        ({"host": "0.0.0.0", "hosts": ["camera.example.org"]}, "http://camera.example.org:8080/"),
        (
            {"host": "::", "hosts": ["camera.lan"], "certificate": "/c", "key": "/k"},
            "https://camera.lan:8080/",
        ),
    ],
)
def test_where_others_find_the_page(root: Path, web: dict[str, object], url: str) -> None:
    assert identify(Settings().patched({"web": web}), root).url == url


def light(root: Path, name: str = "ACT") -> Path:
    path = root / name
    path.mkdir(parents=True)
    (path / "trigger").write_text("none [mmc0] timer")
    (path / "brightness").write_text("0")
    return path


def test_the_light_blinks_and_is_as_it_was(tmp_path: Path) -> None:
    lamp = light(tmp_path)
    seen: list[tuple[str, str]] = []

    async def watch() -> None:
        while True:
            seen.append(((lamp / "trigger").read_text(), (lamp / "brightness").read_text()))
            await asyncio.sleep(0)

    async def scenario() -> None:
        watching = asyncio.create_task(watch())
        await blink(tmp_path, 3, 0.001)
        watching.cancel()

    asyncio.run(scenario())
    assert ("none", "1") in seen
    assert ("none", "0") in seen
    assert (lamp / "trigger").read_text() == "mmc0"


def test_without_a_light_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no light that can blink"):
        asyncio.run(blink(tmp_path))


def test_a_light_that_is_not_ours_says_what_helps(tmp_path: Path) -> None:
    lamp = light(tmp_path, "led0")
    (lamp / "trigger").unlink()
    (lamp / "trigger").mkdir()
    with pytest.raises(DeviceError, match="udev rule"):
        asyncio.run(blink(tmp_path, 1, 0))

"""One installed scrim for all tests of this folder, with a camera, a webcam, a broker and two passwords."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..usb import run, until
from ..video import Reader, Vivid
from . import stage

BROKER_PASSWORD = "of the broker"
PAGE_PASSWORD = "of the page, long enough"
CREDENTIALS = """
[Service]
LoadCredential=mqtt-password:/run/test-credentials/mqtt
LoadCredential=web-password:/run/test-credentials/web
"""
BROKER = """
listener 1883 127.0.0.1
password_file /run/test-credentials/accounts
allow_anonymous false
"""
NODE = Path("/dev/video10")


@dataclass(frozen=True, slots=True)
class Installed:
    """What the first installation did.

    Attributes:
        before: the listing of the guest's root from before.
        said: by the installer.
        took_s: for all of it, from an empty machine to running services.
    """

    before: dict[str, str]
    said: str
    took_s: float


@pytest.fixture(scope="package")
def installed() -> Iterator[Installed]:
    before = stage.listing()
    began_s = time.monotonic()
    said = stage.install_from_wheels()
    yield Installed(before, said, time.monotonic() - began_s)
    if Path("/run/guest/opt/scrim").exists():
        stage.install("--uninstall", "--purge")
    run("rmmod", "v4l2loopback", is_checked=False)


@pytest.fixture(scope="package")
def broker() -> Iterator[None]:
    """mosquitto, for those who know the password."""
    folder = Path("/run/test-credentials")
    folder.mkdir(mode=0o700)
    (folder / "mqtt").write_text(BROKER_PASSWORD)
    (folder / "web").write_text(PAGE_PASSWORD)
    (folder / "broker.conf").write_text(BROKER)
    stage.guest("mosquitto_passwd", "-b", "-c", folder / "accounts", "scrim", BROKER_PASSWORD)
    # As root, for the folder's sake.
    (folder / "broker.conf").write_text(f"user root\n{BROKER}")
    stage.guest("systemd-run", "--unit=test-broker", "mosquitto", "-c", folder / "broker.conf")
    yield
    stage.guest("systemctl", "stop", "test-broker")


@pytest.fixture(scope="package")
def appliance(installed: Installed, broker: None) -> Iterator[Installed]:
    """Configured by its owner, with a camera, and running."""
    camera = Vivid()
    stage.edit(stage.CHANGED)
    for section, key, value in (
        ("background_blur", "is_enabled", "false"),
        ("background_replacement", "is_enabled", "true"),
        ("mqtt", "is_enabled", "true"),
        ("mqtt", "username", '"scrim"'),
    ):
        stage.replace_in_section(section, key, value)
    with stage.dropped_in(stage.GATEWAY, CREDENTIALS, "credentials.conf"):
        stage.restart(*stage.UNITS)
        stage.until_live()
        yield installed
        stage.guest("systemctl", "stop", *stage.UNITS, is_checked=False)
    camera.remove()


@pytest.fixture
def reader(appliance: Installed) -> Iterator[Reader]:
    """A meeting that shows the webcam."""
    stage.until_live()
    until(NODE.exists, what="the webcam")
    with Reader(NODE) as reading:
        reading.after(0, "live")
        yield reading

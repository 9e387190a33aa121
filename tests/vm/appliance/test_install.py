"""What the installer leaves, and what runs then."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from scrim import __version__
from scrim.errors import ConfigError
from scrim.local.client import Client

from ..usb import run, until
from ..video import Reader
from . import stage
from .conftest import NODE, Installed

Measured = Callable[[str, list[float]], None]

pytestmark = [pytest.mark.appliance, pytest.mark.patience(2400)]


def test_it_says_what_it_does_and_ends_with_running_services(
    installed: Installed, measured: Measured
) -> None:
    measured("scripts/install, from a wheelhouse", [installed.took_s])
    for step in (
        "Python environment /opt/scrim",
        "requirements/trixie.txt",
        "/etc/scrim/scrim.toml",
        "starting",
    ):
        assert step in installed.said
    for unit in stage.UNITS:
        assert stage.guest("systemctl", "is-enabled", unit).strip() == "enabled"
        assert stage.properties(unit, "ActiveState", "SubState") == {
            "ActiveState": "active",
            "SubState": "running",
        }
    assert stage.guest("/usr/local/bin/scrim", "--version").split()[-1] == __version__


def test_users_have_no_more_than_their_groups(installed: Installed) -> None:
    assert groups_of("scrim") == {"scrim", "video", "render", "gpio"}
    assert groups_of("scrim-gateway") == {"scrim-gateway", "scrim"}
    for user in ("scrim", "scrim-gateway"):
        assert stage.guest("getent", "passwd", user).strip().endswith("/nologin")


def groups_of(user: str) -> set[str]:
    return set(stage.guest("id", "-nG", user).split())


def test_settings_state_and_socket_are_nobody_elses(installed: Installed) -> None:
    paths = ("/etc/scrim", "/etc/scrim/scrim.toml", "/var/lib/scrim", "/var/lib/scrim-gateway", "/run/scrim")
    told = stage.guest("stat", "--format=%n %a %U %G", *paths).splitlines()
    assert told == [
        "/etc/scrim 750 root scrim",
        "/etc/scrim/scrim.toml 640 root scrim",
        "/var/lib/scrim 700 scrim scrim",
        "/var/lib/scrim-gateway 700 scrim-gateway scrim",
        "/run/scrim 750 scrim scrim",
    ]
    assert 'sinks = ["v4l2loopback:/dev/video10"]' in stage.SETTINGS.read_text()


def test_a_camera_becomes_the_webcam(appliance: Installed, reader: Reader) -> None:
    told = stage.guest("scrim", "ctl", "status")
    assert "vivid" in told
    assert "sink v4l2loopback:/dev/video10" in told
    assert reader.errors == []
    assert Path("/sys/class/video4linux", NODE.name, "name").read_text().strip() == "scrim"


@pytest.mark.parametrize("unit", stage.UNITS)
def test_systemd_was_told_and_is_told_on(appliance: Installed, unit: str) -> None:
    told = stage.properties(unit, "Type", "NotifyAccess", "NRestarts", "WatchdogTimestampMonotonic")
    assert (told["Type"], told["NotifyAccess"]) == ("notify", "main")
    assert int(stage.properties(unit, "ActiveEnterTimestampMonotonic").popitem()[1]) > 0
    until(lambda: fed(unit) > int(told["WatchdogTimestampMonotonic"]) > 0, what="the next sign of life")
    assert stage.properties(unit, "NRestarts")["NRestarts"] == told["NRestarts"]


def fed(unit: str) -> int:
    return int(stage.properties(unit, "WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"])


def test_passwords_come_as_credentials(appliance: Installed) -> None:
    """The broker lets only those in who know its password; the page asks for its own."""

    def topics() -> str:
        words = (
            "mosquitto_sub",
            "-u",
            "scrim",
            "-P",
            "of the broker",
            "-t",
            "scrim/+/status",
            "-v",
            "-C",
            "1",
            "-W",
            "20",
        )
        return stage.guest(*words, is_checked=False)

    until(lambda: "/status online" in topics(), what="the device at the broker")
    answer = stage.guest("/opt/scrim/bin/python", "-c", ASK, stage.PAGE + "/snapshot.jpg", is_checked=False)
    assert answer.split() == ["401"]
    environment = Path(f"/proc/{stage.pid_of(stage.GATEWAY)}/environ").read_text()
    command = Path(f"/proc/{stage.pid_of(stage.GATEWAY)}/cmdline").read_text()
    for secret in ("of the broker", "of the page"):
        assert secret not in environment + command + stage.journal(stage.GATEWAY)


ASK = """
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_images_are_decoded_in_a_child_of_either_unit(appliance: Installed) -> None:
    """One that the core reads itself, and one that the gateway has to bring."""
    picture = Path("var/lib/scrim/backgrounds/probe.png")
    stage.guest("/opt/scrim/bin/python", "-c", PAINT, f"/{picture}")
    encoded = base64.b64encode((stage.GUEST / picture).read_bytes()).decode()
    with Client(stage.SOCKET, timeout_s=60) as client:
        for url in (f"file:/{picture}", f"data:image/png;base64,{encoded}"):
            until(lambda url=url: is_taken(client, url), what="the image")  # type: ignore[misc]
        client.reset()
    (stage.GUEST / picture).unlink()


def is_taken(client: Client, url: str) -> bool:
    """A busy machine may take longer to decode than anybody should wait."""
    try:
        client.set({"image": url})
    except ConfigError as error:
        if "takes too long" not in str(error):
            raise
        return False
    return True


PAINT = """
import sys, cv2, numpy as np
cv2.imwrite(sys.argv[1], np.full((90, 160, 3), 90, np.uint8))
"""


def test_an_upgrade_keeps_settings_and_changes_nothing_that_is_current(appliance: Installed) -> None:
    kept, files = stage.SETTINGS.read_text(), stage.listing()
    running = [stage.pid_of(unit) for unit in stage.UNITS]
    said = stage.install_from_wheels()
    assert "keeping /etc/scrim/scrim.toml" in said
    assert "installing" not in said.replace("scrim is installed", "")
    assert stage.SETTINGS.read_text() == kept
    assert set(stage.listing().items()) ^ set(files.items()) == set()
    assert [stage.pid_of(unit) for unit in stage.UNITS] == running
    stage.until_live()


def test_nothing_is_logged_but_to_the_journal(appliance: Installed) -> None:
    assert "camera: open" in stage.journal(stage.CORE)
    assert "core is here" in stage.journal(stage.GATEWAY)
    for unit in stage.UNITS:
        links = run("ls", "-l", f"/proc/{stage.pid_of(unit)}/fd")
        assert "/var/log" not in links

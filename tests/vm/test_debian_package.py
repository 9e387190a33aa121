"""The Debian package in the guest: installed, upgraded, removed, purged."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .appliance import stage
from .usb import run, until
from .wheels import FAILURE, PACKAGE

pytestmark = [pytest.mark.long_only, pytest.mark.debian_package, pytest.mark.patience(2400)]

Measured = Callable[[str, list[float]], None]

FILE = stage.SHARED / PACKAGE
OWN_BOOKS = re.compile(r"/var/lib/dpkg(/|$)|/var/log/(dpkg|alternatives)\.log|/var/cache/")
"""What dpkg writes about itself."""


DOCS = re.compile("/usr/share/(doc|man)/")
"""Which the guest's dpkg leaves out."""


def dpkg(*options: str | Path, is_checked: bool = True) -> str:
    assert not (stage.SHARED / FAILURE).exists(), (stage.SHARED / FAILURE).read_text()
    words = ("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confold", *options)
    return stage.guest(*words, limit_s=900, is_checked=is_checked)


def listing() -> dict[str, str]:
    return {path: line for path, line in stage.listing().items() if not OWN_BOOKS.match(path)}


@pytest.fixture(scope="module")
def before() -> Iterator[dict[str, str]]:
    """The guest's root without scrim, to which it is brought back."""
    yield listing()
    dpkg("--purge", "scrim", is_checked=False)
    run("rmmod", "v4l2loopback", is_checked=False)


def test_it_gives_way_to_what_scripts_install_left(before: dict[str, str]) -> None:
    mark = stage.GUEST / "opt/scrim/.installed-locked"
    mark.parent.mkdir()
    mark.touch()
    said = dpkg("--install", FILE, is_checked=False)
    assert "sudo scripts/install --uninstall" in said
    mark.unlink()
    mark.parent.rmdir()


def test_it_installs_and_runs(before: dict[str, str]) -> None:
    dpkg("--install", FILE)
    for unit in stage.UNITS:
        assert stage.guest("systemctl", "is-active", unit).strip() == "active"
        assert stage.guest("systemctl", "is-enabled", unit).strip() == "enabled"
    assert stage.guest("systemctl", "is-enabled", stage.GADGET, is_checked=False).strip() == "disabled"
    until(stage.status, what="the core's status")
    assert "v4l2loopback:/dev/video10" in stage.guest("/usr/bin/scrim", "ctl", "status")
    told = stage.guest("dpkg", "--verify", "scrim", is_checked=False).splitlines()
    assert [line for line in told if not DOCS.search(line)] == []
    told = stage.guest("stat", "--format=%a %U %G", "/etc/scrim", "/etc/scrim/scrim.toml").split("\n")
    assert told[:2] == ["750 root scrim", "640 root scrim"]
    assert "conffile" in stage.guest("dpkg-query", "-W", "-f", "${Conffiles}conffile", "scrim")


def test_modules_are_compiled_when_it_is_installed(before: dict[str, str]) -> None:
    """The services may not write there, and would compile everything at each start."""
    compiled = stage.GUEST / "opt/scrim/lib/python3.13/site-packages/scrim/core/__pycache__"
    assert any(compiled.glob("service.*.pyc"))


def test_an_upgrade_keeps_what_the_owner_set(before: dict[str, str]) -> None:
    """Settings stay, what was switched off stays off, and the rest is started anew."""
    stage.edit({"filter_cpu_utilization": "31.0"})
    stage.guest("systemctl", "disable", "--now", stage.GATEWAY)
    kept, old = stage.SETTINGS.read_text(), stage.pid_of(stage.CORE)
    dpkg("--install", FILE)
    assert stage.SETTINGS.read_text() == kept
    assert "640 root scrim" in stage.guest("stat", "--format=%a %U %G", "/etc/scrim/scrim.toml")
    assert stage.pid_of(stage.CORE) not in (0, old)
    assert stage.guest("systemctl", "is-enabled", stage.GATEWAY, is_checked=False).strip() == "disabled"
    until(stage.status, what="the core's status")
    stage.guest("systemctl", "enable", "--now", stage.GATEWAY)


def test_a_new_version_with_new_settings_keeps_the_old_ones(before: dict[str, str]) -> None:
    kept = stage.SETTINGS.read_text()
    stage.guest("sh", "-c", NEXT_VERSION.format(file=FILE), limit_s=600)
    dpkg("--install", "/root/next.deb")
    assert stage.SETTINGS.read_text() == kept
    assert (stage.SETTINGS.with_suffix(".toml.dpkg-dist")).read_text().endswith("# new\n")
    assert stage.guest("dpkg-query", "-W", "-f", "${Version}", "scrim") == "9.0"
    until(stage.status, what="the core's status")
    stage.guest("rm", "/root/next.deb")


NEXT_VERSION = """
set -e
dpkg-deb -R {file} /root/next
sed -i 's/^Version: .*/Version: 9.0/' /root/next/DEBIAN/control
echo '# new' >>/root/next/etc/scrim/scrim.toml
dpkg-deb -Znone -b /root/next /root/next.deb
rm -rf /root/next
"""


def test_removing_keeps_settings_and_state(before: dict[str, str]) -> None:
    dpkg("--remove", "scrim")
    left = set(listing()) - set(before)
    places = ("/etc/scrim", "/var/lib/scrim", "/etc/systemd/system", "/var/lib/systemd/deb-systemd-helper")
    users = ("/etc/passwd:", "/etc/group:", "/etc/shadow:", "/etc/gshadow:")
    assert [path for path in left if not path.startswith(places + users)] == []
    assert stage.SETTINGS.exists()
    assert not Path("/run/scrim").exists()


def test_purging_leaves_nothing(before: dict[str, str]) -> None:
    dpkg("--purge", "scrim")
    after = listing()
    assert sorted(set(after) ^ set(before)) == []
    assert [path for path, line in after.items() if before[path] != line] == []

"""The last of this folder: scrim is removed, and the machine is as it was."""

from pathlib import Path

import pytest

from . import stage
from .conftest import Installed

pytestmark = [pytest.mark.appliance, pytest.mark.patience(2400)]


def test_uninstall_keeps_what_is_the_owners(appliance: Installed) -> None:
    said = stage.install("--uninstall")
    assert "kept: /etc/scrim" in said
    assert stage.SETTINGS.exists()
    assert not (stage.GUEST / "opt/scrim").exists()
    assert not Path("/run/scrim").exists()
    for unit in stage.UNITS:
        assert "could not be found" in stage.guest("systemctl", "status", unit, is_checked=False)


def test_purge_leaves_nothing(installed: Installed) -> None:
    stage.install("--uninstall", "--purge")
    after = stage.listing()
    assert sorted(set(after) ^ set(installed.before)) == []
    changed = [path for path, line in after.items() if installed.before[path] != line]
    assert changed == []

"""What the two services cannot do, tried from inside their own sandboxes."""

from pathlib import Path
from typing import Any

import pytest

from . import stage
from .conftest import NODE, Installed

pytestmark = [pytest.mark.appliance, pytest.mark.patience(2400)]

BROKER_PORT = "1883"
FORBIDDEN = "Operation not permitted"
NO_FAMILY = "Address family not supported by protocol"
READ_ONLY = "Read-only file system"
SECRETS = (
    "/etc/shadow",
    "/dev/kmsg",
    "/dev/mem",
    "/dev/ubda",
    "/proc/1/environ",
    "/run/test-credentials/mqtt",
)


def host_network() -> str:
    return Path("/proc/1/ns/net").readlink().name


@pytest.fixture(scope="module")
def core(appliance: Installed) -> Any:
    return stage.probe(stage.CORE, BROKER_PORT, NODE, *SECRETS)


@pytest.fixture(scope="module")
def gateway(appliance: Installed) -> Any:
    return stage.probe(stage.GATEWAY, BROKER_PORT, NODE, *SECRETS)


def test_the_core_has_no_network(core: Any) -> None:
    sockets = core["sockets"]
    assert {name for name, said in sockets.items() if said == "yes"} <= {"AF_UNIX", "AF_NETLINK"}
    assert (sockets["AF_INET"], sockets["AF_INET6"], core["connect"]) == (NO_FAMILY, NO_FAMILY, NO_FAMILY)
    assert core["network"] != host_network()
    process = Path(f"/proc/{stage.pid_of(stage.CORE)}")
    assert (process / "ns/net").readlink().name != host_network()
    assert "lo" in (process / "net/dev").read_text()
    assert core["interfaces"] == ["lo"]


def test_the_core_has_its_devices_and_no_other(core: Any) -> None:
    assert NODE.name in core["devices"]
    assert core["write"][str(NODE)] == "yes"
    assert {core["read"][path] for path in SECRETS}.isdisjoint({"yes"})


def test_the_gateway_has_a_network_and_no_camera(gateway: Any) -> None:
    sockets = gateway["sockets"]
    assert {name for name, said in sockets.items() if said == "yes"} == {"AF_UNIX", "AF_INET", "AF_INET6"}
    assert gateway["connect"] == "yes"
    assert gateway["devices"] == []
    assert gateway["read"][str(NODE)] == "No such file or directory"
    assert gateway["make device"] == FORBIDDEN
    assert {gateway["read"][path] for path in SECRETS}.isdisjoint({"yes"})


@pytest.mark.parametrize("name", ["core", "gateway"])
def test_neither_has_privileges_or_can_get_some(request: pytest.FixtureRequest, name: str) -> None:
    seen = request.getfixturevalue(name)
    assert seen["user"] != 0
    assert (int(seen["capabilities"], 16), int(seen["bounding"], 16)) == (0, 0)
    assert (seen["no new privileges"], seen["filter"], seen["core"]) == ("1", "2", [0, 0])
    assert [seen["mount"], seen["make device"]] == [FORBIDDEN] * 2
    assert seen["code"] in (FORBIDDEN, "Permission denied")  # by the filter, or by the kernel itself
    assert set(seen["create"].values()).isdisjoint({"yes"})
    assert seen["create"]["/usr"] == READ_ONLY


@pytest.mark.parametrize("name", ["core", "gateway"])
def test_a_child_that_decodes_works_and_is_limited(request: pytest.FixtureRequest, name: str) -> None:
    """The filter forbids ``@resources``; limiting oneself is none of them."""
    seen = request.getfixturevalue(name)
    assert seen["decoded"] == "64x48"
    assert seen["beyond the limit"] == "OSError: [Errno 12] Cannot allocate memory"


@pytest.mark.parametrize(("unit", "most"), [(stage.CORE, 0.5), (stage.GATEWAY, 1.1), (stage.GADGET, 1.2)])
def test_systemd_finds_little_to_attack(installed: Installed, unit: str, most: float) -> None:
    said = stage.guest("systemd-analyze", "security", "--no-pager", unit)
    level = next(line for line in said.splitlines() if "Overall exposure level" in line)
    assert float(level.split(":")[1].split()[0]) <= most

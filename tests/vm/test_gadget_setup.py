"""The gadget on the real configfs: set up whole, taken down whole, and refused with a reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scrim.config import GadgetSettings
from scrim.errors import SinkError
from scrim.frame import Caps
from scrim.gadget.configfs import Configfs
from scrim.gadget.gadget import set_up, take_down
from scrim.gadget.plan import plan

from .usb import MODULES, Board, gadget, host_node, run, scrim

SETTINGS = GadgetSettings(packet_bytes=3072)
PACKETS = "gadget.packet_bytes=3072"
CAPS = Caps(1280, 720, 30)
CONFIGFS = Path("/sys/kernel/config/usb_gadget")


@pytest.fixture(scope="module", autouse=True)
def drivers() -> Iterator[None]:
    run("modprobe", "-a", *MODULES)
    gadget("up", PACKETS)
    yield
    gadget("down")
    run("guest", "udevadm", "settle")
    run("modprobe", "-r", *reversed(MODULES))


def test_settings_that_do_not_fit_the_gadget_are_refused() -> None:
    other = GadgetSettings(sizes=("640x360",))
    with pytest.raises(
        SinkError, match=r"was set up with MJPG 1280x720.*settings say MJPG 640x360; .*restart"
    ):
        Board(other, CAPS).sink.open(CAPS)
    assert host_node() is None


def test_up_and_down_are_complete_and_may_be_repeated() -> None:
    gadget("down")
    assert list(CONFIGFS.iterdir()) == []
    assert "none was set up" in gadget("down")
    assert "set up on dummy_udc.0" in gadget("up", PACKETS)
    assert "was set up already" in gadget("up", PACKETS)
    assert "set up on" in gadget("up", "gadget.product=Other Camera", PACKETS)
    assert '"product": "Other Camera"' in scrim("gadget", "status", "--json")
    gadget("up", PACKETS)
    assert "Scrim Camera" in scrim("gadget", "status")


def test_whatever_is_left_of_a_gadget_is_removed() -> None:
    """A set-up that broke off anywhere is taken down by the real kernel too, and set up whole."""
    gadget("down")
    tree, steps = Configfs(CONFIGFS / "scrim"), plan(SETTINGS, "1")
    for count in range(0, len(steps) + 1, 12):
        tree.make("")
        for step in steps[:count]:
            if step.kind == "make":
                tree.make(step.path)
            else:
                (tree.write if step.kind == "write" else tree.link)(step.path, step.value)
        assert take_down(tree)
        assert list(CONFIGFS.iterdir()) == []
    assert set_up(tree, steps, "dummy_udc.0")
    assert not set_up(tree, steps, "dummy_udc.0")
    gadget("up", PACKETS)


def test_a_controller_that_another_gadget_has_is_named() -> None:
    gadget("down")
    other = Configfs(CONFIGFS / "other")
    set_up(other, plan(SETTINGS, "1"), "dummy_udc.0")
    try:
        assert "dummy_udc.0 belongs to the gadget 'other'" in scrim("gadget", "up", is_checked=False)
        assert "(gadget 'other' has it)" in scrim("gadget", "status", is_checked=False)
        told = scrim("gadget", "up", "--set", "gadget.udc=nowhere", is_checked=False)
        assert "no such USB device controller (allowed: dummy_udc.0)" in told
    finally:
        take_down(other)
    gadget("up", PACKETS)

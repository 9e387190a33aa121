"""Setting a gadget up and taking it down: complete, repeatable, and clear when the kernel refuses."""

import errno
from pathlib import Path

import pytest

from scrim.config import GadgetSettings
from scrim.errors import GadgetError
from scrim.gadget import command
from scrim.gadget.board import controller, load_modules, serial_number
from scrim.gadget.configfs import other_gadget_on
from scrim.gadget.configfs_fake import MemoryGadgetTree
from scrim.gadget.gadget import set_up, take_down
from scrim.gadget.plan import plan

UDC = "fake_udc.0"
STEPS = plan(GadgetSettings(), "0001")


@pytest.fixture
def tree() -> MemoryGadgetTree:
    return MemoryGadgetTree((UDC, "fake_udc.1"))


def test_up_binds_it_and_down_leaves_nothing(tree: MemoryGadgetTree) -> None:
    assert set_up(tree, STEPS, UDC)
    assert tree.read("UDC") == UDC
    assert tree.read("functions/uvc.scrim/streaming/mjpeg/h/640x360/wHeight") == "360"
    assert take_down(tree)
    assert not tree.exists()
    assert (tree.links(), tree.folders()) == ({}, [])


def test_up_twice_touches_nothing(tree: MemoryGadgetTree) -> None:
    set_up(tree, STEPS, UDC)
    calls = tree.calls
    assert not set_up(tree, STEPS, UDC)
    assert tree.calls == calls


def test_down_twice_does_no_harm(tree: MemoryGadgetTree) -> None:
    assert not take_down(tree)
    set_up(tree, STEPS, UDC)
    take_down(tree)
    assert not take_down(tree)


@pytest.mark.parametrize(
    "other",
    [GadgetSettings(product="Other"), GadgetSettings(sizes=("640x360",)), GadgetSettings(packet_bytes=1024)],
)
def test_other_settings_are_set_up_anew(tree: MemoryGadgetTree, other: GadgetSettings) -> None:
    set_up(tree, STEPS, UDC)
    assert set_up(tree, plan(other, "0001"), UDC)
    assert not set_up(tree, plan(other, "0001"), UDC)


def test_another_controller_or_none_is_bound_anew(tree: MemoryGadgetTree) -> None:
    set_up(tree, STEPS, UDC)
    assert set_up(tree, STEPS, "fake_udc.1")
    tree.write("UDC", "")
    assert set_up(tree, STEPS, "fake_udc.1")


@pytest.mark.parametrize("count", range(0, len(STEPS), 7))
def test_whatever_was_left_of_a_gadget_is_removed(count: int, tree: MemoryGadgetTree) -> None:
    tree.make("")
    for step in STEPS[:count]:
        {"make": tree.make}.get(step.kind, lambda _: None)(step.path)
        if step.kind == "write":
            tree.write(step.path, step.value)
        if step.kind == "link":
            tree.link(step.path, step.value)
    assert set_up(tree, STEPS, UDC)
    assert take_down(tree)
    assert tree.folders() == []


@pytest.mark.parametrize("step", STEPS[::9])
def test_a_step_that_fails_leaves_nothing_and_is_named(step: object, tree: MemoryGadgetTree) -> None:
    kind, path = step.kind, step.path  # type: ignore[attr-defined]
    tree.failures[f"{kind} {path}"] = errno.EIO
    if not step.is_needed:  # type: ignore[attr-defined]
        assert set_up(tree, STEPS, UDC)
        return
    with pytest.raises(GadgetError, match=rf"{kind} {path}.*EIO"):
        set_up(tree, STEPS, UDC)
    assert not tree.exists()


@pytest.mark.parametrize(
    ("failure", "number", "says"),
    [
        ("make ", errno.EACCES, "root's work: `sudo scrim gadget"),
        ("make functions/uvc.scrim", errno.ENOENT, "no camera function.*usb_f_uvc"),
        ("write UDC", errno.EBUSY, "fake_udc.0 refuses it .EBUSY.: another gadget has it"),
        ("write UDC", errno.ENODEV, "no such controller.*ls /sys/class/udc"),
        ("write UDC", errno.EINVAL, "smaller gadget.packet_bytes"),
    ],
)
def test_refusals_say_what_to_do(failure: str, number: int, says: str, tree: MemoryGadgetTree) -> None:
    tree.failures[failure] = number
    with pytest.raises(GadgetError, match=says):
        set_up(tree, STEPS, UDC)


def test_a_gadget_that_cannot_be_removed_is_an_error(tree: MemoryGadgetTree) -> None:
    set_up(tree, STEPS, UDC)
    tree.failures["unlink configs/c.1/uvc.scrim"] = errno.EBUSY
    with pytest.raises(GadgetError, match="busy; stop the program"):
        take_down(tree)


def test_the_first_controller_is_taken_or_the_one_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(GadgetError, match=r"no USB device controller.*dtoverlay=dwc2,dr_mode=peripheral"):
        controller("", tmp_path / "missing")
    for name in ("fe980000.usb", "dummy_udc.0"):
        (tmp_path / name).mkdir()
    assert controller("", tmp_path) == "dummy_udc.0"
    assert controller("fe980000.usb", tmp_path) == "fe980000.usb"
    with pytest.raises(GadgetError, match=r"gadget.udc = 'x'.*allowed: dummy_udc.0, fe980000.usb"):
        controller("x", tmp_path)


def test_the_serial_number_is_the_boards_or_tells_nothing(tmp_path: Path) -> None:
    board, machine = tmp_path / "serial", tmp_path / "id"
    machine.write_text("0123456789abcdef0123456789abcdef\n")
    made_up = serial_number(board, machine)
    assert len(made_up) == 16
    assert made_up not in machine.read_text()
    assert serial_number(board, machine) == made_up
    board.write_bytes(b"10000000a1b2c3d4\0")
    assert serial_number(board, machine) == "10000000a1b2c3d4"
    assert serial_number(tmp_path / "no", tmp_path / "neither") == "0"


def test_a_kernel_without_gadgets_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(GadgetError, match=r"libcomposite.*as root.*CONFIG_USB_CONFIGFS"):
        load_modules(tmp_path / "config" / "usb_gadget")


def test_the_gadget_that_has_a_controller_is_found(tmp_path: Path) -> None:
    for name, udc in (("scrim", "a"), ("ether", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "UDC").write_text(f"{udc}\n")
    assert other_gadget_on("b", "scrim", tmp_path) == "ether"
    assert other_gadget_on("a", "scrim", tmp_path) is None


def test_status_names_controllers_and_who_has_them(tmp_path: Path) -> None:
    udcs, gadgets = tmp_path / "udc", tmp_path / "gadgets"
    (udcs / "a").mkdir(parents=True)
    (udcs / "a" / "state").write_text("configured\n")
    (udcs / "a" / "current_speed").write_text("high-speed\n")
    (gadgets / "ether").mkdir(parents=True)
    (gadgets / "ether" / "UDC").write_text("a\n")
    now = command.status(gadgets, udcs)
    assert (now["is_up"], now["udc"], now["state"], now["controllers"]) == (False, "", None, {"a": "ether"})
    (gadgets / "scrim").mkdir()
    (gadgets / "scrim" / "UDC").write_text("a\n")
    now = command.status(gadgets, udcs)
    assert (now["is_up"], now["udc"], now["state"], now["speed"]) == (True, "a", "configured", "high-speed")


def test_what_does_not_fit_through_the_bus_is_told_with_the_reason() -> None:
    lines = command.offer_lines(GadgetSettings().wish)
    assert "MJPG 1280x720 at 30, 25, 15 pictures/s" in lines
    assert "YUYV 640x480 at 25, 15 pictures/s" in lines
    assert (
        "not offered: YUYV 640x480 at 30: it takes 147 Mbit/s or more, and 130 fit through the bus" in lines
    )

"""What the kernel is told for given settings."""

import pytest

from scrim.config import GadgetSettings
from scrim.gadget.plan import Step, plan

FUNCTION = "functions/uvc.scrim"


def told(settings: GadgetSettings | None = None) -> dict[str, str]:
    """Path to what is written or linked there."""
    steps = plan(settings or GadgetSettings(), "10000000abcdef01")
    return {step.path: step.value for step in steps if step.kind != "make"}


def of_function(path: str, settings: GadgetSettings | None = None) -> str:
    return told(settings)[f"{FUNCTION}/{path}"]


def test_hosts_see_names_ids_and_serial() -> None:
    settings = GadgetSettings(vendor_id="1209", product_id="0001", manufacturer="Lab", product="Desk 4")
    written = told(settings)
    assert (written["idVendor"], written["idProduct"]) == ("0x1209", "0x0001")
    assert written["strings/0x409/manufacturer"] == "Lab"
    assert written["strings/0x409/product"] == "Desk 4"
    assert written["strings/0x409/serialnumber"] == "10000000abcdef01"
    assert written[f"{FUNCTION}/function_name"] == "Desk 4"


def test_the_device_says_that_its_interfaces_belong_together() -> None:
    written = told()
    assert [written[name] for name in ("bDeviceClass", "bDeviceSubClass", "bDeviceProtocol")] == [
        "0xef",
        "0x02",
        "0x01",
    ]


def test_a_size_is_described_as_hosts_read_it() -> None:
    folder = "streaming/mjpeg/h/1280x720"
    names = ("wWidth", "wHeight", "dwMaxVideoFrameBufferSize", "dwDefaultFrameInterval", "dwFrameInterval")
    assert [of_function(f"{folder}/{name}") for name in names] == [
        "1280",
        "720",
        "921600",
        "333333",
        "333333\n400000\n666666",
    ]
    yuyv = "streaming/uncompressed/h/640x480"
    assert of_function(f"{yuyv}/dwMaxVideoFrameBufferSize") == str(640 * 480 * 2)
    assert of_function(f"{yuyv}/dwMinBitRate") == str(640 * 480 * 16 * 10_000_000 // 666666 // 8 * 8)
    assert of_function(f"{yuyv}/dwMaxBitRate") == str(640 * 480 * 16 * 25)


def test_each_speed_has_its_own_offers() -> None:
    written = told()
    assert written[f"{FUNCTION}/streaming/class/hs/h"] == f"{FUNCTION}/streaming/header/h"
    assert written[f"{FUNCTION}/streaming/class/ss/h"] == f"{FUNCTION}/streaming/header/h"
    assert written[f"{FUNCTION}/streaming/class/fs/h"] == f"{FUNCTION}/streaming/header/f"
    assert written[f"{FUNCTION}/streaming/header/f/mjpg"] == f"{FUNCTION}/streaming/mjpeg/f"


def test_zoom_privacy_brightness_and_contrast_are_announced() -> None:
    assert of_function("control/terminal/camera/default/bmControls") == "0\n2\n4"
    assert of_function("control/processing/default/bmControls") == "3\n0"


def test_a_kernel_that_announces_its_own_controls_will_do() -> None:
    optional = {step.path for step in plan(GadgetSettings(), "1") if not step.is_needed}
    assert {path.rpartition("/")[2] for path in optional} == {"bmControls", "function_name"}


def test_other_offers_are_another_release_of_the_device() -> None:
    releases = {
        told(GadgetSettings(sizes=sizes))["bcdDevice"]
        for sizes in (("640x360",), ("640x360", "1280x720"), ("640x480",), ("640x360", "640x480"))
    }
    assert len(releases) == 4
    assert told()["bcdDevice"] == told()["bcdDevice"]
    assert all(release.startswith("0x01") and release[2:].isdecimal() for release in releases)


@pytest.mark.parametrize("kind", ["make", "link"])
def test_what_is_linked_or_filled_was_made_before(kind: str) -> None:
    made: set[str] = {"", "configs", "functions", "strings"}
    own = f"{FUNCTION}/"
    for step in plan(GadgetSettings(), "1"):
        if step.kind == "make":
            made.add(step.path)
        if step.kind == "link" and kind == "link":
            assert step.value in made
        if step.kind == "write" and kind == "make":
            folder = step.path.rpartition("/")[0]
            assert folder in made or (folder.startswith(own) and folder.endswith("/default"))


def test_no_path_leads_out_of_the_gadget() -> None:
    steps: list[Step] = plan(GadgetSettings(), "1")
    assert not [step for step in steps if ".." in step.path or step.path.startswith("/")]

"""What is there is used, what is missing is named, and the rest runs without it."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrim import frame
from scrim.config import Settings
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.gateway.doctor import examine
from scrim.gateway.rtsp import support as support_module
from scrim.gateway.rtsp.child.encoders import KINDS, Kind, Rate, has_hardware_encoder, package, usable
from scrim.gateway.rtsp.child.placeholder import draw
from scrim.gateway.rtsp.part import RtspPart
from scrim.gateway.rtsp.support import Support, probe
from scrim.local import ring, ring_layout

from .stage import PATIENCE_S, plan

BINDINGS = {"python3-gi", "gir1.2-gst-rtsp-server-1.0"}
FOLDERS = [*Path("/usr/lib").glob("*/gstreamer-1.0"), Path("/usr/lib/gstreamer-1.0")]


@pytest.fixture
def _no_bindings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine without them: a Python whose packages are none."""
    empty = tmp_path / "python"
    empty.write_text(f'#!/bin/sh\nexec {sys.base_prefix}/bin/python3 -S "$@"\n')
    empty.chmod(0o755)
    monkeypatch.setattr(support_module, "interpreter", lambda: str(empty))


def plugins(folder: Path, *names: str) -> Path:
    """A folder with these of the machine's plugins only."""
    folder.mkdir()
    for name in names:
        for place in FOLDERS:
            if (place / f"libgst{name}.so").exists():
                (folder / f"libgst{name}.so").symlink_to(place / f"libgst{name}.so")
    return folder


SERVING = ("coreelements", "app", "rtp", "rtpmanager", "udp")


def test_what_is_here_is_found(support: Support) -> None:
    assert support.gstreamer.startswith("GStreamer 1.")
    assert set(support.encoders) <= {kind.name for kind in KINDS}


@pytest.mark.usefixtures("_no_bindings")
def test_all_packages_are_named_where_nothing_is_there() -> None:
    found = probe(is_publishing=True)
    assert set(found.missing) >= BINDINGS | {"gstreamer1.0-plugins-bad", "gstreamer1.0-plugins-good"}
    assert "gstreamer1.0-rtsp" in found.missing
    assert "gstreamer1.0-plugins-ugly" not in found.missing, "x264 is under the GPL: nobody needs it"


@pytest.mark.parametrize(
    ("names", "encoder", "missing"),
    [
        (SERVING, "auto", {"gstreamer1.0-plugins-bad"}),
        (SERVING, "openh264enc", {"gstreamer1.0-plugins-bad"}),
        (SERVING, "x264enc", {"gstreamer1.0-plugins-ugly"}),
        (SERVING, "v4l2h264enc", {"gstreamer1.0-plugins-good"}),
        (("coreelements", "app", "openh264"), "auto", {"gstreamer1.0-plugins-good"}),
    ],
)
def test_only_what_is_missing_is_named(
    support: Support,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    encoder: str,
    missing: set[str],
) -> None:
    monkeypatch.setenv("SCRIM_GST_PLUGINS", str(plugins(tmp_path / "plugins", *names)))
    assert set(probe(encoder).missing) == missing


def test_x264_serves_where_nothing_better_is_there(
    support: Support, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "x264enc" not in support.encoders:
        pytest.skip("x264enc is not installed here: apt install gstreamer1.0-plugins-ugly")
    monkeypatch.setenv("SCRIM_GST_PLUGINS", str(plugins(tmp_path / "plugins", *SERVING, "x264")))
    assert probe().encoders == ("x264enc",)
    assert probe().can_publish is False


@pytest.mark.usefixtures("_no_bindings")
def test_without_gstreamer_one_message_names_the_packages_and_the_part_ends(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await RtspPart(place, plan()).run()

    caplog.set_level(logging.INFO)
    asyncio.run(scenario())
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "apt install" in record.getMessage()
    assert all(name in record.getMessage() for name in BINDINGS)


def test_a_plugin_that_is_broken_counts_as_missing(
    support: Support, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plugins(tmp_path / "plugins", *SERVING)
    (folder / "libgstopenh264.so").write_bytes(b"no library")
    monkeypatch.setenv("SCRIM_GST_PLUGINS", str(folder))
    assert probe().missing == ("gstreamer1.0-plugins-bad",)


# Encoders


def test_the_board_s_own_encoder_comes_first_and_the_gpl_s_last() -> None:
    assert [kind.name for kind in usable("auto", lambda kind: True)] == [
        "v4l2h264enc",
        "openh264enc",
        "x264enc",
    ]
    assert [kind.licence for kind in KINDS] == ["LGPL", "BSD", "GPL"]


def test_one_that_is_named_is_the_only_one() -> None:
    assert [kind.name for kind in usable("x264enc", lambda kind: True)] == ["x264enc"]
    assert usable("x264enc", lambda kind: False) == []
    assert package("auto") == package("openh264enc")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_rate_reaches_every_encoder(kind: Kind) -> None:
    launch = kind.launch(Rate(bit_rate_kbps=3000, key_frame_frames=61))
    assert "3000" in launch
    assert "=61" in launch


def test_a_board_s_encoder_is_known_by_its_name(tmp_path: Path) -> None:
    assert not has_hardware_encoder(tmp_path)
    for number, name in enumerate(("bcm2835-codec-decode", "UVC Camera", "bcm2835-isp", "rpivid")):
        node = tmp_path / f"video{number}"
        node.mkdir()
        (node / "name").write_text(f"{name}\n")
    assert not has_hardware_encoder(tmp_path), "a Raspberry Pi 5 has none"
    (tmp_path / "video11").mkdir()
    (tmp_path / "video11" / "name").write_text("bcm2835-codec-encode\n")
    assert has_hardware_encoder(tmp_path)


# What both sides of the wall have of their own


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (322, 242)])
def test_the_placeholder_is_the_core_s_without_words(size: tuple[int, int]) -> None:
    width, height = size
    drawn = np.frombuffer(draw(*size), np.uint8).reshape(height * 3 // 2, width)
    planes, core = frame.Planes.of(drawn), PlaceholderPainter(size).paint(Reason.STARTING, 1).planes
    above = height * 3 // 4
    for ours, theirs, rows in (
        (planes.y, core.y, above),
        (planes.u, core.u, above // 2),
        (planes.v, core.v, above // 2),
    ):
        difference = np.abs(ours[:rows].astype(int) - theirs[:rows])
        assert difference.mean() < 0.5
        assert (difference > 8).mean() < 0.01


def test_both_descriptions_of_the_ring_are_one() -> None:
    assert ring_layout.HEADER.size == ring.HEADER.itemsize
    assert ring_layout.HEAD.size == ring.SLOT.itemsize
    assert offset(ring.HEADER, "published") == ring_layout.PUBLISHED_AT
    assert [offset(ring.SLOT, name) for name in ring.SLOT.names or ()][:6] == [0, 8, 16, 24, 32, 40]
    assert ring_layout.MAX_SIDE_PX == frame.MAX_SIDE_PX
    heads = ring_layout.HEADER.size + ring_layout.MAX_SLOTS * ring_layout.HEAD.size
    assert heads <= ring_layout.HEADS_BYTES


def offset(kind: np.dtype[Any], name: str) -> int:
    assert kind.fields is not None
    return int(kind.fields[name][1])


# Doctor


def finding(**rtsp: object) -> tuple[bool, str, str]:
    (found,) = examine(Settings().patched({"rtsp": rtsp}))
    assert found.name == "rtsp"
    return found.is_good, found.found, found.mend


def test_doctor_says_whether_it_can_run_and_with_which_encoder(support: Support) -> None:
    is_good, found, _ = finding()
    assert is_good
    assert found.startswith("off; could run: GStreamer")
    is_good, found, mend = finding(is_enabled=True)
    assert (is_good, mend) == (True, "")
    assert f"encoder {support.encoders[0]}" in found
    assert "127.0.0.1 port 8554" in found


@pytest.mark.usefixtures("support")
def test_doctor_names_what_is_wrong_with_the_settings() -> None:
    is_good, found, mend = finding(is_enabled=True, host="0.0.0.0")
    assert not is_good
    assert "rtsp.host = 0.0.0.0" in found
    assert "rtsp.password_file" in mend


@pytest.mark.usefixtures("_no_bindings")
def test_doctor_says_what_to_install() -> None:
    is_good, found, mend = finding(is_enabled=True)
    assert not is_good
    assert "not installed" in found
    assert mend.startswith("sudo apt install")
    is_good, found, mend = finding()
    assert is_good, "what nobody wants need not be there"
    assert "apt install" in found
    is_good, _, mend = finding(publish_url="rtsp://server/in")
    assert not is_good
    assert "gstreamer1.0-rtsp" in mend

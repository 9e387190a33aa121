"""What scripts/arm64-instructions makes of counts; that an emulated board counts is shown by running it."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scrim.core.composite.blend import NativeBlend, OpenCVBlend, best_blend

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from board_counts.estimate import BOARDS, PUBLISHED, Board, board_of, estimate, mean  # noqa: E402
from board_counts.guest import EXTENSIONS, MARK, Row, count, extensions  # noqa: E402
from board_counts.machine import GuestError, counts, disk  # noqa: E402
from board_counts.rows import CLIP_FRAMES, SIZES, rows, write_clips  # noqa: E402
from board_counts.table import judged, table  # noqa: E402

BOARD = Board("a board", "cortex-a53", 1e9, (0.5, 2.0), 1e9)
COUNTED: dict[str, Any] = {
    "cpu": "cortex-a53",
    "width": 1280,
    "height": 720,
    "effect": "blur",
    "model": "person-256x144",
    "form": "float16",
    "level": 0,
    "is_floor": False,
    "has_extensions": True,
    "instructions": [40e6, 40.1e6],
    "stages": {"input": 2e6, "segment": 27e6, "matte": 4e6, "composite": 7e6},
}


def test_milliseconds_are_instructions_by_cycles_and_what_memory_takes():
    frame = estimate(BOARD, 10e6, 1000, 400)  # 0.6 MB, of which 1.5 copies take 0.9 ms
    assert frame.least_ms == pytest.approx(5.0)
    assert frame.most_ms == pytest.approx(20.0 + 0.9)


def test_a_frame_takes_no_less_than_memory_does():
    assert estimate(BOARD, 1.0, 1000, 400).least_ms == pytest.approx(0.9)


@pytest.mark.parametrize(("instructions", "verdict"), [(7e6, "yes"), (20e6, "perhaps"), (40e6, "no")])
def test_the_verdict_is_by_half_a_frame_interval(instructions: float, verdict: str):
    assert estimate(BOARD, instructions, 640, 480).verdict == verdict


def test_the_lower_bound_is_about_what_was_published_of_four_such_cores_that_share_their_memory():
    for board in BOARDS:
        core = board.cpu.removeprefix("cortex-").upper()
        published = [one.per_cycle for one in PUBLISHED if one.what.startswith(f"Cortex-{core},")]
        assert published, board
        assert board.per_cycle[0] == pytest.approx(min(published), rel=0.35)
        assert board.per_cycle[1] > max(published)


def test_rounds_that_differ_are_no_count():
    assert mean([100.0, 100.5]) == pytest.approx(100.25)
    with pytest.raises(ValueError, match="differ"):
        mean([100.0, 102.0])


def test_every_size_effect_and_way_is_counted():
    found = list(rows())
    full = [row for row in found if not row.level and not row.is_floor and row.has_extensions]
    assert {(row.width, row.height, row.effect) for row in full} == {
        (*size, effect) for size in SIZES for effect in ("blur", "color")
    }
    assert {row.form for row in found} == {"float16", "int8"}
    assert {row.level for row in found} == {0, 1, 2}
    assert {row.has_extensions for row in found} == {True, False}
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("is_floor", [False, True])
def test_the_guest_counts_a_frame(tmp_path: Path, is_floor: bool):
    width, height, frames = 640, 480, 2
    clip = tmp_path / "clip"
    clip.write_bytes(os.urandom(frames * width * height * 3 // 2))
    row = Row(str(clip), width, height, is_floor=is_floor, model="person-192x112", frames=frames)
    counted = count(row)
    assert counted["width"] == 640
    assert len(counted["instructions"]) == 2
    assert set(counted["stages"]) == (set() if is_floor else {"input", "segment", "matte", "composite"})
    assert counted["whole"] >= sum(counted["stages"].values()) > -1


def test_every_extension_is_known():
    project = tomllib.loads((SCRIPTS.parent / "pyproject.toml").read_text())
    assert {one["name"] for one in project["tool"]["setuptools"]["ext-modules"]} == set(EXTENSIONS)


def test_without_extensions_means_without_them():
    with extensions(are_there=False):
        assert isinstance(best_blend(64), OpenCVBlend)
        for name in EXTENSIONS:
            with pytest.raises(ImportError):
                __import__(name)
    with extensions(are_there=True):
        is_built = not subprocess.run(
            [sys.executable, "-c", f"import {EXTENSIONS[0]}"], check=False
        ).returncode
        assert isinstance(best_blend(64), NativeBlend if is_built else OpenCVBlend)


def test_the_pictures_are_a_few_frames_of_every_size(tmp_path: Path):
    write_clips(tmp_path / "clips")
    for width, height in SIZES:
        assert (
            tmp_path / f"clips/{width}x{height}.i420"
        ).stat().st_size == CLIP_FRAMES * width * height * 3 // 2


def guest(tmp_path: Path, *lines: str, status: int = 0) -> "tuple[str, Path, Path]":
    """A program in QEMU's place on the search path that says these lines."""
    program = tmp_path / "qemu-system-aarch64"
    said = "".join(f"printf '%s\\n' '{line}'\n" for line in lines)
    program.write_text(f"#!/bin/sh\n{said}exit {status}\n")
    program.chmod(0o755)
    return "cortex-a53", tmp_path / "kernel", tmp_path / "disk"


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("on_path")
def test_what_the_guest_counts_is_heard_among_what_else_is_said(tmp_path: Path):
    heard = list(counts(*guest(tmp_path, "[ 0.1] a kernel", MARK + json.dumps(COUNTED), "goodbye"), wanted=1))
    assert heard == [COUNTED]


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(
    ("lines", "status", "words"),
    [
        (["Traceback", "failed: exit status 1"], 0, "Traceback"),
        (["no such machine"], 1, "no such machine"),
        ([MARK + json.dumps(COUNTED), "Kernel panic"], 0, "1 of 2 rows.*\n.*Kernel panic"),
        ([MARK + json.dumps({**COUNTED, "instructions": [None, None]})], 0, "no counter"),
    ],
)
def test_a_guest_that_does_not_count_is_an_error(tmp_path: Path, lines: list[str], status: int, words: str):
    with pytest.raises(GuestError, match=words):
        list(counts(*guest(tmp_path, *lines, status=status), wanted=2))


@pytest.mark.skipif(os.geteuid() != 0, reason="the guest's disk has a device node, which only root can make")
@pytest.mark.skipif(
    shutil.which("cpio") is None, reason="cpio is not installed, scripts/arm64-instructions does"
)
def test_the_disk_holds_python_what_it_counts_and_no_compiler(tmp_path: Path):
    for name in ("usr/bin/python3", "usr/lib/gcc/cc1", "venv/bin/python", "etc/passwd", "var/log/x"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("bin", "lib", "sbin"):
        (tmp_path / "root" / name).symlink_to(f"usr/{name}")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a").touch()
    with disk(tmp_path / "root", tmp_path / "clips", list(rows())) as archive:
        listed = subprocess.run(
            ["cpio", "--list", "--quiet"], input=archive.read_bytes(), capture_output=True, check=True
        )
    names = listed.stdout.decode().split()
    assert {"usr/bin/python3", "venv/bin/python", "etc/passwd", "bin"} <= set(names)
    assert not {"usr/lib/gcc/cc1", "var/log/x"} & set(names)


def test_the_table_tells_counts_bounds_and_verdict():
    said = table([judged(COUNTED), judged({**COUNTED, "form": "int8", "level": 1})])
    assert "cortex-a53, Raspberry Pi Zero 2 W" in said
    first, second = said.splitlines()[-2:]
    assert first.startswith("1280x720 blur ")
    assert second.startswith("1280x720 blur, int8, level 1 ")
    assert " 40.0 " in first or " 40.1 " in first
    assert first.endswith(" no")
    assert board_of("cortex-a76").name == "Raspberry Pi 5"


def test_the_help_names_options_and_needs_no_emulation():
    said = subprocess.run(
        [SCRIPTS / "arm64-instructions", "--help"], capture_output=True, text=True, check=True
    )
    assert "--cpu" in said.stdout
    assert "--json" in said.stdout

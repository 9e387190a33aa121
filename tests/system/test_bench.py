"""``scrim bench``: the shape of its results, and what it says when something is missing."""

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from scrim.core.bench.clip import FRAMES, read_clip, write_clip
from scrim.core.bench.command import Candidate, parse_size
from scrim.core.bench.counters import Counters, Counts, per_frame
from scrim.core.bench.picture import draw
from scrim.core.sinks.file import open_writer
from scrim.errors import ConfigError, SourceError
from scrim.frame import Caps

TINY = ("--size", "64x64", "--frames", "2", "--rounds", "1")
MODEL = ("--set", "model.name=person-192x112", "--set", "model.form=float16")


def results(result: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert list(document) == ["results"]
    return list(document["results"])


def bad(result: "subprocess.CompletedProcess[str]", *words: str, status: int = 1) -> None:
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_a_result_has_the_documented_shape(scrim):
    one, floor = results(scrim("bench", *TINY, *MODEL, "--json"))
    assert (one["program"], one["width"], one["height"], one["effect"], one["threads"]) == (
        *("scrim", 64, 64, "blur", 1),
    )
    for key in ("cpu_ms_per_frame", "wall_ms_per_frame", "peak_rss_mb", "first_frame_s"):
        assert isinstance(one[key], float)
        assert one[key] > 0
    assert set(one["stages"]) == {"input", "segment", "matte", "composite"}
    assert all(spent_ms > 0 for spent_ms in one["stages"].values())
    for key in ("cycles_per_frame", "instructions_per_frame"):
        assert one[key] is None or one[key] > 0
    assert (floor["program"], floor["threads"]) == ("floor", 1)
    assert one["floor_cpu_ms"] == floor["cpu_ms_per_frame"]
    assert one["ratio_to_floor"] == pytest.approx(
        one["cpu_ms_per_frame"] / floor["cpu_ms_per_frame"], abs=1e-3
    )


def test_options_repeat_and_every_combination_is_measured(scrim):
    options = ("--size", "160x120", "--effect", "blur", "--effect", "color", "--effect", "image")
    measured = results(scrim("bench", *TINY, *options, "--threads", "1", "--threads", "2", *MODEL, "--json"))
    combinations = {(one["width"], one["effect"], one["threads"]) for one in measured}
    assert combinations == {
        (width, effect, threads)
        for width in (64, 160)
        for effect in ("blur", "color", "image")
        for threads in (1, 2)
    }
    assert len(measured) == 2 * len(combinations), "each beside its floor"


def clip(folder: Path, frames: int = 3) -> Path:
    path = folder / "in.mkv"
    with open_writer(path, Caps(96, 64, 10)) as write:
        for number in range(frames):
            write(np.full((64, 96, 3), 40 * number, np.uint8))
    return path


def test_a_table_for_people_on_a_clip_of_one_s_own(scrim, tmp_path: Path):
    result = scrim("bench", *TINY, *MODEL, "--clip", clip(tmp_path))
    assert result.returncode == 0
    head, _, row, stages, counted, floor, _ = result.stdout.splitlines()
    assert "CPU ms" in head
    assert "64x64" in row
    assert "segment" in stages
    assert "instructions" in counted
    assert "of the floor" in floor


@pytest.mark.parametrize(
    ("options", "word", "status"),
    [
        (("--clip", "/none/clip.mp4"), "/none/clip.mp4: no such file", 1),
        (("--size", "641x480"), "641x480", 78),
        (("--size", "62x64"), "64 to", 78),
        (("--size", "large"), "WxH", 78),
        (("--frames", "0"), "--frames", 2),
        (("--effect", "off"), "off", 2),
        (("--set", "strength=0"), "background_blur.strength", 78),
        (("--set", "model.name=nobody"), "person-256x144", 78),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_is_said(scrim, options: tuple[str, ...], word: str, status: int):
    bad(scrim("bench", *TINY, "--json", *options), word, status=status)


def test_a_clip_that_is_none(scrim, tmp_path: Path):
    (tmp_path / "x.mp4").write_bytes(b"garbage" * 100)
    bad(scrim("bench", *TINY, "--clip", tmp_path / "x.mp4"), "x.mp4")


@pytest.mark.parametrize("python", ["/none/python", "/bin/false"])
def test_without_mediapipe_the_comparison_says_how_to_get_it(scrim, python: str):
    result = scrim("bench", *TINY, "--against", "mediapipe", SCRIM_MEDIAPIPE_PYTHON=python)
    bad(result, "scripts/setup --mediapipe", "SCRIM_MEDIAPIPE_PYTHON")


def test_a_comparison_is_made_in_one_run_and_gives_the_ratio(scrim, tmp_path: Path):
    """A stand-in speaks the workers' language: what is tested is the conductor."""
    round_ = {"cpu_ms": 100.0, "wall_ms": 100.0, "stages_ms": {}, "peak_rss_mb": 1.0, "first_frame_s": 1.0}
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!/bin/sh\n[ \"$1\" = -c ] && exit 0\nwhile read -r _; do echo '{json.dumps(round_)}'; done\n"
    )
    stand_in.chmod(0o755)
    arguments = ("bench", *TINY, *MODEL, "--effect", "color", "--against", "mediapipe")
    measured = results(scrim(*arguments, "--json", SCRIM_MEDIAPIPE_PYTHON=str(stand_in)))
    ours, _, theirs = measured
    assert (ours["program"], theirs["program"]) == ("scrim", "mediapipe")
    assert theirs["cpu_ms_per_frame"] == 100
    assert ours["ratio_to_mediapipe"] == pytest.approx(ours["cpu_ms_per_frame"] / 100, abs=1e-4)
    table = scrim(*arguments, SCRIM_MEDIAPIPE_PYTHON=str(stand_in))
    assert "of MediaPipe's own loop" in table.stdout


def test_the_profile_is_a_picture_of_the_stages(scrim, tmp_path: Path):
    path = tmp_path / "profile.svg"
    assert scrim("bench", *TINY, *MODEL, "--profile", path).returncode == 0
    picture = path.read_text()
    root = ET.fromstring(picture)
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert {title.split()[0] for title in titles} >= {"input", "segment", "matte", "composite"}
    bad(scrim("bench", *TINY, *MODEL, "--profile", tmp_path / "none" / "x.svg"), "--profile", "No such file")


# Parts.


def test_bars_are_as_long_as_what_they_show():
    one = {"program": "scrim", "effect": "blur", "width": 64, "height": 64, "threads": 1}
    one |= {"wall_ms_per_frame": 10.0, "stages": {"segment": 4.0, "matte": 2.0}}
    rects = [
        (float(rect.attrib["x"]), float(rect.attrib["width"]))
        for rect in ET.fromstring(draw([one])).iter("{http://www.w3.org/2000/svg}rect")
        if "x" in rect.attrib
    ]
    widths = [width for _, width in rects]
    assert widths == pytest.approx([widths[1] * 2, widths[1], widths[1] * 2], abs=0.2), (
        "4, 2 and 4 that are left"
    )
    assert [x for x, _ in rects[1:]] == pytest.approx([x + width for x, width in rects[:-1]], abs=0.2)


def test_what_nobody_may_count_is_none():
    counters = Counters()
    counted = per_frame(counters.read(), counters.read(), 1)
    counters.close()
    assert all(count is None or count > 0 for count in counted)
    assert per_frame(Counts(None, 10), Counts(None, 40), 3) == (None, 10)
    assert counters.read() == Counts(None, None), "closed"


def test_a_size_is_two_even_numbers():
    assert parse_size("1280x720") == (1280, 720)
    assert parse_size("64X64") == (64, 64)
    for wrong in ("", "x", "64", "64x", "64x64x64", "-64x64", "8194x64", "६४x६४a"):
        with pytest.raises(ConfigError, match="--size"):
            parse_size(wrong)


def test_a_clip_is_played_there_and_back(tmp_path: Path):
    assert write_clip(tmp_path / "raw", (96, 64), clip(tmp_path, 4)) == 4
    frames = read_clip(tmp_path / "raw", (96, 64))
    lumas = [int(frame.planes.y[0, 0]) for frame in frames]
    assert lumas[:4] == sorted(lumas[:4])
    assert lumas[4:] == [lumas[2], lumas[1]]
    assert [frame.sequence for frame in frames] == list(range(6))


def test_the_demo_is_the_clip_when_none_is_given(tmp_path: Path):
    assert write_clip(tmp_path / "raw", (64, 64), None) == FRAMES
    assert (tmp_path / "raw").stat().st_size == FRAMES * 64 * 96


def test_a_clip_without_frames_is_an_error(tmp_path: Path):
    (tmp_path / "x.mp4").write_bytes(b"")
    with pytest.raises(SourceError, match=r"x\.mp4"):
        write_clip(tmp_path / "raw", (64, 64), tmp_path / "x.mp4")


def test_medians_and_spread():
    with subprocess.Popen(["/bin/true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        candidate = Candidate("scrim", (64, 64), "blur", 1, process)
        for cpu_ms in (1.0, 2.0, 3.0, 4.0, 100.0):
            candidate.rounds.append(
                {"cpu_ms": cpu_ms, "wall_ms": 10.0, "stages_ms": {"segment": cpu_ms}}
                | {"peak_rss_mb": cpu_ms, "first_frame_s": 0.5}
            )
        result = candidate.result()
    assert result["cpu_ms_per_frame"] == 3
    assert result["cpu_ms_spread"] == 1
    assert result["fps"] == 100
    assert result["stages"] == {"segment": 3}
    assert result["peak_rss_mb"] == 100

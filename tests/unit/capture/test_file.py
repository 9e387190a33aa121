"""Video files: played to the end, scaled, started again, and refused in words."""

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.core.capture.base import EndOfStream
from scrim.core.capture.file import VideoFile
from scrim.core.sinks.file import open_writer
from scrim.errors import SourceError
from scrim.frame import Caps

COUNT = 12


def write_clip(path: Path, size: tuple[int, int] = (96, 64)) -> Path:
    """A clip whose frame n is a gray of 16 + 10 n."""
    with open_writer(path, Caps(*size, 25)) as append:
        for number in range(COUNT):
            append(np.full((size[1], size[0], 3), 16 + 10 * number, np.uint8))
    return path


def play(source: VideoFile, limit: int = 100) -> list[float]:
    """The mean luma of each frame, to the end or the limit."""
    lumas: list[float] = []
    with contextlib.suppress(EndOfStream):
        while len(lumas) < limit:
            frame = source.read()
            assert frame is not None
            lumas.append(float(frame.planes.y.mean()))
    return lumas


def ends(path: Path) -> str:
    """How a damaged file ends: what the error says, or nothing when it just ends."""
    source = VideoFile(path, pace="fast")
    try:
        source.open()
        assert len(play(source)) <= COUNT
    except SourceError as error:
        return str(error)
    finally:
        source.close()
    return ""


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_every_frame_comes_once_and_in_order(tmp_path: Path, suffix: str) -> None:
    source = VideoFile(write_clip(tmp_path / f"clip{suffix}"), pace="fast")
    assert source.open() == Caps(96, 64, 25)
    assert source.frame_count == COUNT
    lumas = play(source)
    assert len(lumas) == COUNT
    assert lumas == sorted(lumas)


def test_it_starts_again_when_wanted(tmp_path: Path) -> None:
    source = VideoFile(write_clip(tmp_path / "clip.mkv"), loop=True, pace="fast")
    source.open()
    lumas = play(source, 2 * COUNT)
    assert lumas[:COUNT] == lumas[COUNT:]


def test_another_size_is_cropped_and_scaled(tmp_path: Path) -> None:
    source = VideoFile(write_clip(tmp_path / "clip.mkv"), size=(32, 32), pace="fast")
    assert source.open().size == (32, 32)
    assert len(play(source)) == COUNT


def test_odd_sizes_lose_their_last_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "odd.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), 25, (95, 63))
    for _ in range(3):
        writer.write(np.full((63, 95, 3), 90, np.uint8))
    writer.release()
    source = VideoFile(path, pace="fast")
    assert source.open().size == (94, 62)
    assert len(play(source)) == 3


@pytest.mark.parametrize("name", ["missing.mp4", "folder", "text.mp4", "empty.mkv"])
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.mp4").write_text("no video " * 100)
    (tmp_path / "empty.mkv").touch()
    source = VideoFile(tmp_path / name)
    with pytest.raises(SourceError, match=name):
        source.open()
    source.close()


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_file_that_breaks_off_ends(tmp_path: Path, suffix: str, share: float) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", (320, 240))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    said = ends(path)
    assert not said or path.name in said


def test_a_hole_in_the_middle_ends_too(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", (320, 240))
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    path.write_bytes(data)
    said = ends(path)
    assert not said or path.name in said

"""File sinks: what is written can be read, and what cannot be written is refused in words."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.sinks.file import CODECS, ImageFolderSink, VideoFileSink
from scrim.errors import SinkError
from scrim.frame import Caps

CAPS = Caps(96, 64, 25)


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    frame = PlaceholderPainter(CAPS.size).paint(Reason.STARTING, 1)
    sink = VideoFileSink(path)
    sink.open(CAPS)
    for _ in range(5):
        sink.write(frame)
    sink.close()
    expected = cv2.cvtColor(np.asarray(frame.i420), cv2.COLOR_YUV2BGR_I420)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    for _ in range(5):
        whole, bgr = capture.read()
        assert whole
        assert np.abs(bgr.astype(int) - expected).mean() < 6
    assert not capture.read()[0]
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    if suffix == ".mkv":
        assert np.array_equal(bgr, expected)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("out.webm", "allowed are .mp4, .avi, .mkv"),
        ("out", "no suffix"),
        ("missing/out.mp4", "there is no folder"),
        ("folder.mp4", "a folder"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(SinkError, match=says):
        VideoFileSink(tmp_path / name).open(CAPS)


def test_pictures_are_numbered(tmp_path: Path) -> None:
    sink = ImageFolderSink(tmp_path / "out")
    sink.open(CAPS)
    for reason in (Reason.STARTING, Reason.STOPPING):
        sink.write(PlaceholderPainter(CAPS.size).paint(reason, 1))
    sink.close()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00000000.png", "00000001.png"]
    picture = cv2.imread(str(tmp_path / "out" / "00000001.png"))
    assert picture is not None
    assert picture.shape == (64, 96, 3)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="folder above"):
        ImageFolderSink(tmp_path / "a" / "b").open(CAPS)
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="file"):
        ImageFolderSink(tmp_path / "file").open(CAPS)

"""What an errno means to a person."""

import errno
from pathlib import Path

import pytest

from scrim.core.node_errors import count_holders, explain, holders


def process(proc: Path, pid: int, name: str, *files: str) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(f"{name}\n")
    for number, file in enumerate(files):
        (proc / str(pid) / "fd" / str(number)).symlink_to(file)


def test_whoever_has_the_camera_is_named(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    by_id = tmp_path / "usb-cam"
    by_id.symlink_to(device)
    proc = tmp_path / "proc"
    process(proc, 4_000_001, "zoom", "/dev/null", str(device))
    process(proc, 4_000_002, "bash", "/dev/null")
    (proc / "self").mkdir()
    assert holders(str(by_id), proc) == ["zoom (4000001)"]
    busy = OSError(errno.EBUSY, "busy")
    assert "in use by zoom (4000001)" in explain(str(by_id), busy, proc)
    assert "in use by another program" in explain(str(tmp_path / "video1"), busy, proc)


def test_others_that_have_a_device_open_are_counted(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    proc = tmp_path / "proc"
    process(proc, 1, "init")
    process(proc, 4_000_001, "zoom", "/dev/null", str(device), str(device))
    process(proc, 4_000_002, "cheese", str(device))
    assert count_holders(str(device), proc) == 2
    assert count_holders(str(tmp_path / "video1"), proc) == 0


def test_nobody_is_counted_where_the_process_list_is_hidden(tmp_path: Path) -> None:
    process(tmp_path / "proc", 4_000_001, "scrim")
    assert count_holders(str(tmp_path / "video0"), tmp_path / "proc") is None


@pytest.mark.parametrize(
    "number", [errno.ENOENT, errno.ENODEV, errno.EACCES, errno.EIO, errno.ENOSPC, errno.EINVAL]
)
def test_every_explanation_names_the_device(number: int) -> None:
    assert explain("/dev/video7", OSError(number, "text")).startswith("/dev/video7: ")

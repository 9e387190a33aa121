"""Counting who has a device open, without looking all the time."""

from pathlib import Path

from scrim.core.sinks.readers import LOOK_AGAIN_S, OpenCount


def test_the_process_list_is_looked_through_only_so_often(tmp_path: Path) -> None:
    now_s = [0.0]
    (tmp_path / "1" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "fd").mkdir(parents=True)
    count = OpenCount("/dev/video10", tmp_path, lambda: now_s[0])
    assert count() == 0
    (tmp_path / "7" / "fd" / "3").symlink_to("/dev/video10")
    assert count() == 0
    now_s[0] += LOOK_AGAIN_S
    assert count() == 1

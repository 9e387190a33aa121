"""What the doctor finds, and what it prescribes."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.config import Settings
from scrim.core.doctor import Finding, examine, table

SMALL = {
    "camera": {"source": "test:", "width": 128, "height": 96},
    "model": {"name": "person-192x112", "form": "float16"},
}


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIM_SOCKET", str(tmp_path / "core.sock"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def findings(**changes: object) -> dict[str, Finding]:
    found = examine(Settings().patched(SMALL).patched(changes))
    assert len({finding.name for finding in found}) == len(found)
    for finding in found:
        assert finding.found
        assert finding.is_good != bool(finding.mend)
    return {finding.name: finding for finding in found}


def failures(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if not finding.is_good}


def test_a_healthy_machine():
    found = findings()
    assert failures(found) <= {"temperature", "groups"}
    assert {"scrim", "settings", "model", "time per frame", "camera", "core"} <= set(found)
    assert "test:" in found["camera"].found
    assert "person-192x112 float16" in found["model"].found
    assert "% of the frame interval" in found["time per frame"].found


def test_a_missing_camera_does_not_stop_the_rest():
    found = findings(camera={"source": "v4l2:/dev/video99"})
    assert "camera" in failures(found)
    assert "/dev/video99" in found["camera"].found
    assert "plug it in" in found["camera"].mend
    assert found["model"].is_good


def test_a_missing_model_names_the_ones_there_are():
    found = findings(model={"name": "nobody"})
    assert "model" in failures(found)
    assert "person-256x144" in found["model"].mend
    assert found["camera"].is_good


def test_each_sink_is_looked_at(tmp_path: Path):
    there, missing, device = (
        *(f"file:{tmp_path}/out.mkv", f"images:{tmp_path}/none/here"),
        "v4l2loopback:/dev/video98",
    )
    found = findings(sinks=[there, missing, device])
    assert failures(found) >= {f"sink {missing}", f"sink {device}"}
    assert found[f"sink {there}"].is_good
    assert f"{tmp_path}/none" in found[f"sink {missing}"].mend
    assert not (tmp_path / "out.mkv").exists()


def test_a_file_that_is_there_is_not_touched(tmp_path: Path):
    kept = tmp_path / "out.mkv"
    kept.write_bytes(b"kept")
    assert findings(sinks=[f"file:{kept}"])[f"sink file:{kept}"].is_good
    assert kept.read_bytes() == b"kept"


def test_an_image_that_cannot_be_used_is_found(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((8, 8, 3), np.uint8))
    found = findings(effect="image", image=f"file:{tmp_path}/x.png")
    assert "settings" in failures(found)
    assert "copy the image there" in found["settings"].mend


def test_raw_pictures_are_named():
    found = findings(effect="off", privacy={"allow_raw": True})
    assert "RAW PICTURE ALLOWED" in found["settings"].found


def test_the_table_says_what_to_do():
    good, bad = Finding("model", True, "works"), Finding("camera", False, "is gone", "plug it in")
    lines = table([good, bad]).splitlines()
    assert lines[0].startswith("ok")
    assert lines[1].startswith("FAIL")
    assert "mend: plug it in" in lines[2]
    assert good.as_dict() == dataclasses.asdict(good)

"""What the doctor finds, and what it prescribes."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scrim.config import Settings
from scrim.core.capture import listing, turbojpeg
from scrim.core.capture.listing import Listed
from scrim.core.capture.v4l2_offers import Offer
from scrim.core.doctor import examine
from scrim.core.node_controls import Control
from scrim.core.segment.model import models_folder
from scrim.finding import Finding, table
from scrim.local.server import LocalServer

SMALL = {
    "camera": {"source": "test:", "width": 128, "height": 96, "frame_rate": 1.0},
    "model": {"name": "person-192x112", "form": "float16"},
}


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIM_SOCKET", str(tmp_path / "core.sock"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def findings(sysfs: Path = Path("/nowhere"), **changes: object) -> dict[str, Finding]:
    found = examine(Settings().patched(SMALL).patched(changes), sysfs)
    assert len({finding.name for finding in found}) == len(found)
    for finding in found:
        assert finding.found
        assert finding.is_good != bool(finding.mend)
    return {finding.name: finding for finding in found}


def failures(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if not finding.is_good}


def test_a_healthy_machine():
    found = findings()
    assert failures(found) <= {"groups"}
    assert [name for name in found if not name.strip().startswith("v4l2:")] == [
        *("scrim", "settings", "model", "delegate", "inference", "composite", "time per frame", "camera"),
        *(
            "MJPG",
            "core",
            "groups",
            "state folder",
            "socket folder",
            "temperature",
            "throttling",
            "power supply",
        ),
    ]
    assert "test:" in found["camera"].found
    assert "person-192x112 float16" in found["model"].found


def test_every_camera_is_listed_with_its_formats_and_controls(monkeypatch: pytest.MonkeyPatch):
    gain = Control(0x980902, "gain", "integer", 10, 100, 10, 50, 30)
    listed = [
        Listed("v4l2:/dev/video0", "HD Webcam", "uvcvideo", (Offer("MJPG", (1920, 1080), 30.0),), (gain,)),
        Listed("v4l2:/dev/video2", error="no permission"),
    ]
    monkeypatch.setattr(listing, "cameras", lambda: iter(listed))
    found = findings()
    assert found["v4l2:/dev/video0"].found == "HD Webcam (uvcvideo): MJPG to 1920x1080@30"
    assert found["  v4l2:/dev/video0 gain"].found == "30; takes 10 to 100 in steps of 10; default 50"
    assert "no permission" in found["v4l2:/dev/video2"].found


def test_what_decodes_mjpg_is_told(monkeypatch: pytest.MonkeyPatch):
    if turbojpeg.load() is not None:
        assert findings()["MJPG"].found == "decoded to planes, by libturbojpeg.so.0"
    monkeypatch.setattr(turbojpeg, "SONAME", "libscrim-none.so.0")
    found = findings()["MJPG"]
    assert found.is_good
    assert "sudo apt install libturbojpeg0" in found.found


def test_a_broken_model_is_named_and_another_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "models"
    shutil.copytree(models_folder(), folder)
    (folder / "broken.toml").write_text("name = 3")
    (folder / "person-384x208-int8.tflite").write_bytes(b"damaged")
    monkeypatch.setenv("SCRIM_MODELS", str(folder))
    found = findings()
    assert failures(found) - {"groups"} == {"models: broken.toml", "models: person-384x208-int8.tflite"}
    assert "is not that" in found["models: broken.toml"].found
    assert "remove it" in found["models: broken.toml"].mend


def test_the_delegate_is_named():
    assert findings()["delegate"].found.startswith("cpu: ")


def test_inference_composite_and_a_whole_frame_are_held_against_the_budget():
    timed = ("inference", "composite", "time per frame")
    found = findings(processing_budget_per_frame=40.0)
    assert "40 %, 400.0 ms" in found["time per frame"].found
    for name in timed:
        assert found[name].is_good
        assert " ms, " in found[name].found
    found = findings(camera={"frame_rate": 120.0}, processing_budget_per_frame=1.0)
    assert {"inference", "time per frame"} <= failures(found)
    assert "processing_budget_per_frame" in found["time per frame"].mend
    assert "of the frame interval at 128x96@120" in found["time per frame"].found


def test_without_an_effect_there_is_nothing_to_time():
    found = findings(effect="off")
    assert "inference" not in found
    assert found["time per frame"].is_good


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


def test_a_small_model_and_a_keep_picture_that_are_not_there_are_found(tmp_path: Path):
    found = findings(budget={"small_model": "nobody"}, keep={"image_path": f"{tmp_path}/none.png"})
    assert {"model", "settings"} <= failures(found)
    assert "none.png" in found["settings"].found


def test_an_image_that_the_gateway_fetches_is_not_tried():
    found = findings(effect="image", image="https://someone:secret@images.example/x.png")
    assert found["settings"].is_good
    assert "https://images.example/x.png (the gateway fetches it" in found["settings"].found


def test_a_sink_takes_a_placeholder():
    assert findings(sinks=["memory:"])["sink memory:"].found == "took a placeholder"


def test_heat_throttling_and_a_weak_supply_are_found(tmp_path: Path):
    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    write("class/thermal/thermal_zone0/type", "cpu-thermal")
    write("class/thermal/thermal_zone0/temp", "52400")
    write("class/thermal/cooling_device0/type", "cpufreq-cpu0")
    write("class/thermal/cooling_device0/cur_state", "0")
    write("class/hwmon/hwmon0/name", "rpi_volt")
    write("class/hwmon/hwmon0/in0_lcrit_alarm", "0")
    signs = {"temperature", "throttling", "power supply"}
    found = findings(tmp_path)
    assert not signs & failures(found)
    assert found["temperature"].found == "52 °C"
    write("class/thermal/thermal_zone0/temp", "81000")
    write("class/thermal/cooling_device0/cur_state", "2")
    write("class/hwmon/hwmon0/in0_lcrit_alarm", "1")
    assert signs <= failures(findings(tmp_path))


def test_a_folder_that_cannot_be_written_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("SCRIM_SOCKET", str(tmp_path / "file" / "core.sock"))
    found = findings()
    assert {"state folder", "socket folder"} <= failures(found)
    assert "XDG_STATE_HOME" in found["state folder"].mend
    assert "SCRIM_SOCKET" in found["socket folder"].mend


class Running:
    """Answers as a core does that holds a camera and two sinks."""

    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "state": "running",
            "camera": {
                "source": "v4l2:/dev/video99",
                "state": "live",
                "error": None,
                "device": {"refused": ["camera.controls.gain = 35: not a value of it"]},
            },
            "sinks": [
                {"name": "v4l2loopback:/dev/video98", "state": "open", "error": None},
                {"name": "v4l2loopback:/dev/video97", "state": "failed", "error": "full"},
            ],
        }


def test_what_a_running_core_holds_is_judged_by_what_it_says(tmp_path: Path):
    with LocalServer(tmp_path / "core.sock", Running()):
        found = findings(
            camera={"source": "v4l2:/dev/video99"},
            sinks=["v4l2loopback:/dev/video98", "v4l2loopback:/dev/video97"],
        )
    assert found["camera"].is_good
    assert found["camera.controls.gain"].found == "is 35: not a value of it"
    assert found["sink v4l2loopback:/dev/video98"].is_good
    assert found["sink v4l2loopback:/dev/video97"].mend == "full"
    assert "running" in found["core"].found


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

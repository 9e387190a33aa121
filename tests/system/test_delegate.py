"""A whole core whose delegate dies: the picture goes on, and nothing raw is in it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.waiting import until

from scrim.local.client import Client

SOURCE = Path(__file__).parents[1] / "unit/segment/delegate.c"
PATIENCE_S = 180.0


@pytest.fixture
def orders(tmp_path: Path, scrim_environment: dict[str, str]) -> Path:
    """What the delegate is told by; the core's environment names it."""
    path = tmp_path / "order"
    path.write_text("work")
    scrim_environment["SCRIM_TEST_DELEGATE"] = str(path)
    return path


@pytest.fixture
def core(tmp_path: Path, scrim_environment: dict[str, str]) -> Iterator[Client]:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to make a delegate with")
    library = tmp_path / "libdelegate.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True, timeout=600)
    settings = [
        "camera.source=demo:",
        "camera.width=320",
        "camera.height=240",
        f"model.delegate={library}",
        "effect=color",
        "color=#008000",
    ]
    arguments = [part for setting in settings for part in ("--set", setting)]
    scrim_environment["SCRIM_SOCKET"] = str(tmp_path / "core.sock")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "scrim", "core", *arguments],
            env=scrim_environment,
            stderr=log,
        )
    try:
        until((tmp_path / "core.sock").exists)
        with Client(tmp_path / "core.sock", timeout_s=PATIENCE_S) as client:
            yield client
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("fault", ["run-abort", "run-hang"])
def test_a_lost_delegate_leaves_the_picture_alone(orders: Path, core: Client, fault: str):
    until(lambda: core.status()["model"]["delegate"].endswith("libdelegate.so"))
    until(lambda: core.status()["state"] == "running")
    events = core.events(PATIENCE_S)
    orders.write_text(fault)
    lost = next(event for event in events if event["event"] == "delegate_lost")
    assert "libdelegate.so" in lost["reason"]
    after = core.status()
    assert after["model"]["delegate"] == "cpu"
    assert after["model"]["delegate_error"] == lost["reason"]
    delivered = after["frames"]["delivered"]
    until(
        lambda: core.status()["state"] == "running" and core.status()["frames"]["delivered"] > delivered + 10
    )
    until(lambda: shows_the_color(core))


def shows_the_color(core: Client) -> bool:
    """The upper corner is room: with the colour in its place nothing of the camera is left of it."""
    picture = core.preview(PATIENCE_S)
    assert picture is not None
    if picture.origin == "placeholder":  # no time for another
        return False
    assert [int(np.ptp(plane[:16, :16])) for plane in picture.planes] == [0, 0, 0]
    return True

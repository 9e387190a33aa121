"""scripts/chaos and scripts/soak themselves, for a minute each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PATIENCE_S = 900

pytestmark = pytest.mark.skipif(
    os.environ.get("SCRIM_LONG") != "1", reason="takes two minutes; runs with SCRIM_LONG=1"
)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (["chaos_run", "--minutes", "1", "--seed", "1"], "faults"),
        (["soak_run", "--frames", "5000"], "frames"),
    ],
)
def test_it_runs_and_finds_nothing(command: list[str], key: str) -> None:
    paths = os.pathsep.join([str(SCRIPTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *command, "--json"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    found = json.loads(done.stdout)
    assert found["is_good"]
    assert found[key] > 0

"""``scripts/simulate-fleet``: a small fleet at a real broker, the gateway's own MQTT part in each device."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[2] / "scripts"


def simulate(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    paths = os.pathsep.join([str(SCRIPTS), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "fleet_simulation", "--json", *arguments],
        env=environment | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_small_fleet_says_changes_and_comes_back(
    mosquitto: object, scrim_environment: dict[str, str]
) -> None:
    del mosquitto  # only so that a machine without one skips this
    found = simulate(
        scrim_environment, "--devices", "25", "--seconds", "5", "--interval", "2", "--spread", "1", "--tls"
    )
    assert found["faults"] == []
    assert found["dropped"] == 0
    assert found["messages"]["telemetry"] > 0
    assert found["bytes_in"] > 0
    assert found["retained"] >= 25 * 5, "status, info, config, state and telemetry of each"
    assert found["rss_bytes"] > 1_000_000
    change = found["change"]
    assert (change["done"], change["missed"]) == (25, 0)
    assert 0 < change["first_s"] <= change["median_s"] <= change["last_s"]
    assert found["restart_s"] > 0

"""The dashboard: known to Grafana's own schema, and each of its queries answered by a real Prometheus.

No Grafana runs in these tests: its Foundation SDK, which is generated from Grafana's schema, reads the file.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "grafana" / "scrim.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
PATIENCE_S = 180.0

MAY_BE_EMPTY = {"Hottest processor", "Temperature", "Held down", "Events"}
"""Not every machine has such sensors, and nothing need happen while this test looks."""


def known_part(document: dict[str, Any]) -> dict[str, Any]:
    """The document as Grafana's schema knows it: what it does not know is gone."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    known: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(document)))
    return known


def missing(given: Any, known: Any, where: str = "") -> Iterator[str]:
    """Every place where ``given`` says something that ``known`` does not."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            yield from missing(value, known.get(key), f"{where}.{key}")
    elif isinstance(given, list) and isinstance(known, list) and len(given) == len(known):
        for index, (one, other) in enumerate(zip(given, known, strict=True)):
            yield from missing(one, other, f"{where}[{index}]")
    elif given != known:
        yield where


def test_grafana_s_schema_knows_every_word() -> None:
    assert list(missing(DASHBOARD, known_part(DASHBOARD))) == []


@pytest.mark.parametrize("word", ["graphMode", "lineWidth", "showLegend", "expr", "schemaVersion"])
def test_a_word_that_grafana_does_not_know_is_found(word: str) -> None:
    wrong = json.loads(FILE.read_text().replace(f'"{word}"', f'"{word}s"'))
    assert any(where.endswith(f".{word}s") for where in missing(wrong, known_part(wrong)))


def test_panels_have_ids_and_places_of_their_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_panel_asks_the_chosen_prometheus() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(panel["datasource"] == chosen for panel in PANELS)
    assert all(target["datasource"] == chosen for panel in PANELS for target in panel["targets"])


@contextlib.contextmanager
def running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield
        assert process.poll() is None, log.read_text()[-2000:]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)


def ask(port: int, path: str, **parameters: str) -> Any:
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        document = json.load(answer)
    assert document["status"] == "success"
    return document["data"]


def settings_for(folder: Path, port: int) -> Path:
    """The example, with the tests' device and pace in it."""
    example = (ROOT / "config" / "prometheus" / "prometheus.yml").read_text()
    changed = re.sub(
        r"(?s)- targets:.*?labels:", f"- targets: ['127.0.0.1:{port}']\n        labels:", example
    )
    changed = re.sub(r"    basic_auth:\n.*\n.*\n", "", changed)
    changed = changed.replace("scrape_interval: 15s", "scrape_interval: 2s\n  evaluation_interval: 1s")
    changed = changed.replace("scrape_timeout: 5s", "scrape_timeout: 2s")
    rules = ROOT / "config" / "prometheus" / "scrim-alerts.yml"
    path = folder / "prometheus.yml"
    path.write_text(changed.replace("- scrim-alerts.yml", f"- {rules}"))
    return path


def test_every_query_is_answered_out_of_a_running_scrim(
    prometheus_tool: Callable[[str], str],
    scrim_environment: dict[str, str],
    free_ports: Callable[[int], list[int]],
    tmp_path: Path,
) -> None:
    metrics_port, prometheus_port = free_ports(2)
    scrim = [
        *(sys.executable, "-m", "scrim", "run"),
        *("--set", "camera.source=test:", "--set", "camera.width=320", "--set", "camera.height=240"),
        *("--set", "camera.frame_rate=10", "--set", "sinks=['memory:']", "--set", "web.is_enabled=false"),
        *("--set", "prometheus.is_enabled=true", "--set", f"prometheus.port={metrics_port}"),
    ]
    prometheus = [
        prometheus_tool("prometheus"),
        f"--config.file={settings_for(tmp_path, metrics_port)}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{prometheus_port}",
    ]
    with (
        running(scrim, tmp_path / "scrim.log", scrim_environment),
        running(prometheus, tmp_path / "prometheus.log", dict(os.environ)),
    ):
        wait_for_samples(prometheus_port, tmp_path)
        until(lambda: unanswered(prometheus_port) <= MAY_BE_EMPTY)
        until(lambda: "unknown" not in {rule["health"] for rule in rules_of(prometheus_port)})
        rules = rules_of(prometheus_port)
    assert [(rule["name"], rule["health"]) for rule in rules if rule["health"] != "ok"] == []
    assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()


def unanswered(port: int) -> set[str]:
    """The panels that find nothing."""
    found = {title: ask(port, "query", query=filled(query))["result"] for title, query in QUERIES}
    return {title for title, result in found.items() if not result}


def rules_of(port: int) -> list[dict[str, Any]]:
    return [rule for group in ask(port, "rules")["groups"] for rule in group["rules"]]


def wait_for_samples(port: int, folder: Path) -> None:
    """Until a rate can be told, and the first picture went out."""
    query = 'rate(scrim_frames_total{stage="output"}[60s]) > 0'
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError):
            if ask(port, "query", query=query)["result"]:
                return
        logs = [path.read_text()[-1500:] for path in folder.glob("*.log")]
        assert time.monotonic() < deadline_s, logs
        time.sleep(0.5)


def filled(query: str) -> str:
    """As Grafana fills in its variables."""
    return query.replace("$instance", ".+").replace("$__rate_interval", "60s")

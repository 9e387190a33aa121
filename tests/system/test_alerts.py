"""The example files for Prometheus and Telegraf, judged by promtool; each alert by tests that can fail."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = ROOT / "config" / "prometheus" / "scrim-alerts.yml"
TESTS = ROOT / "tests" / "rules" / "scrim-alerts-test.yml"
ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text())
NAMES = ROOT / "daemon" / "scrim" / "gateway" / "prometheus" / "families.py"

Promtool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def promtool(prometheus_tool: Callable[[str], str]) -> Promtool:
    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [prometheus_tool("promtool"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_the_rules_are_rules(promtool: Promtool) -> None:
    done = promtool("check", "rules", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_the_settings_are_prometheus_s(promtool: Promtool) -> None:
    done = promtool("check", "config", "--syntax-only", RULES.with_name("prometheus.yml"))
    assert done.returncode == 0, done.stderr


def test_every_alert_comes_when_it_should_and_only_then(promtool: Promtool) -> None:
    done = promtool("test", "rules", TESTS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_a_missing_alert_is_noticed(promtool: Promtool, tmp_path: Path, alert: str) -> None:
    """So the tests above see each of them come."""
    for path in (RULES, TESTS):
        folder = tmp_path / path.relative_to(ROOT).parent
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
    copy = tmp_path / RULES.relative_to(ROOT)
    kept = re.sub(rf"      - alert: {alert}\n(?:        .*\n|\n)*", "", RULES.read_text())
    assert kept != RULES.read_text()
    copy.write_text(kept)
    assert promtool("check", "rules", copy).returncode == 0
    assert promtool("test", "rules", tmp_path / TESTS.relative_to(ROOT)).returncode == 1


def test_every_metric_in_the_rules_is_told() -> None:
    told = NAMES.read_text()
    for name in set(re.findall(r"\bscrim_\w+", RULES.read_text())):
        assert f'"{name}"' in told, name


def test_telegraf_reads_the_topics_that_devices_write() -> None:
    """Only the file's shape is looked at: no Telegraf was there to try it."""
    (plugin,) = tomllib.loads((ROOT / "config" / "telegraf.conf").read_text())["inputs"]["mqtt_consumer"]
    assert plugin["topics"] == ["scrim/+/telemetry"]
    (parsing,) = plugin["topic_parsing"]
    assert parsing["topic"] in plugin["topics"]
    assert len(parsing["tags"].split("/")) == len(parsing["topic"].split("/"))
    assert plugin["data_format"] == "json"

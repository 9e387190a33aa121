"""``/metrics``: a real listener over a real local socket, read as Prometheus reads it."""

import asyncio
import base64
import contextlib
import re
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from scrim.config import PrometheusSettings, Settings
from scrim.core.composite.placeholder import Reason
from scrim.core.control import RESULTS as CORE_RESULTS
from scrim.errors import ConfigError, DeviceError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.figures import GatewayFigures
from scrim.gateway.prometheus.families import (
    DROPS,
    MOST_DEVICES,
    PLACEHOLDER_REASONS,
    RESULTS,
    families,
)
from scrim.gateway.prometheus.server import FRESH_S, MetricsServer
from scrim.gateway.prometheus.serving import serve_metrics
from scrim.local.status import DropCounts

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring.md"
PASSWORD = "a-password-of-24-letters"
DEADLINE_S = 180.0
PROMISED = {
    "scrim_up",
    "scrim_build_info",
    "scrim_frames",
    "scrim_frame_rate_hertz",
    "scrim_segmentations",
    "scrim_segmentations_skipped",
    "scrim_quality_level",
    "scrim_quality_reason",
    "scrim_overlapping",
    "scrim_filter_cpu_ratio",
    "scrim_processing_budget_ratio",
    "scrim_camera_enabled",
    "scrim_person_present",
    "scrim_sink_up",
    "scrim_events",
    "scrim_config_revision",
    "scrim_state",
    "scrim_camera_state",
    "scrim_placeholder",
    "scrim_core_resident_memory_bytes",
    "process_cpu_seconds",
    "process_resident_memory_bytes",
}
GATEWAY_S = {
    "scrim_preview_viewers",
    "scrim_preview_encoded",
    "scrim_mqtt_connected",
    "scrim_mqtt_reconnects",
    "scrim_mqtt_messages_dropped",
    "scrim_rtsp_up",
    "scrim_rtsp_clients",
    "scrim_rtsp_encoded",
    "scrim_rtsp_dropped",
}
Scenario = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


@dataclass
class Viewed:
    viewers: int = 2
    encoded: int = 900


@dataclass
class Broker:
    is_up: bool = True
    reconnects: int = -1
    dropped: int = 3


@dataclass
class Streamed:
    url: str | None = "rtsp://127.0.0.1:8554/scrim"
    figures: dict[str, Any] = field(default_factory=lambda: {"clients": 4, "encoded": 77, "dropped": 1})


def everything_on() -> GatewayFigures:
    return GatewayFigures(Viewed(), Broker(), Streamed())


@contextlib.asynccontextmanager
async def serving(path: Path, **settings: Any) -> AsyncIterator[str]:
    """A listener for the core at ``path``, linked to it if it is there; yields its URL."""
    async with contextlib.AsyncExitStack() as stack:
        link = CoreLink(path)
        wanted = PrometheusSettings(**{"is_enabled": True, "port": 0} | settings)
        url = await serve_metrics(stack, wanted, link, everything_on())
        running = asyncio.create_task(link.run())
        stack.callback(running.cancel)
        yield url


def play(path: Path, scenario: Scenario, **settings: Any) -> None:
    async def go() -> None:
        async with serving(path, **settings) as url, aiohttp.ClientSession() as session:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(session, url)

    asyncio.run(go())


async def scrape(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()


def samples(text: str) -> dict[str, float]:
    """Each sample, named as ``name{label="value"}``."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def until_up(session: aiohttp.ClientSession, url: str, is_up: bool = True) -> str:
    deadline_s = time.monotonic() + DEADLINE_S
    while samples(text := await scrape(session, url))["scrim_up"] != is_up:
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.02)
    return text


def family_names(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def checked(promtool: str, text: str) -> None:
    """Prometheus' own judgement of names, types, units and help."""
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What is told


def test_every_promised_metric_is_there_and_promtool_finds_no_fault(
    stand_in_core: Any, prometheus_tool: Callable[[str], str]
) -> None:
    stand_in_core.sinks = [
        {"name": "memory:", "state": "open", "delivered": 5, "dropped": 2, "error": None},
        {"name": 'file:/a "b"\\\n', "state": "failed", "delivered": 0, "dropped": 0, "error": "no"},
    ]

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        text = await until_up(session, url)
        assert family_names(text) >= PROMISED
        checked(prometheus_tool("promtool"), text)
        found = samples(text)
        assert found['scrim_build_info{accelerator="cpu",model="person-256x144",version="0.1.0"}'] == 1
        assert found['scrim_frames_total{stage="captured"}'] == 344712
        assert found['scrim_sink_up{sink="memory:"}'] == 1
        assert found["scrim_processing_budget_ratio"] == 0.5
        assert found["scrim_filter_cpu_ratio"] == pytest.approx(0.0131 * 29.9, rel=1e-3)
        assert found['scrim_sink_dropped_total{sink="memory:"}'] == 2
        assert found['scrim_state{state="running"}'] == 1
        assert sum(value for name, value in found.items() if name.startswith("scrim_state{")) == 1
        assert sum(value for name, value in found.items() if name.startswith("scrim_placeholder{")) == 0
        assert found["scrim_picture_age_seconds"] == pytest.approx(0.033)

    play(stand_in_core.path, scenario)


def test_the_document_has_every_metric_and_no_other(stand_in_core: Any) -> None:
    """But for the two of a machine that this one may not have, and those of the client library."""
    rows = re.findall(r"^\| `(scrim_\w+)` \| (\w+) \| (.*?) \|", MONITORING.read_text(), re.MULTILINE)
    described = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    stand_in_core.sinks = [{"name": "memory:", "state": "open", "delivered": 5, "dropped": 2, "error": None}]
    stand_in_core.machine = {
        "temperature_c": 50.0,
        "is_throttled": False,
        "cpu_frequency_mhz": 2400.0,
        "consumers": 1,
    }

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        text = await until_up(session, url)
        told = {}
        for family in text_string_to_metric_families(text):
            if family.name.startswith("scrim_"):
                name = family.name + ("_total" if family.type == "counter" else "")
                labels = {label for sample in family.samples for label in sample.labels} - {"le"}
                told[name] = (family.type, labels)
        assert told == described

    play(stand_in_core.path, scenario)


def test_what_is_not_enabled_is_not_told() -> None:
    found = {family.name for family in families(None, GatewayFigures(Viewed()))}
    assert found == {"scrim_up", "scrim_preview_viewers", "scrim_preview_encoded"}


def test_the_gateway_s_parts_are_told(stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        found = samples(await until_up(session, url))
        assert (found["scrim_mqtt_connected"], found["scrim_mqtt_reconnects_total"]) == (1, 0)
        assert (found["scrim_rtsp_clients"], found["scrim_rtsp_encoded_total"]) == (4, 77)
        assert (found["scrim_preview_viewers"], found["scrim_preview_encoded_total"]) == (2, 900)

    play(stand_in_core.path, scenario)


def test_a_core_that_is_gone_is_told_as_gone_and_nothing_of_it_stays(
    stand_in_core: Any, prometheus_tool: Callable[[str], str]
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await until_up(session, url)
        await asyncio.to_thread(stand_in_core.stop)
        text = await until_up(session, url, is_up=False)
        ours = {name for name in family_names(text) if name.startswith("scrim_")}
        assert ours == {"scrim_up"} | GATEWAY_S
        checked(prometheus_tool("promtool"), text)

    play(stand_in_core.path, scenario)


def test_a_core_that_was_never_there_is_not_up(tmp_path: Path) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        assert samples(await scrape(session, url))["scrim_up"] == 0

    play(tmp_path / "core.sock", scenario)


def test_a_restarted_core_s_counters_begin_anew(stand_in_core: Any) -> None:
    """As Prometheus wants it: a counter that falls is a reset, and rate() knows what to do."""

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        before = samples(await until_up(session, url))
        await asyncio.to_thread(stand_in_core.stop)
        await until_up(session, url, is_up=False)
        stand_in_core.captured = 12
        await asyncio.to_thread(stand_in_core.start)
        after = samples(await until_up(session, url))
        name = 'scrim_frames_total{stage="captured"}'
        assert (before[name], after[name]) == (344712, 12)

    play(stand_in_core.path, scenario)


def test_a_core_that_does_not_answer_is_not_up(stand_in_core: Any) -> None:
    async def go() -> None:
        link = CoreLink(stand_in_core.path)
        server = MetricsServer(link, GatewayFigures(Viewed()), "127.0.0.1", patience_s=0.05)
        runner = web.AppRunner(server.app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
        running = asyncio.create_task(link.run())
        async with aiohttp.ClientSession() as session, asyncio.timeout(DEADLINE_S):
            await until_up(session, url)
            stand_in_core.metrics_answer = Future()
            await until_up(session, url, is_up=False)
            assert link.status is not None
        running.cancel()
        await runner.cleanup()

    asyncio.run(go())


def test_what_the_core_counts_is_told_and_strange_words_as_other(stand_in_core: Any) -> None:
    stand_in_core.counters["events"] |= {"camera_lost": 3, "strange_1": 2, "strange_2": 5}
    stand_in_core.counters["frames_dropped"] |= {"late": 7, "unheard_of": 4}

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        found = samples(await until_up(session, url))
        assert found['scrim_events_total{type="camera_lost"}'] == 3
        assert found['scrim_events_total{type="other"}'] == 7
        assert found['scrim_frames_dropped_total{reason="late"}'] == 7
        assert found['scrim_frames_dropped_total{reason="other"}'] == 4
        assert found['scrim_config_changes_total{result="made"}'] == 0
        assert found['scrim_stage_duration_seconds_bucket{le="0.012",stage="segment"}'] == 90
        assert found['scrim_stage_duration_seconds_bucket{le="+Inf",stage="segment"}'] == 100
        assert found['scrim_stage_duration_seconds_count{stage="segment"}'] == 100
        assert found['scrim_stage_duration_seconds_sum{stage="segment"}'] == 0.68

    play(stand_in_core.path, scenario)


def test_no_label_has_more_values_than_are_known(stand_in_core: Any) -> None:
    stand_in_core.state = stand_in_core.placeholder_reason = "unheard_of"
    stand_in_core.sinks = [
        {"name": f"file:/{number}.mkv", "state": "open", "delivered": 1, "dropped": 0, "error": None}
        for number in range(40)
    ]

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        found = samples(await until_up(session, url))
        assert sum(name.startswith("scrim_sink_up{") for name in found) == MOST_DEVICES
        assert found['scrim_state{state="other"}'] == 1
        assert found['scrim_placeholder{reason="other"}'] == 1
        assert len(found) < 250

    play(stand_in_core.path, scenario)


def test_the_gateway_knows_the_core_s_words() -> None:
    assert set(PLACEHOLDER_REASONS) == set(Reason)
    assert set(DROPS) == set(DropCounts.__annotations__)
    assert set(RESULTS) == set(CORE_RESULTS)


# Who may read


def test_a_flood_of_scrapes_does_not_reach_the_core(stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await until_up(session, url)
        before, begin_s = stand_in_core.asked.count("metrics"), time.monotonic()
        answers = await asyncio.gather(*(scrape(session, url) for _ in range(60)))
        most = 1 + (time.monotonic() - begin_s) / FRESH_S
        assert stand_in_core.asked.count("metrics") - before <= most
        assert all(samples(text)["scrim_up"] == 1 for text in answers)

    play(stand_in_core.path, scenario)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/metrics/", 404), ("POST", "/metrics", 405), ("DELETE", "/metrics", 405)],
)
def test_nothing_else_is_answered(tmp_path: Path, method: str, path: str, status: int) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.request(method, url.removesuffix("/metrics") + path) as answer:
            assert answer.status == status

    play(tmp_path / "core.sock", scenario)


@pytest.mark.parametrize("host", ["example.org", "evil.test:9464", "192.168.1.5"])
def test_a_foreign_page_s_name_is_refused_on_loopback(tmp_path: Path, host: str) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(url, headers={"Host": host}) as answer:
            assert answer.status == 403

    play(tmp_path / "core.sock", scenario)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def password_file(folder: Path, password: str = PASSWORD) -> str:
    path = folder / "password"
    path.write_text(password)
    path.chmod(0o600)
    return str(path)


def test_with_a_password_only_who_knows_it_may_read(tmp_path: Path) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        for headers in (
            {},
            {"Authorization": basic("scrim", PASSWORD + "x")},
            {"Authorization": basic("root", PASSWORD)},
            {"Authorization": "Basic ====="},
            {"Authorization": "Bearer " + PASSWORD},
        ):
            async with session.get(url, headers=headers) as answer:
                assert answer.status == 401
                assert "Basic" in answer.headers["WWW-Authenticate"]
        right = {"Authorization": basic("scrim", PASSWORD), "Host": "camera.lan"}
        async with session.get(url, headers=right) as answer:
            assert answer.status == 200

    play(tmp_path / "core.sock", scenario, password_file=password_file(tmp_path))


def refusal(tmp_path: Path, **settings: Any) -> str:
    async def go() -> None:
        async with serving(tmp_path / "core.sock", **settings):
            pass

    with pytest.raises(ConfigError) as caught:
        asyncio.run(go())
    return str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_other_machines_need_a_password(tmp_path: Path, host: str) -> None:
    assert f"prometheus.host = {host}" in refusal(tmp_path, host=host)


def test_a_short_password_is_refused_and_not_shown(tmp_path: Path) -> None:
    text = refusal(tmp_path, password_file=password_file(tmp_path, "swordfish"))
    assert "prometheus.password_file" in text
    assert "swordfish" not in text


def test_with_a_password_it_listens_on_all_addresses_and_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        right = {"Authorization": basic("scrim", PASSWORD)}
        async with session.get(url.replace("0.0.0.0", "127.0.0.1"), headers=right) as answer:
            assert answer.status == 200

    play(tmp_path / "core.sock", scenario, host="0.0.0.0", password_file=password_file(tmp_path))
    assert "unencrypted" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_port_that_is_taken_is_named_with_the_mend(tmp_path: Path) -> None:
    async def go() -> None:
        async with serving(tmp_path / "core.sock") as url:
            port = int(url.rsplit(":", 1)[1].removesuffix("/metrics"))
            with pytest.raises(DeviceError, match=rf"port {port} .* taken .*prometheus.port"):
                async with serving(tmp_path / "core.sock", port=port):
                    pass

    asyncio.run(go())


def test_it_is_off_by_default() -> None:
    assert Settings().prometheus.is_enabled is False

"""Pushing to a server elsewhere: GStreamer's, with and without password and TLS."""

import asyncio
import contextlib
import json
import logging
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from scrim.gateway.rtsp.plan import PublishPlan
from scrim.gateway.rtsp.support import Support, interpreter

from .players import playing
from .stage import PATIENCE_S, SIZE, core_at, fresh_figures, plan, streaming, until

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _can_publish(support: Support) -> None:
    if not support.can_publish:
        pytest.skip("nothing to publish with: apt install gstreamer1.0-rtsp")


class RecordServer:
    """Takes what is pushed to ``/in``."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    async def unit(self) -> dict[str, object]:
        """The next picture that came."""
        assert self.process.stdout is not None
        found: dict[str, object] = json.loads(await self.process.stdout.readline())
        return found


@contextlib.asynccontextmanager
async def recording(*options: str, port: int = 0) -> AsyncIterator[RecordServer]:
    script = Path(__file__).with_name("record_server.py")
    command = [interpreter(), str(script), str(port), *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield RecordServer(process, json.loads(await process.stdout.readline())["port"])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """One for localhost that nobody trusts: with its key in one file, and alone in another."""
    if shutil.which("openssl") is None:
        pytest.skip("no certificate can be made: apt install openssl")
    key, public, both = (tmp_path / name for name in ("key.pem", "public.pem", "both.pem"))
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", public], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + public.read_bytes())
    return both, public


def test_a_server_gets_the_stream_and_nobody_else_is_served(place: Path) -> None:
    async def scenario() -> None:
        with core_at(place) as core:
            async with asyncio.timeout(PATIENCE_S), recording() as server:
                target = PublishPlan(f"rtsp://localhost:{server.port}/in")
                async with streaming(place, plan(is_serving=False, publish=target)) as part:
                    units = [await server.unit() for _ in range(10)]
                    assert units[0]["is_key"] is True
                    await until(lambda: part.figures["publishing"] == "live")
                    assert part.url is None
                    assert core.subscribers == 1

    asyncio.run(scenario())


@pytest.mark.usefixtures("players")
def test_clients_and_the_server_share_one_encode(place: Path) -> None:
    async def scenario() -> None:
        with core_at(place) as core:
            async with asyncio.timeout(PATIENCE_S), recording() as server:
                target = PublishPlan(f"rtsp://localhost:{server.port}/in")
                async with (
                    streaming(place, plan(publish=target)) as part,
                    playing(part.url or "", SIZE, "gst tcp") as player,
                ):
                    await player.number()
                    await server.unit()
                    await until(lambda: part.figures["clients"] == 1)
                    shown = core.number
                    encoded = (await fresh_figures(part))["encoded"]
                    for _ in range(45):
                        await player.number()
                        await server.unit()
                    await until(lambda: part.figures["encoded"] > encoded)
                    assert part.figures["encoded"] - encoded <= core.number - shown + 35, "1 s old"

    asyncio.run(scenario())


def test_a_password_is_given_and_a_wrong_one_told(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        with core_at(place) as core:
            async with asyncio.timeout(PATIENCE_S), recording("--password", PASSWORD) as server:
                url = f"rtsp://localhost:{server.port}/in"
                right = PublishPlan(url, "pusher", PASSWORD)
                async with streaming(place, plan(is_serving=False, publish=right)):
                    await server.unit()
                wrong = PublishPlan(url, "pusher", "another-horse")
                async with streaming(place, plan(is_serving=False, publish=wrong)) as part:
                    await until(lambda: part.figures["publishing"] == "waiting")
                    assert "authorized" in part.figures["publish_error"].lower()
                    await until(lambda: core.subscribers == 0)

    caplog.set_level(logging.DEBUG)
    asyncio.run(scenario())
    assert PASSWORD not in caplog.text
    assert "another-horse" not in caplog.text
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([record for record in warnings if "publishing to" in record.getMessage()]) == 1


def test_tls_is_verified(place: Path, certificate: tuple[Path, Path]) -> None:
    both, public = certificate

    async def scenario() -> None:
        with core_at(place):
            async with asyncio.timeout(PATIENCE_S), recording("--certificate", str(both)) as server:
                url = f"rtsps://localhost:{server.port}/in"
                trusted = PublishPlan(url, ca_file=str(public))
                async with streaming(place, plan(is_serving=False, publish=trusted)):
                    await server.unit()
                async with streaming(place, plan(is_serving=False, publish=PublishPlan(url))) as part:
                    await until(lambda: part.figures["publishing"] == "waiting")
                    assert "rtsp.publish_ca_file" in part.figures["publish_error"]

    asyncio.run(scenario())


def test_certificates_that_cannot_be_read_are_told(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    from scrim.gateway.rtsp.part import RtspPart

    what = plan(is_serving=False, publish=PublishPlan("rtsps://localhost:1/in", ca_file="/none.pem"))

    async def scenario() -> None:
        running = asyncio.create_task(RtspPart(place, what).run())
        await until(lambda: "/none.pem" in caplog.text)
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(scenario())
    assert "rtsp.publish_ca_file" in caplog.text


def test_a_server_that_goes_is_found_again_and_costs_nothing_meanwhile(
    place: Path, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)

    async def scenario() -> None:
        with core_at(place) as core:
            async with asyncio.timeout(2 * PATIENCE_S):
                async with recording(port=port) as server:
                    target = PublishPlan(f"rtsp://localhost:{port}/in")
                    part_of = streaming(place, plan(is_serving=False, publish=target))
                    part = await part_of.__aenter__()
                    await server.unit()
                    await until(lambda: part.figures["publishing"] == "live")
                await until(lambda: part.figures["publishing"] == "waiting")
                await until(lambda: core.subscribers == 0)
                await until(lambda: not part.figures["is_encoding"])
                encoded, shown = part.figures["encoded"], core.number
                await until(lambda: core.number > shown + 45)
                assert part.figures["encoded"] == encoded
                async with recording(port=port) as server:
                    assert (await server.unit())["is_key"] is True
                    await until(lambda: part.figures["publishing"] == "live")
                await part_of.__aexit__(None, None, None)

    asyncio.run(scenario())

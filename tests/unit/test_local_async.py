"""The local socket as the gateway uses it."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrim.errors import ConfigError, LocalError, Problem
from scrim.local.asynchronous import AsyncClient
from scrim.local.messages import MAX_MESSAGE_BYTES
from scrim.local.server import LocalServer


class Echo:
    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "refuse":
            raise ConfigError([Problem("a.b", "1", "is odd", "even")])
        return {"method": method, "params": params}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with LocalServer(tmp_path / "run" / "core.sock", Echo()) as server:
        yield server


def test_requests_at_the_same_time_get_their_own_answers(server: LocalServer) -> None:
    async def scenario() -> None:
        async with AsyncClient(server.path) as client:
            answers = await asyncio.gather(*(client.request("x", {"n": n}) for n in range(10)))
        assert [answer["params"]["n"] for answer in answers] == list(range(10))

    asyncio.run(scenario())


def test_named_methods_are_requests(server: LocalServer) -> None:
    async def scenario() -> None:
        async with AsyncClient(server.path) as client:
            assert (await client.set({"effect": "off"}))["params"] == {"patch": {"effect": "off"}}
            assert (await client.reset())["method"] == "reset"
            assert (await client.settings())["method"] == "settings"
            await client.restart()
            assert dict(await client.status())["method"] == "status"

    asyncio.run(scenario())


def test_a_refused_setting_is_a_config_error(server: LocalServer) -> None:
    async def scenario() -> None:
        async with AsyncClient(server.path) as client:
            with pytest.raises(ConfigError) as caught:
                await client.request("refuse")
            assert caught.value.problems[0].key == "a.b"

    asyncio.run(scenario())


def test_events_come_and_end_with_the_core(server: LocalServer) -> None:
    async def scenario() -> list[str]:
        seen = []
        async with AsyncClient(server.path) as client, asyncio.timeout(10):
            await client.request("events")
            server.publish("one")
            async with contextlib.aclosing(client.events()) as events:
                async for event in events:
                    seen.append(event["event"])
                    if len(seen) == 1:
                        server.publish("two")
                    else:
                        await asyncio.to_thread(server.close)
            with pytest.raises(LocalError):
                await client.request("x")
            assert not client.is_connected
        return seen

    assert asyncio.run(scenario()) == ["one", "two"]


def test_a_core_that_goes_fails_what_was_asked(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async def scenario() -> None:
        path = tmp_path / "core.sock"
        async with await asyncio.start_unix_server(hang_up, path), AsyncClient(path) as client:
            with pytest.raises(LocalError, match="hung up"):
                await client.request("x")

    asyncio.run(scenario())


@pytest.mark.parametrize("line", [b"nonsense\n", b"x" * (MAX_MESSAGE_BYTES + 2)])
def test_a_core_that_talks_nonsense_is_gone(tmp_path: Path, line: bytes) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(line)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async def scenario() -> None:
        path = tmp_path / "core.sock"
        async with await asyncio.start_unix_server(babble, path):
            async with AsyncClient(path) as client:
                with pytest.raises(LocalError):
                    await client.request("x")
            await asyncio.sleep(0)

    asyncio.run(scenario())


def test_a_core_that_does_not_answer_is_an_error_in_time(tmp_path: Path) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def scenario() -> None:
        path = tmp_path / "core.sock"
        async with await asyncio.start_unix_server(mute, path), AsyncClient(path) as client:
            with pytest.raises(LocalError, match="in time"):
                await client.request("x", timeout_s=0.02)

    asyncio.run(scenario())


def test_no_core_is_an_error_with_its_mend(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = AsyncClient(tmp_path / "core.sock")
        with pytest.raises(LocalError, match="not connected"):
            await client.request("x")
        with pytest.raises(LocalError, match="start it with 'scrim run'"):
            await client.connect()
        await client.close()

    asyncio.run(scenario())

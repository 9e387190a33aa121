"""When the next try to reach the broker is made."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from scrim.config import Settings
from scrim.gateway.mqtt import connection as module
from scrim.gateway.mqtt.connection import Connection
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.session import Event

WILL = Message("scrim/testdevice/status", b"offline", retain=True)
UP, DOWN = Event("up"), Event("down")


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def connected(self) -> None:
        self.heard.append("connected")

    def disconnected(self) -> None:
        self.heard.append("disconnected")

    def sent(self, topic: str, reason: str) -> None:
        self.heard.append(f"{topic} {reason}".strip())


class Script:
    """What happens at each try: an error, or events, each after so many seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tries: Sequence[Any], **mqtt: Any) -> None:
        self.tries = list(tries)
        self.pauses: list[float] = []
        self.versions: list[int] = []
        self.now_s = 0.0
        self.listener = Listener()
        self.mqtt = Settings().patched({"mqtt": mqtt}).mqtt
        monkeypatch.setattr(module.asyncio, "sleep", self._sleep)

    def run(self, chance: float = 0.5) -> Connection:
        async def scenario() -> Connection:
            loop = asyncio.get_running_loop()
            loop.time = lambda: self.now_s  # type: ignore[method-assign]
            connection = Connection(self.mqtt, "scrim-testdevice", WILL, self.listener, lambda: chance)
            connection.session = self._session  # type: ignore[assignment]
            with pytest.raises(EndOfScriptError):
                await connection.run()
            return connection

        return asyncio.run(scenario())

    async def _sleep(self, pause_s: float) -> None:
        self.pauses.append(round(pause_s, 2))

    def _session(self, _broker: Any, version: int, _inbox: Any) -> "FakeSession":
        if not self.tries:
            raise EndOfScriptError
        self.versions.append(version)
        return FakeSession(self, version, self.tries.pop(0))


class EndOfScriptError(Exception):
    pass


class FakeSession:
    dropped = 0
    peer = "127.0.0.1"

    def __init__(self, script: Script, version: int, happening: Any) -> None:
        self.version = version
        self._script = script
        self._happening = happening

    async def open(self) -> None:
        if isinstance(self._happening, Exception):
            raise self._happening
        self._events = list(self._happening)

    async def next_event(self) -> Event:
        event = self._events.pop(0)
        if isinstance(event, float):
            self._script.now_s += event
            event = self._events.pop(0)
        assert isinstance(event, Event)
        return event

    async def say_last(self, message: Message) -> None:
        self._script.listener.heard.append(f"said {message.payload.decode()}")

    async def close(self) -> None:
        pass


AWAY = ConnectionRefusedError(111, "Connection refused")


def test_the_pause_doubles_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, [AWAY] * 6)
    script.run()
    assert script.pauses == [1, 2, 4, 7, 7, 7]


@pytest.mark.parametrize(("chance", "pause_s"), [(0.0, 0.7), (1.0, 1.3)])
def test_give_or_take(monkeypatch: pytest.MonkeyPatch, chance: float, pause_s: float) -> None:
    script = Script(monkeypatch, [AWAY])
    script.run(chance)
    assert script.pauses == [pause_s]


def test_after_a_connection_that_lasted_the_pause_is_short_again(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, [AWAY, AWAY, [UP, 60.0, DOWN], AWAY, [UP, DOWN], [UP, DOWN], AWAY])
    connection = script.run()
    assert script.pauses == [1, 2, 1, 2, 4, 7, 7]
    assert connection.reconnects == 2
    heard = script.listener.heard
    assert heard.count("connected") == heard.count("disconnected") == heard.count("said offline") == 3


def test_a_version_that_is_not_known_gives_way_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Event("refused", "Unsupported protocol version", is_version_unknown=True)
    script = Script(monkeypatch, [[refused], [UP, DOWN], [UP, DOWN]])
    script.run()
    assert script.versions == [5, 4, 4]


def test_a_wrong_password_is_no_reason_for_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, [[Event("refused", "Not authorized")]] * 3)
    script.run()
    assert script.versions == [5, 5, 5]


@pytest.mark.parametrize(("version", "number"), [("5", 5), ("3.1.1", 4)])
def test_a_version_that_is_asked_for_stays(
    monkeypatch: pytest.MonkeyPatch, version: str, number: int
) -> None:
    script = Script(monkeypatch, [[DOWN]] * 3, version=version)
    script.run()
    assert script.versions == [number] * 3


def test_why_there_is_no_connection_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Script(monkeypatch, [AWAY] * 5 + [TimeoutError()] * 3).run()
    assert caplog.text.count("Connection refused") == 1
    assert caplog.text.count("no answer") == 1


def test_plain_text_to_the_internet_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for peer, warnings in (("93.184.216.34", 1), ("192.168.1.5", 0), ("127.0.0.1", 0), ("", 0)):
        caplog.clear()
        monkeypatch.setattr(FakeSession, "peer", peer)
        Script(monkeypatch, [[UP, DOWN]] * 2).run()
        assert caplog.text.count("anybody can read along") == warnings
    monkeypatch.setattr(FakeSession, "peer", "93.184.216.34")
    caplog.clear()
    Script(monkeypatch, [[UP, DOWN]], tls=True).run()
    assert "anybody can read along" not in caplog.text


def test_the_port_follows_tls() -> None:
    for mqtt, port in (({}, 1883), ({"tls": True}, 8883), ({"tls": True, "port": 1234}, 1234)):
        assert module.port_of(Settings().patched({"mqtt": mqtt}).mqtt) == port

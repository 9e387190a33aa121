"""Whatever comes in, the gateway goes on: random topics and payloads, with the rate limit out of the way."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from scrim.config import Settings
from scrim.errors import ConfigError, ScrimError
from scrim.gateway.library import Library
from scrim.gateway.mqtt.answers import Answers, Request
from scrim.gateway.mqtt.bucket import Bucket
from scrim.gateway.mqtt.changes import Changes
from scrim.gateway.mqtt.choices import Choices
from scrim.gateway.mqtt.commands import Commands
from scrim.gateway.mqtt.mailbox import Message, Received
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.refusals import Refusal
from scrim.gateway.mqtt.requests import Requests
from scrim.gateway.mqtt.scalars import KEYS
from scrim.gateway.mqtt.shadow import Shadow
from scrim.gateway.mqtt.topics import Topics
from scrim.gateway.mqtt.view import View
from scrim.statefile import StateFile

COUNT = 10_000
TOPICS = Topics("scrim", "testdevice", "homeassistant")
WORDS = (
    "effect",
    "strength",
    "image",
    "groups",
    "background",
    "camera",
    "privacy",
    "rev",
    "config",
    "persist",
    "é",
)
LEVELS = (
    "set",
    "desired",
    *(f"set/{key}" for key in KEYS),
    *(f"cmd/{verb}" for verb in ("get", "identify", "x")),
)


class Core:
    """Takes what the real one would."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.revision = 1

    async def set(self, patch: dict[str, Any], **terms: Any) -> dict[str, Any]:
        json.dumps(patch, allow_nan=False)
        try:
            self.settings = self.settings.patched(patch, live=True)
        except ConfigError as error:
            error.in_effect = self.answer()
            raise
        self.revision += 1
        return self.answer()

    async def request(self, method: str) -> dict[str, Any]:
        return {}

    def answer(self) -> dict[str, Any]:
        return {"revision": self.revision, "settings": self.settings.without_secrets()}


class Rig:
    """Everything that looks at what comes in, without a broker."""

    def __init__(self, folder: Path) -> None:
        self.core = Core()
        self.sent: list[Message] = []
        self.internal: list[Refusal] = []
        self.view = View()
        memory = Memory(StateFile(folder / "gateway.json"))
        choices = Choices(memory, Library(None, []))
        changes = Changes(self.core, self.view, choices, memory, Settings(), lambda: None)  # type: ignore[arg-type]
        changes.see(self.core.answer(), "local")
        answers = Answers(TOPICS, "testdevice", self.view, self.sent.append, lambda: 0.0)
        self.shadow = Shadow(changes, memory, answers, self._refused)
        nothing: Any = None
        commands = Commands(
            self.core,  # type: ignore[arg-type]
            nothing,
            answers,
            "off",
            lambda _: None,
            lambda: None,
            dict,
            lambda: 0.0,
        )
        self.requests = Requests(
            TOPICS, changes, self.shadow, commands, answers, self.view, lambda: None, self._note
        )
        self.requests._bucket = Bucket(1e9, 1e9)
        answers._complaints = Bucket(1e9, 1e9)

    def _refused(self, request: Request, error: ScrimError) -> None:
        self.requests.refused(request, error)

    def _note(self, source: str, reason: Refusal) -> None:
        if reason.code == "internal":
            self.internal.append(reason)


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 8 else 6)
    if kind < 2:
        return chance.choice(
            (None, True, False, "", "ON", "blur", "custom", "file:/etc/passwd", "data:,", "#fff")
        )
    if kind < 4:
        return chance.choice((0, -1, 1 << 80, 0.5, 1e300, 30, 7))
    if kind < 6:
        return "".join(
            map(chr, (chance.choice((chance.randrange(32, 127), chance.randrange(0xD800))) for _ in range(8)))
        )
    if kind < 7:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(WORDS): value(chance, depth + 1) for _ in range(chance.randrange(4))}


def payload(chance: random.Random) -> bytes:
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    text = json.dumps(value(chance)).encode()
    if kind == 1:
        return text[: chance.randrange(len(text) + 1)]
    if kind == 2:
        return b'{"set":' * chance.randrange(1, 3000) + text
    return text


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_random_messages(tmp_path: Path, seed: int) -> None:
    async def scenario() -> Rig:
        rig, chance = Rig(tmp_path), random.Random(seed)
        for number in range(COUNT // 2):
            scope = chance.choice(("testdevice", "testdevice", "all", "group/office", "group/"))
            topic = f"scrim/{scope}/{chance.choice(LEVELS)}"
            more = (f"scrim/reply/{number}", b"c") if chance.random() < 0.1 else (None, None)
            rig.requests.take(Received(topic, payload(chance), chance.random() < 0.05, *more))
            if number % 8 == 0:
                while rig.requests._running:
                    await asyncio.sleep(0)
                    for task in list(rig.requests._running):
                        if "identify" in topic or task.done():
                            task.cancel()
            if number % 500 == 0:
                await rig.shadow.settle(
                    ["scrim/all/desired", "scrim/group/office/desired", "scrim/testdevice/desired"]
                )
        await rig.requests.close()
        return rig

    rig = asyncio.run(scenario())
    assert rig.internal == []
    assert rig.requests._bytes == 0
    assert rig.core.settings.privacy == Settings().privacy
    assert rig.core.settings.camera.source == Settings().camera.source
    for message in rig.sent:
        answer = json.loads(message.payload)
        assert answer["ok"] is True or answer["error"]["code"]
        assert message.topic == "scrim/testdevice/response" or message.topic.startswith("scrim/reply/")
        assert b"/etc/passwd" not in message.payload or answer["error"]["code"] in (
            "image_url_invalid",
            "out_of_range",
            "invalid_strength",
            "invalid_color",
            "unknown_field",
        )
    codes = {json.loads(message.payload).get("error", {}).get("code", "ok") for message in rig.sent}
    expected = {"ok", "bad_json", "unknown_field", "out_of_range", "unsupported", "retained_command"}
    assert expected <= codes, "the messages are as different as they should be"
    assert len(rig.sent) > COUNT // 10

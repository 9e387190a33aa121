"""MQTT messages: the topic is the first line, the payload what follows."""

import asyncio
import json
from pathlib import Path

from tests.fuzz.target import folder, kind_of, promise
from tests.unit.mqtt.test_poison import LEVELS, WORDS, Rig

from scrim.config import Settings
from scrim.gateway.mqtt.mailbox import Received

_MOST_SENT = 1000


class Mqtt:
    """Everything that looks at what comes in from a broker, before a stand-in for the core."""

    limit_s = 2.0

    def __init__(self) -> None:
        self._folder = folder()
        self._loop = asyncio.new_event_loop()
        self._rig = Rig(Path(self._folder.name))
        self.seeds = [
            f"scrim/{scope}/{level}\n{json.dumps(payload)}".encode()
            for scope, level, payload in (
                ("testdevice", "set", {"effect": "blur", "strength": 30, "transaction": "1", "if_rev": 1}),
                ("testdevice", "set/effect", "blur"),
                ("all", "desired", {"rev": 3, "config": {"effect": "color", "color": "red"}}),
                ("group/office", "set", {"background_blur": {"is_enabled": True}, "persist": False}),
                ("testdevice", "cmd/get", {"transaction": "2"}),
                ("testdevice", "set/image", "library:0ae9ddfcfd6c"),
            )
        ]
        self.words = [
            *(word.encode() for word in (*LEVELS, *WORDS)),
            b"scrim/",
            b"/+/#",
            b"ON",
            b"null",
            b"1e999",
            b'"\\ud800"',
        ]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        topic, _, payload = data.partition(b"\n")
        first = len(self._rig.sent)
        self._loop.run_until_complete(self._take(topic.decode(errors="ignore"), payload))
        promise(not self._rig.internal, f"the gateway failed: {self._rig.internal}")
        settings = self._rig.core.settings
        promise(settings.privacy == Settings().privacy, "privacy changed")
        promise(settings.camera.source == "auto", "camera.source changed")
        codes = []
        for message in self._rig.sent[first:]:
            promise(message.topic == "scrim/testdevice/response", f"an answer went to {message.topic}")
            answer = json.loads(message.payload)
            codes.append(
                "ok" if answer["ok"] else f"{answer['error']['code']} {kind_of(ValueError(answer['error']))}"
            )
        if len(self._rig.sent) > _MOST_SENT:
            self._rig.sent.clear()
        return " ".join(codes)

    async def _take(self, topic: str, payload: bytes) -> None:
        requests = self._rig.requests
        requests.take(Received(topic, payload, False, None, None))
        for _ in range(50):
            if not requests._running:
                break
            await asyncio.sleep(0)
        if "desired" in topic:
            await self._rig.shadow.settle(
                ["scrim/all/desired", "scrim/group/office/desired", "scrim/testdevice/desired"]
            )
        for task in list(requests._running):
            task.cancel()

    def close(self) -> None:
        """See ``Target``."""
        self._loop.run_until_complete(self._rig.requests.close())
        self._loop.close()
        self._folder.cleanup()

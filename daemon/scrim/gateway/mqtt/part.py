"""The gateway's part that speaks MQTT: everything put together, and when each thing is done."""

import asyncio
import contextlib
import hashlib
import logging
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scrim import __version__
from scrim.errors import LocalError, ScrimError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.identity import Identity, identify
from scrim.gateway.library import Library
from scrim.gateway.live_picture import LivePicture
from scrim.gateway.mqtt import credentials, warnings
from scrim.gateway.mqtt.announcements import Announcements
from scrim.gateway.mqtt.answers import Answers, Request
from scrim.gateway.mqtt.bucket import Bucket
from scrim.gateway.mqtt.changes import Changes
from scrim.gateway.mqtt.choices import Choices
from scrim.gateway.mqtt.commands import SNAPSHOT_PX, Commands
from scrim.gateway.mqtt.connection import Connection
from scrim.gateway.mqtt.entities import Offer
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.payloads import rates, sizes
from scrim.gateway.mqtt.reports import Reports
from scrim.gateway.mqtt.requests import Requests
from scrim.gateway.mqtt.shadow import Shadow
from scrim.gateway.mqtt.topics import Topics
from scrim.gateway.mqtt.view import View
from scrim.local.status import Status

if TYPE_CHECKING:
    from scrim.config import Settings

log = logging.getLogger(__name__)

SAMPLE_S = 2.0
"""Between two looks at the core's figures."""

STATES_PER_S = 4.0
STATES_BURST = 8.0
"""So many messages of state at once; then so many a second."""

SETTLE_S = 0.5
"""After the last desired settings came, so long until they are made: the broker sends them in a row."""

FIRST_LOOK_S = 3.0
AFTER_BIRTH_S = (2.0, 10.0)
"""Home Assistant listens to states only once it has read what there is."""

UPDATE_S = 3600.0
"""Between two looks at the version that is installed."""

_BIRTH_SPREAD_S = 3.0


class MqttPart:
    """Speaks MQTT for as long as ``run`` runs.

    Args:
        settings: as the local file has them.
        link: to the core.
        picture: what goes out.
        library: background images to choose from.
        identity: who we are; default found out.
        memory: what is remembered; default the gateway's state file.
        chance: a number in [0, 1) each time.
        connect: makes the connection to the broker.

    Raises:
        ConfigError: a password or certificate cannot be used.
    """

    def __init__(
        self,
        settings: "Settings",
        link: CoreLink,
        picture: LivePicture,
        library: Library,
        identity: Identity | None = None,
        memory: Memory | None = None,
        chance: Callable[[], float] = random.random,
        connect: Callable[..., Connection] = Connection,
    ) -> None:
        credentials.check(settings.mqtt)
        self._settings = settings
        self._link = link
        self._picture = picture
        self._chance = chance
        self._identity = identity or identify(settings)
        self._memory = memory or Memory()
        self._view = View()
        insecure = "mqtt.tls_insecure: nobody looks whose certificate the broker shows"
        self._trouble = self._view.gateway_trouble = insecure if settings.mqtt.tls_insecure else None
        self._refusals: dict[str, str] = {}
        self._topics = Topics(settings.mqtt.prefix, self._identity.id, settings.mqtt.discovery_prefix)
        self._will = Message(self._topics.own("status"), b"offline", retain=True)
        self._choices = Choices(self._memory, library)
        self._changes = Changes(link, self._view, self._choices, self._memory, settings, self._changed)
        self.connection = connect(settings.mqtt, f"scrim-{self._identity.id}", self._will, self)
        self._reports = Reports(
            self._identity, settings, self._topics, self._view, self._choices, self._changes, self.connection
        )
        mqtt, publish = settings.mqtt, self.connection.publish
        self._announcements = Announcements(
            self._identity, self._topics, mqtt.discovery_prefix, mqtt.discovery, self._memory, publish
        )
        self._answers = Answers(self._topics, self._identity.id, self._view, publish)
        self._shadow = Shadow(self._changes, self._memory, self._answers, self._refused)
        self._requests = self._make_requests()
        self._groups = self._changes.groups
        self._dirty = asyncio.Event()
        self._pace = Bucket(STATES_PER_S, STATES_BURST)
        self._settling = asyncio.Event()
        self._birth: asyncio.Task[None] | None = None
        link.add(self)

    def _make_requests(self) -> Requests:
        commands = Commands(
            self._link,
            self._picture,
            self._answers,
            self._settings.mqtt.snapshots,
            self._reports.snapshot,
            self._reset_statistics,
            self._everything,
        )
        return Requests(
            self._topics,
            self._changes,
            self._shadow,
            commands,
            self._answers,
            self._view,
            self._born,
            self._reports.rejected,
        )

    async def run(self) -> None:
        """Speak until cancelled; then say that we leave."""
        try:
            await self._first_look()
            async with contextlib.AsyncExitStack() as stack:
                if self._settings.mqtt.log:
                    stack.enter_context(warnings.told(self._reports.log))
                tasks = await stack.enter_async_context(asyncio.TaskGroup())
                for work in (
                    self.connection.run,
                    self._receive,
                    self._settle,
                    self._tell_state,
                    self._sample,
                    self._tell_figures,
                    self._look_for_update,
                ):
                    tasks.create_task(work())
        finally:
            self._stop_birth()
            self._answers.close()
            await self._requests.close()
            self._memory.close()

    def connected(self) -> None:
        """The broker took us: say everything, in the order in which others need it."""
        self._groups = self._changes.groups
        self._shadow.forget()
        self._reports.forget()
        self._announcements.forget()
        self.connection.subscribe(self._topics.subscriptions(self._groups))
        self._announce()
        self._reports.info()
        self._reports.config()
        self._reports.state()
        self._reports.update()
        self._reports.online()
        self._reports.figures()
        if self._settings.mqtt.snapshots == "retained":
            self._requests.start(self._first_still())

    def disconnected(self) -> None:
        """The broker is gone; what it told us it will tell again."""
        self._stop_birth()

    def sent(self, topic: str, reason: str) -> None:
        """Say once when the broker does not let this user write somewhere, and take it back when it does."""
        if reason and topic not in self._refusals:
            log.warning("mqtt: %s: %s: the broker does not let this user write there", topic, reason)
            self._refusals[topic] = reason
        elif not reason and topic in self._refusals:
            del self._refusals[topic]
        else:
            return
        refused = next(iter(self._refusals.items()), None)
        self._view.gateway_trouble = f"mqtt: {refused[0]}: {refused[1]}" if refused else self._trouble
        self._dirty.set()

    def core_changed(self, status: Status | None) -> None:
        """The core said how it is, or is gone."""
        self._view.see_status(status)
        self._dirty.set()
        if status is not None and self._shadow.is_waiting:
            self._settling.set()

    def core_event(self, event: dict[str, Any]) -> None:
        """Something happened in the core."""
        name = str(event.get("event"))
        if name == "feed":
            return
        self._reports.telemetry.count_event()
        self._reports.event(name, {key: value for key, value in event.items() if key != "event"})

    def _announce(self) -> None:
        """Tell Home Assistant what there is, once it is known what this machine can measure."""
        measures = self._reports.telemetry.measures
        if measures:
            self._announcements.announce(
                Offer(
                    self._choices.library.names(),
                    sizes(self._view),
                    rates(self._view),
                    self._view.models,
                    measures,
                    self._changes.interval_s,
                    self._settings.mqtt.snapshots != "off",
                )
            )

    async def _receive(self) -> None:
        while True:
            self._requests.take(await self.connection.inbox.take())
            if self._shadow.is_waiting:
                self._settling.set()
            await asyncio.sleep(0)  # a flood must not keep the others from their work

    async def _settle(self) -> None:
        while True:
            await self._settling.wait()
            await asyncio.sleep(SETTLE_S)
            self._settling.clear()
            own = self._topics.own("desired")
            groups = (self._topics.group_desired(group) for group in self._changes.groups)
            await self._shadow.settle([self._topics.all_desired, *groups, own])

    async def _tell_state(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._look()
            if self.connection.is_up:
                self._announce()
                self._reports.info()
                self._reports.config()
                self._reports.state()
                self._reports.update()
            self._pace.take()
            await asyncio.sleep(self._pace.wait_s)

    async def _first_look(self) -> None:
        """Give the core a moment to tell its settings; else the local file's stand in until it does."""
        deadline_s = asyncio.get_running_loop().time() + FIRST_LOOK_S
        while not self._view.settings and asyncio.get_running_loop().time() < deadline_s:
            await self._look()
            await self._measure()
            await asyncio.sleep(0.05)
        if not self._view.settings:
            self._view.settings = _plain(self._settings)

    async def _look(self) -> None:
        """Read the settings, if others are in effect."""
        status = self._view.status
        if status is None or status["revision"] == self._view.revision:
            return
        with contextlib.suppress(LocalError):
            self._changes.see(await self._link.request("settings"), "local")

    async def _sample(self) -> None:
        while True:
            await self._measure()
            self._dirty.set()
            self._reports.held_back_events()
            self._memory.step()
            await asyncio.sleep(SAMPLE_S)

    async def _measure(self) -> None:
        with contextlib.suppress(LocalError):
            metrics = await self._link.request("metrics")
            if self._view.status is not None:
                self._view.see_metrics(metrics)
                self._reports.telemetry.sample(self._view.status, metrics)

    async def _tell_figures(self) -> None:
        phase = int.from_bytes(hashlib.sha256(self._identity.id.encode()).digest()[:4]) / 2**32
        while True:
            interval_s = self._changes.interval_s
            now_s = asyncio.get_running_loop().time()
            wait_s = interval_s - (now_s - phase * interval_s) % interval_s
            await self._wait_unless_other(interval_s, wait_s)
            self._reports.figures()

    async def _first_still(self) -> None:
        """What the broker keeps is to be there from the start."""
        with contextlib.suppress(LocalError):
            self._reports.snapshot(await self._picture.still(SNAPSHOT_PX))

    async def _look_for_update(self) -> None:
        while True:
            self._reports.latest_version = await asyncio.to_thread(_version_on_disk)
            self._dirty.set()
            await asyncio.sleep(UPDATE_S)

    async def _wait_unless_other(self, interval_s: float, wait_s: float) -> None:
        """Wait, but not on when another interval is wished meanwhile."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + wait_s
        while (left_s := deadline_s - loop.time()) > 0 and self._changes.interval_s == interval_s:
            await asyncio.sleep(min(left_s, SAMPLE_S))

    def _changed(self) -> None:
        """Settings are others now, the core's or the gateway's."""
        groups = self._changes.groups
        if groups != self._groups:
            gone = [group for group in self._groups if group not in groups]
            self.connection.unsubscribe(self._topics.group_subscription(group).filter for group in gone)
            new = [group for group in groups if group not in self._groups]
            self.connection.subscribe(self._topics.group_subscription(group) for group in new)
            self._groups = groups
        self._dirty.set()

    def _refused(self, request: Request, error: ScrimError) -> None:
        self._requests.refused(request, error)

    def _reset_statistics(self) -> None:
        self._reports.telemetry.reset()
        self._reports.figures()

    def _everything(self) -> Mapping[str, Any]:
        """Publish everything again; config and state for the answer."""
        self._reports.forget()
        self._dirty.set()
        return {"config": self._reports.config_document(), "state": self._reports.state_document()}

    def _born(self) -> None:
        """Home Assistant is here: tell it what there is, and how it is once it listens."""
        self._stop_birth()
        self._birth = asyncio.create_task(self._welcome())

    async def _welcome(self) -> None:
        await asyncio.sleep(self._chance() * _BIRTH_SPREAD_S)
        self._announcements.forget()
        self._announce()
        passed_s = 0.0
        for after_s in AFTER_BIRTH_S:
            await asyncio.sleep(after_s - passed_s)
            passed_s = after_s
            self._reports.online()
            self._reports.state(anyway=True)
            self._reports.figures()

    def _stop_birth(self) -> None:
        birth, self._birth = self._birth, None
        if birth is not None:
            birth.cancel()


def _version_on_disk() -> str:
    """Of the package as it is installed now, which may be newer than what runs."""
    from importlib import metadata

    try:
        return metadata.version("scrim")
    except metadata.PackageNotFoundError:
        return __version__


def _plain(settings: Any) -> Any:  # noqa: ANN401  (whatever stands in the settings)
    """Settings, as they came over from the process that checked them, as JSON values again."""
    if hasattr(settings, "__dict__"):
        return {key: _plain(value) for key, value in vars(settings).items()}
    return settings

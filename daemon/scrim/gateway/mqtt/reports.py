"""Everything the device says of itself, when it changed: info, config, state, telemetry, events."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scrim import __version__
from scrim.gateway.identity import Identity
from scrim.gateway.mqtt import payloads
from scrim.gateway.mqtt.changes import Changes
from scrim.gateway.mqtt.choices import Choices
from scrim.gateway.mqtt.connection import Connection
from scrim.gateway.mqtt.mailbox import Message
from scrim.gateway.mqtt.refusals import Refusal
from scrim.gateway.mqtt.telemetry import Telemetry
from scrim.gateway.mqtt.throttle import Throttle
from scrim.gateway.mqtt.topics import Topics
from scrim.gateway.mqtt.view import View

if TYPE_CHECKING:
    from scrim.config import Settings

log = logging.getLogger(__name__)

EVENT_EXPIRY_S = 300
SNAPSHOT_EXPIRY_S = 600
KEPT_INTERVALS = 3.5
"""Figures are valid for so many intervals; then the broker forgets them."""

TITLE = "scrim"


class Reports:
    """Publishes. What did not change is not sent again, unless it is asked for.

    Args:
        identity: who we are.
        settings: as the local file has them.
        topics: where to.
        view: what is known.
        choices: backgrounds that are not in use.
        changes: knows groups and interval.
        connection: takes messages.

    Attributes:
        telemetry: gathers figures.
        latest_version: of scrim, on this machine.
    """

    def __init__(
        self,
        identity: Identity,
        settings: "Settings",
        topics: Topics,
        view: View,
        choices: Choices,
        changes: Changes,
        connection: Connection,
    ) -> None:
        self.telemetry = Telemetry(view.clock_s, view.wall_s)
        self.latest_version = __version__
        self._identity = identity
        self._settings = settings
        self._topics = topics
        self._view = view
        self._choices = choices
        self._changes = changes
        self._connection = connection
        self._throttle = Throttle(view.clock_s, view.wall_s)
        self._sent: dict[str, bytes] = {}

    def forget(self) -> None:
        """What was sent before may be lost: send everything again when it is due."""
        self._sent.clear()

    def info(self) -> None:
        """Who this device is, if that changed."""
        self._publish_if_new("info", self.info_document())

    def info_document(self) -> dict[str, Any]:
        """Who this device is."""
        return payloads.info(
            self._identity,
            self._settings,
            self._view,
            self._choices,
            self._changes.groups,
            self._connection.version,
        )

    def config(self) -> None:
        """The settings in effect, if they changed and are known."""
        if self._view.settings:
            self._publish_if_new("config", self.config_document())

    def config_document(self) -> dict[str, Any]:
        """The settings in effect."""
        return payloads.config(self._view, self._choices, self._changes.groups, self._changes.interval_s)

    def state(self, *, anyway: bool = False) -> None:
        """How it is, if that changed."""
        if anyway:
            self._sent.pop("state", None)
        self._publish_if_new("state", self.state_document())

    def state_document(self) -> dict[str, Any]:
        """How it is."""
        return payloads.state(self._view, self._choices, self._changes.interval_s)

    def figures(self) -> None:
        """The telemetry of the interval that ends now."""
        interval_s = self._changes.interval_s
        document = self.telemetry.message(interval_s, self._connection.dropped)
        if document is not None:
            self._connection.publish(
                Message(
                    self._topics.own("telemetry"),
                    payloads.encode(document),
                    qos=0,
                    retain=True,
                    expiry_s=round(KEPT_INTERVALS * interval_s),
                    is_urgent=False,
                )
            )

    def online(self) -> None:
        """That the device is here."""
        self._connection.publish(Message(self._topics.own("status"), b"online", retain=True))

    def update(self) -> None:
        """Which version runs, and which one is installed and waits for a restart; nobody else is asked."""
        document = {"installed_version": __version__, "latest_version": self.latest_version, "title": TITLE}
        self._publish_if_new("update", document)

    def event(self, name: str, payload: Mapping[str, Any]) -> None:
        """Something happened; of one kind not every time."""
        document = self._throttle.put(name, payload)
        if document is not None:
            self._send_event(document)

    def held_back_events(self) -> None:
        """What happened meanwhile and may be told now."""
        for document in self._throttle.due():
            self._send_event(document)

    def rejected(self, source: str, reason: Refusal) -> None:
        """A request was refused; the state goes out again, so that a switch snaps back."""
        self.event("config_rejected", {"source": source, **reason.as_json()})
        self.state(anyway=True)

    def snapshot(self, jpeg: bytes) -> None:
        """A still."""
        is_kept = self._settings.mqtt.snapshots == "retained"
        self._connection.publish(
            Message(
                self._topics.own("snapshot"),
                jpeg,
                qos=0,
                retain=is_kept,
                expiry_s=SNAPSHOT_EXPIRY_S if is_kept else None,
                is_urgent=False,
            )
        )

    def log(self, record: Mapping[str, Any]) -> None:
        """A warning of the gateway's."""
        self._connection.publish(
            Message(self._topics.own("log"), payloads.encode(record), qos=0, expiry_s=60, is_urgent=False)
        )

    def _send_event(self, document: Mapping[str, Any]) -> None:
        payload = payloads.encode({"v": payloads.SCHEMA, **document})
        self._connection.publish(Message(self._topics.own("event"), payload, expiry_s=EVENT_EXPIRY_S))

    def _publish_if_new(self, name: str, document: Mapping[str, Any]) -> None:
        payload = payloads.encode(document)
        if self._sent.get(name) == payload:
            return
        if self._connection.publish(Message(self._topics.own(name), payload, retain=True)):
            self._sent[name] = payload

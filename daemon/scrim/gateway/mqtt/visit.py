"""One short connection to the broker, for commands: say something and leave."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scrim.errors import BrokerError
from scrim.gateway.mqtt.connection import broker_of, versions_of, why
from scrim.gateway.mqtt.mailbox import Mailbox, Message
from scrim.gateway.mqtt.session import MAX_UNSENT_MINOR, Session

if TYPE_CHECKING:
    from scrim.config import MqttSettings

PATIENCE_S = 10.0


async def visit(mqtt: "MqttSettings", client_id: str, messages: Sequence[Message]) -> dict[str, str]:
    """Connect, publish, wait until the broker has taken or refused each message, and leave.

    Args:
        mqtt: where, and as whom.
        client_id: other than the gateway's, which would be cut off.
        messages: of QoS 1.

    Returns:
        Topics that were refused, and why.

    Raises:
        ConfigError: a password or certificate cannot be used.
        BrokerError: there is no way to the broker.
    """
    broker = broker_of(mqtt, client_id, Message("", b""))
    for version in versions_of(mqtt):
        session = Session(broker, version, Mailbox(1))
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await _say(session, messages)
        except _RefusedError as error:
            reason = str(error)
        except TimeoutError:
            reason = "no answer"
        except (OSError, ValueError) as error:
            raise BrokerError(f"{broker.host}:{broker.port}: {why(error)}") from None
        finally:
            await session.close()
    raise BrokerError(f"{broker.host}:{broker.port}: {reason or 'it hung up'}")


class _RefusedError(Exception):
    """The broker does not want us."""


async def _say(session: Session, messages: Sequence[Message]) -> dict[str, str]:
    await session.open()
    event = await session.next_event()
    if event.kind != "up":
        raise _RefusedError(event.reason)
    refused: dict[str, str] = {}
    waiting = list(messages)
    while waiting or session.unsent:
        while waiting and session.unsent < MAX_UNSENT_MINOR:
            session.publish(waiting.pop(0))
        event = await session.next_event()
        if event.kind == "down":
            raise _RefusedError(event.reason)
        if event.reason:
            refused[event.topic] = event.reason
    return refused

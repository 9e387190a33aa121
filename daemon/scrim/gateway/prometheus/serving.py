"""Begins to serve ``/metrics`` as the settings want it."""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from scrim.errors import ConfigError, Problem
from scrim.gateway.core_link import CoreLink
from scrim.gateway.figures import GatewayFigures
from scrim.gateway.listening import check_address, is_loopback, listen
from scrim.gateway.prometheus.server import MetricsServer
from scrim.password import find_password

if TYPE_CHECKING:
    from scrim.config import PrometheusSettings

log = logging.getLogger(__name__)

CREDENTIAL = "prometheus-password"
LEAST_CHARACTERS = 12
"""A program types it, so it may be long; a guess over the network takes as long as an answer."""

_STOP_S = 1.0


async def serve_metrics(
    stack: contextlib.AsyncExitStack, settings: "PrometheusSettings", link: CoreLink, figures: GatewayFigures
) -> str:
    """Listen until the stack is left.

    Args:
        stack: of what ends with the gateway.
        settings: where, and with which password.
        link: to the core.
        figures: what the gateway's parts count.

    Returns:
        The URL.

    Raises:
        ConfigError: the address cannot be had without a password, or the password is none.
        DeviceError: another program has the port.
    """
    password = _password(settings)
    has_password = password is not None
    address = check_address("prometheus", settings.host, settings.port, has_password=has_password)
    server = MetricsServer(link, figures, address, password)
    runner = web.AppRunner(server.app, access_log=None, handler_cancellation=True, shutdown_timeout=_STOP_S)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    url = await listen(runner, "prometheus", address, settings.port)
    log.info("metrics at %smetrics", url)
    if not is_loopback(address):
        log.warning("prometheus: password and figures go over the network unencrypted at %s", address)
    return f"{url}metrics"


def _password(settings: "PrometheusSettings") -> str | None:
    key = "prometheus.password_file"
    path = Path(settings.password_file) if settings.password_file else None
    password = find_password(path, CREDENTIAL, key)
    if password is not None and len(password) < LEAST_CHARACTERS:
        mend = f"at least {LEAST_CHARACTERS} characters; openssl rand -base64 24 makes one"
        raise ConfigError([Problem(key, "(not shown)", "is too short a password", mend)])
    return password

"""Begins to serve the page as the settings want it."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from scrim.errors import ConfigError, Problem
from scrim.gateway.listening import check_address, is_address, is_loopback, listen, tls_context
from scrim.gateway.web.doorkeeper import GuardedRunner
from scrim.gateway.web.guard import allowed_names
from scrim.gateway.web.login import Login
from scrim.gateway.web.server import Around, WebServer
from scrim.password import find_password

if TYPE_CHECKING:
    from scrim.config import WebSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

CREDENTIAL = "web-password"
LEAST_CHARACTERS = 8
"""With the limits on tries, guessing the worst of these takes years."""

RELOAD_S = 60.0
"""How often a renewed certificate is looked for."""

_STOP_S = 2.0
"""How long a browser may take to let go when the gateway stops."""


async def serve_page(stack: contextlib.AsyncExitStack, settings: "WebSettings", around: Around) -> str:
    """Listen until the stack is left.

    Returns:
        The URL.

    Raises:
        ConfigError: other machines could reach it and there is no password; or password, certificate, key or
            address cannot be used. Lists every problem.
        DeviceError: another program has the port.
    """
    password, tls, address = _checked(settings)
    names = allowed_names(address, settings.hosts)
    server = WebServer(names, around, Login(password) if password is not None else None)
    runner = GuardedRunner(server.app, access_log=None, handler_cancellation=True, shutdown_timeout=_STOP_S)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    url = await listen(runner, "web", address, settings.port, tls)
    if tls is not None and settings.certificate is not None and settings.key is not None:
        following = asyncio.create_task(_follow(tls, settings.certificate, settings.key), name="certificate")
        stack.push_async_callback(_cancelled, following)
    log.info("page at %s", url)
    if tls is None and not is_loopback(address):
        log.warning(
            "web: password and picture go over the network unencrypted at %s; see web.certificate", url
        )
    return url


def _checked(settings: "WebSettings") -> tuple[str | None, ssl.SSLContext | None, str]:
    """Password, TLS and address."""
    problems: list[Problem] = []
    password = _or_note(problems, lambda: _password(settings))
    tls = _or_note(problems, lambda: tls_context("web", settings.certificate, settings.key))
    # Where a password was meant to be, its own mistake is told, not its absence.
    has_password = password is not None or bool(settings.password_file)
    address = _or_note(
        problems, lambda: check_address("web", settings.host, settings.port, has_password=has_password)
    )
    problems += [
        Problem("web.hosts", host, "is no name by itself", "the name alone, without scheme and port")
        for host in settings.hosts
        if ":" in host and not is_address(host)
    ]
    if settings.hosts and not has_password:
        shown, message = (
            ", ".join(settings.hosts),
            "other names mean other machines, and that needs a password",
        )
        problems.append(Problem("web.hosts", shown, message, "a file in web.password_file, or no hosts"))
    if problems or address is None:
        raise ConfigError(problems)
    return password, tls, address


def _or_note(problems: list[Problem], read: Callable[[], T]) -> T | None:
    """What is read; where it cannot be, the problems are noted."""
    try:
        return read()
    except ConfigError as error:
        problems += error.problems
        return None


def _password(settings: "WebSettings") -> str | None:
    key = "web.password_file"
    path = Path(settings.password_file) if settings.password_file else None
    password = find_password(path, CREDENTIAL, key)
    if password is not None and len(password) < LEAST_CHARACTERS:
        mend = f"at least {LEAST_CHARACTERS} characters"
        raise ConfigError([Problem(key, "(not shown)", "is too short a password", mend)])
    return password


async def _follow(tls: ssl.SSLContext, certificate: str, key: str) -> None:
    """Take up a certificate that was renewed; connections that stand keep the one they have."""
    seen = _changed_at(certificate, key)
    while True:
        await asyncio.sleep(RELOAD_S)
        found = _changed_at(certificate, key)
        if found == seen:
            continue
        seen = found
        try:
            tls.load_cert_chain(certificate, key)
            log.info("web: the certificate was renewed")
        except (OSError, ValueError) as error:
            log.warning("web: %s cannot be used, the one before stays: %s", certificate, error)


def _changed_at(*paths: str) -> list[int]:
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            found.append(Path(path).stat().st_mtime_ns)
    return found


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

"""What a service tells systemd about itself (sd_notify(3)); nothing where systemd did not start it."""

import importlib
import logging
import os
import socket
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

Notify = Callable[[str], None]
"""Takes lines such as ``READY=1``; never fails, never waits."""


def notifier(environment: Mapping[str, str] = os.environ) -> Notify:
    """How to tell systemd: through its own library where that is installed, else the socket itself."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return _nobody
    try:
        library = importlib.import_module("systemd.daemon")
    except ImportError:
        return lambda state: _send(address, state)
    return lambda state: _notify(library.notify, state)


def watchdog_interval_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """How long systemd waits for a sign of life before it restarts this process; None: it does not wait."""
    microseconds, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    return int(microseconds) / 1e6 if pid in ("", str(os.getpid())) else None


def _nobody(state: str) -> None:
    """Nobody listens."""


def _notify(notify: Callable[[str], object], state: str) -> None:
    try:
        notify(state)
    except OSError as error:
        logger.warning("systemd: %s is not told: %s", state, error.strerror)


def _send(address: str, state: str) -> None:
    path = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
            out.sendto(state.encode(), path)
    except OSError as error:
        logger.warning("systemd: %s is not told: %s", state, error.strerror)

"""Core and gateway side by side, for a person at a terminal; systemd starts each as its own unit."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import FrameType

from scrim.errors import EXIT_RESTART
from scrim.local.listening import is_free
from scrim.local.place import SOCKET_NAME, default_path

logger = logging.getLogger(__name__)

_GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1


def run_both(forwarded: Sequence[str]) -> int:
    """Start both, wait for the first to end or for Ctrl-C, stop both; one that wants it is started again.

    Args:
        forwarded: settings options for the children.

    Returns:
        The exit status of the one that ended by itself, or 0.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with ExitStack() as stack:
        socket = _place(stack)
        environment = {**os.environ, "SCRIM_SOCKET": str(socket)}
        children = [_start(["core", "--demo", "--strict", *forwarded], environment)]
        stack.callback(_stop, children)
        try:
            _wait_for(socket, children[0])
            children.append(_start(["gateway", *forwarded], environment))
            again = (["core", "--demo", *forwarded], ["gateway", *forwarded])
            return keep_running(children, [partial(_start, one, environment) for one in again])
        except KeyboardInterrupt:
            return 0


def keep_running(
    children: list[subprocess.Popen[bytes]], starts: Sequence[Callable[[], subprocess.Popen[bytes]]]
) -> int:
    """Wait for the first to end; one that asks for it is started again.

    Args:
        children: that run; those that are started again take their places.
        starts: what starts each again.

    Returns:
        The exit status of the first that ended for good.
    """
    while True:
        status = _first_to_end(children)
        if status != EXIT_RESTART:
            return status
        for number, start in enumerate(starts):
            if children[number].poll() == EXIT_RESTART:
                children[number] = start()


def _place(stack: ExitStack) -> Path:
    """Where this run's socket lies: where ``scrim ctl`` looks for it, unless another run has that place."""
    usual = default_path()
    if "SCRIM_SOCKET" in os.environ or is_free(usual):
        return usual
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scrim-"))) / SOCKET_NAME
    logger.warning(
        "%s is taken by another scrim, or not this user's; this one is reached with SCRIM_SOCKET=%s",
        usual,
        path,
    )
    return path


def _start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    prctl = ctypes.CDLL(None).prctl

    def leave_with_us() -> None:
        """In the child: when this process is killed, nobody else would stop it."""
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    return subprocess.Popen(
        [sys.executable, "-m", "scrim", *arguments],
        env=environment,
        start_new_session=True,
        preexec_fn=leave_with_us,  # noqa: PLW1509  no other thread runs here
    )


def _wait_for(socket: Path, core: subprocess.Popen[bytes]) -> None:
    """Give the core time to listen, so that the gateway's first words are not that nobody does."""
    deadline_s = time.monotonic() + _GRACE_S
    while not socket.exists() and core.poll() is None and time.monotonic() < deadline_s:
        time.sleep(0.02)


def _first_to_end(children: list[subprocess.Popen[bytes]]) -> int:
    while True:
        for child in children:
            status = child.poll()
            if status is not None:
                return status if status >= 0 else _killed(child, -status)
        time.sleep(0.1)


def _killed(child: subprocess.Popen[bytes], number: int) -> int:
    """Say so, for a killed process has said nothing itself; the exit status as a shell would give it."""
    logger.error("%s was killed by %s", _name(child), signal.Signals(number).name)
    return 128 + number


def _name(child: subprocess.Popen[bytes]) -> str:
    return str(child.args[3]) if isinstance(child.args, list) else str(child.args)


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # impatience must not leave anything behind
    for child in reversed(children):
        child.terminate()
    for child in children:
        try:
            child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

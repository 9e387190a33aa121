"""The gateway's side of RTSP: keeps the child running and brings it the frame feed."""

import asyncio
import contextlib
import logging
import re
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

from scrim.errors import LocalError
from scrim.gateway.rtsp import line
from scrim.gateway.rtsp.feeder import Feeder
from scrim.gateway.rtsp.plan import Plan
from scrim.gateway.rtsp.support import command, environment, install
from scrim.gateway.waiting import readable

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 60.0
"""The pause after the child's end doubles from the first to this."""

STEADY_S = 60.0
"""A child that ran for this long begins again with the first pause."""

SILENCE_S = 15.0
"""A child that says nothing for this long hangs: it tells its figures every second."""

_STOP_S = 2.0
_GLIBS = re.compile(rb"\(.*:\d+\): \S+-(CRITICAL|WARNING|Message) ")
"""What a library of GLib's family says when it found a slip of its own, such as a socket closed under it."""
_LONGEST_LINE_BYTES = 1024


class RtspPart:
    """Streams for as long as ``run`` runs; see :class:`scrim.gateway.part.Part`.

    Args:
        path: the local socket.
        plan: what to do.

    Attributes:
        url: where the stream is; None while it is not.
        figures: what the child last said of itself: ``encoder``, ``is_wanted``, ``is_encoding``,
            ``is_placeholder``, ``encoded``, ``dropped``, ``clients``; ``publishing`` and ``publish_error``
            where it pushes.
        pid: of the child; None while there is none.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.url: str | None = None
        self.figures: dict[str, Any] = {}
        self.pid: int | None = None
        self._plan = plan
        self._feeder = Feeder(path)
        self._said = ""
        self._is_hopeless = False

    async def run(self) -> None:
        """Keep a child running. Returns when this machine has not what it needs, which it has said."""
        loop, pause_s = asyncio.get_running_loop(), FIRST_PAUSE_S
        while True:
            began_s = loop.time()
            reason = await self._run_child()
            if self._is_hopeless:
                return
            if loop.time() - began_s > STEADY_S:
                pause_s = FIRST_PAUSE_S
            if reason != self._said:
                log.error("rtsp: %s; it is tried again", reason)
            self._said = reason
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LAST_PAUSE_S)

    async def _run_child(self) -> str:
        """One child from its start to its end; why it ended."""
        ours, theirs = line.make_pair()
        ours.setblocking(False)
        with ours:
            with theirs:
                process = await _spawn(theirs)
            self.pid = process.pid
            complaining = asyncio.create_task(_log_complaints(process), name="rtsp-complaints")
            try:
                line.send(ours, "start", plan=self._plan.as_dict())
                return await self._converse(ours)
            except LocalError:
                return await _fate(process)
            except TimeoutError:
                return f"the streaming process said nothing for {SILENCE_S:.0f} s"
            finally:
                self.url, self.pid, self.figures = None, None, {}
                await self._feeder.stop()
                ours.close()
                await _end(process)
                await asyncio.wait({complaining}, timeout=_STOP_S)
                complaining.cancel()

    async def _converse(self, end: socket.socket) -> str:
        """Do what the child says until it says that it cannot go on; why."""
        while True:
            async with asyncio.timeout(SILENCE_S):
                await readable(end.fileno())
            with contextlib.suppress(BlockingIOError):
                message, _ = line.receive(end)
                if message["word"] == "cannot":
                    return self._cannot(message)
                await self._hear(message, end)

    async def _hear(self, message: line.Message, end: socket.socket) -> None:
        match message["word"]:
            case "log":
                log.log(int(message["level"]), "rtsp: %s", message["text"])
            case "figures":
                self.figures = message["figures"]
                await self._feed(end, is_wanted=bool(self.figures["is_wanted"]))
            case "wanted":
                await self._feed(end, is_wanted=bool(message["wanted"]))
            case "ready":
                self.url, self._said = message["url"], ""
                log.info("rtsp: %s, encoder %s", self.url or "publishing only", message["encoder"])

    async def _feed(self, end: socket.socket, *, is_wanted: bool) -> None:
        if is_wanted:
            self._feeder.start(end)
        else:
            await self._feeder.stop()

    def _cannot(self, message: line.Message) -> str:
        if message["missing"]:
            self._is_hopeless = True
            log.error("rtsp: not available: %s; then start scrim again", install(message["missing"]))
        return str(message["text"])


async def _spawn(theirs: socket.socket) -> Process:
    fileno = theirs.fileno()
    return await asyncio.create_subprocess_exec(
        *command("serve", str(fileno)),
        pass_fds=[fileno],
        env=environment(),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        start_new_session=True,  # Ctrl-C is not for it: it ends with its line
    )


async def _log_complaints(process: Process) -> None:
    """What GStreamer and Python print goes to the log, line by line, each cut short."""
    assert process.stderr is not None  # noqa: S101  (it was asked for)
    rest = b""
    while data := await process.stderr.read(4096):
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[:_LONGEST_LINE_BYTES]
        for text in filter(None, lines):
            level = logging.INFO if _GLIBS.match(text) else logging.WARNING
            log.log(level, "rtsp: %s", text[:_LONGEST_LINE_BYTES].decode(errors="replace").rstrip())


async def _fate(process: Process) -> str:
    """How the child ended."""
    try:
        async with asyncio.timeout(_STOP_S):
            status = await process.wait()
    except TimeoutError:
        return "the streaming process does not answer"
    if status < 0:
        return f"the streaming process was killed by {signal.Signals(-status).name}"
    return f"the streaming process ended with status {status}"


async def _end(process: Process) -> None:
    """It ends when its line is closed; else it is killed."""
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

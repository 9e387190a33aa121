"""The child's composition root."""

import ctypes
import json
import logging
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scrim.errors import DeviceError, LocalError, ScrimError
from scrim.gateway.rtsp import line
from scrim.gateway.rtsp.plan import Plan

if TYPE_CHECKING:
    from scrim.gateway.rtsp.child.encoders import Kind

EXIT_CANNOT = 3
"""Exit status when something is missing, which was said over the line."""

MAX_MEMORY_BYTES = 2 * 1024**3
"""Of address space: what a client could make GStreamer hold ends here, and with it only this process."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LONGEST_RECORD = 1000


class MissingError(ScrimError):
    """Something that is needed is not installed; ``packages`` are Debian's names of it."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = tuple(packages)
        super().__init__(f"missing: {', '.join(packages)}")


def main(arguments: Sequence[str]) -> int:
    """Run until the gateway hangs up.

    Args:
        arguments: ``serve`` and the number of the line's descriptor; or ``probe``, the encoder's name, and
            ``serve`` or ``publish``.

    Returns:
        The exit status.
    """
    _restrict()
    if arguments[0] == "probe":
        sys.stdout.write(json.dumps(probe(arguments[1], is_publishing=arguments[2] == "publish")))
        return 0
    end = socket.socket(fileno=int(arguments[1]))
    logging.basicConfig(level=logging.DEBUG, handlers=[_ToGateway(end)], format="%(message)s")
    try:
        message, _ = line.receive(end)
        end.setblocking(False)
        _serve(end, Plan.of(message["plan"]))
    except MissingError as error:
        line.send(end, "cannot", missing=list(error.packages), text=str(error))
        return EXIT_CANNOT
    except DeviceError as error:
        line.send(end, "cannot", missing=[], text=str(error))
        return EXIT_CANNOT
    except LocalError:  # the gateway is gone
        pass
    return 0


def probe(encoder: str, *, is_publishing: bool) -> dict[str, Any]:
    """What this machine can do; ``missing`` alone where it cannot.

    Args:
        encoder: an element's name, or ``auto``.
        is_publishing: what that needs counts as missing where it is not there.
    """
    try:
        kinds = _load(encoder, is_publishing=is_publishing)
    except MissingError as error:
        return {"missing": list(error.packages)}
    from scrim.gateway.rtsp.child import gst

    return {
        "missing": [],
        "gstreamer": gst.Gst.version_string(),
        "encoders": [kind.name for kind in kinds],
        "can_publish": not gst.load(gst.PUBLISHING),
    }


def _restrict() -> None:
    """End with the gateway and only with it, leave no core file, gain no rights."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _load(encoder: str, *, is_publishing: bool) -> list["Kind"]:
    """Load the bindings and the plugins; the encoders that can be used.

    Raises:
        MissingError: one of them is not there.
    """
    try:
        from scrim.gateway.rtsp.child import encoders, gst
    except (ImportError, ValueError):  # gi is not there, or one of the libraries behind it
        raise MissingError(_all_packages(encoder, is_publishing=is_publishing)) from None
    gst.start()
    missing = gst.load(gst.PLUGINS | (gst.PUBLISHING if is_publishing else {}))

    def is_there(kind: "Kind") -> bool:
        is_at_hand = kind.name != "v4l2h264enc" or encoders.has_hardware_encoder()
        return is_at_hand and gst.plugin_path(kind.plugin) is not None

    kinds = encoders.usable(encoder, is_there)
    while kinds and not _works(kinds[0]):
        kinds = kinds[1:]
    if not kinds:
        missing.add(encoders.package(encoder))
    if missing:
        raise MissingError(sorted(missing))
    return kinds


def _works(kind: "Kind") -> bool:
    """Load an encoder that is there; no other's code is loaded while it works."""
    from scrim.gateway.rtsp.child import gst

    return gst.load_plugin(kind.plugin) and gst.Gst.ElementFactory.find(kind.name) is not None


def _all_packages(encoder: str, *, is_publishing: bool) -> list[str]:
    """The bindings' and those of all plugins, where it cannot be looked which are there."""
    from scrim.gateway.rtsp.child.encoders import BINDINGS, PLUGINS, PUBLISHING, package

    plugins = PLUGINS | (PUBLISHING if is_publishing else {})
    return [*BINDINGS, *sorted({*plugins.values(), package(encoder)})]


def _serve(end: socket.socket, plan: Plan) -> None:
    kinds = _load(plan.encoder, is_publishing=plan.publish is not None)
    from scrim.gateway.rtsp.child.streaming import Streaming

    Streaming(end, plan, kinds).run()


class _ToGateway(logging.Handler):
    """Hands every record to the gateway's log."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__()
        self._end = end

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, or forget it where nobody listens."""
        try:
            line.send(self._end, "log", level=record.levelno, text=self.format(record)[:_LONGEST_RECORD])
        except LocalError:
            return

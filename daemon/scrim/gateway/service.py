"""The gateway's composition root: builds the parts, starts them, and stops them in reverse."""

import asyncio
import contextlib
import errno
import logging
import signal
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from scrim.config import ImagesSettings
from scrim.errors import DeviceError
from scrim.gateway.addresses import AddressRules
from scrim.gateway.core_link import CoreLink
from scrim.gateway.images import ImageFetcher
from scrim.gateway.pictures import PictureProvider
from scrim.gateway.web.guard import check_address
from scrim.gateway.web.preview import Preview
from scrim.gateway.web.server import WebServer

log = logging.getLogger(__name__)

_STOP_S = 2.0
"""How long a browser may take to let go when the gateway stops."""


def run(
    socket_path: Path,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    images: ImagesSettings | None = None,
) -> None:
    """Serve the page until SIGTERM or SIGINT. Does not need the core to be there.

    Args:
        socket_path: the local socket.
        host: a loopback address, or ``localhost``.
        port: 0 takes a free one.
        on_ready: called once with the page's URL when it answers.
        images: from where background images may be fetched; default the internet, by https: only.

    Raises:
        ConfigError: host or port cannot be had.
        DeviceError: another program has the port.
    """
    asyncio.run(_run_until_signal(socket_path, host, port, on_ready, images))


async def _run_until_signal(
    socket_path: Path, host: str, port: int, on_ready: Callable[[str], None], images: ImagesSettings | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(socket_path, host, port, on_ready, stop, images)


async def serve(
    socket_path: Path,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    stop: asyncio.Event,
    images: ImagesSettings | None = None,
) -> None:
    """As ``run``, until ``stop`` is set."""
    address = check_address(host, port)
    link, preview = CoreLink(socket_path), Preview(socket_path)
    server = WebServer(address, link, preview)
    runner = web.AppRunner(server.app, access_log=None, handler_cancellation=True, shutdown_timeout=_STOP_S)
    allowed = images if images is not None else ImagesSettings()
    fetcher = ImageFetcher(AddressRules(allowed.allow_hosts), allow_http=allowed.allow_http)
    following = asyncio.gather(link.run(), PictureProvider(socket_path, fetcher).run())
    try:
        await runner.setup()
        url = await _listen(runner, address, port)
        log.info("page at %s", url)
        on_ready(url)
        await stop.wait()
    finally:
        await runner.cleanup()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def _listen(runner: web.AppRunner, address: str, port: int) -> str:
    try:
        await web.TCPSite(runner, address, port).start()
    except OSError as error:
        raise DeviceError(_refused_port(error, address, port)) from None
    name = f"[{address}]" if ":" in address else address
    return f"http://{name}:{runner.addresses[0][1]}/"


def _refused_port(error: OSError, address: str, port: int) -> str:
    mend = "set web.port to another, or to 0 for any free one"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {address} is taken by another program: {mend}"
    if error.errno == errno.EACCES:
        return f"port {port} on {address} is for root only: {mend}"
    return f"port {port} on {address} cannot be had: {error.strerror}: {mend}"

"""The gateway's composition root: builds the parts, starts them, and stops them in reverse."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from scrim.gateway.addresses import AddressRules
from scrim.gateway.core_link import CoreLink
from scrim.gateway.heartbeat import Heartbeat
from scrim.gateway.images import ImageFetcher
from scrim.gateway.listening import check_address, listen
from scrim.gateway.live_picture import LivePicture
from scrim.gateway.part import Part, keep_running
from scrim.gateway.pictures import PictureProvider
from scrim.gateway.web.server import WebServer
from scrim.notify import notifier, watchdog_interval_s

if TYPE_CHECKING:
    from scrim.config import Settings

log = logging.getLogger(__name__)

_STOP_S = 2.0
"""How long a browser may take to let go when the gateway stops."""


def run(socket_path: Path, settings: "Settings", on_ready: Callable[[str | None], None]) -> None:
    """Serve until SIGTERM or SIGINT. Does not need the core to be there.

    Args:
        socket_path: the local socket.
        settings: checked; those of the gateway's parts are as the local file has them.
        on_ready: called once when everything answers, with the page's URL, or None without a page.

    Raises:
        ConfigError: an address to listen on cannot be had, or a password.
        DeviceError: another program has the port.
    """
    asyncio.run(_run_until_signal(socket_path, settings, on_ready))


async def _run_until_signal(
    socket_path: Path, settings: "Settings", on_ready: Callable[[str | None], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(socket_path, settings, on_ready, stop)


async def serve(
    socket_path: Path, settings: "Settings", on_ready: Callable[[str | None], None], stop: asyncio.Event
) -> None:
    """As ``run``, until ``stop`` is set."""
    async with contextlib.AsyncExitStack() as stack:
        notify = notifier()
        link, picture = CoreLink(socket_path), LivePicture(socket_path)
        stack.push_async_callback(picture.close)
        parts = [Heartbeat(notify, watchdog_interval_s()), *_parts(socket_path, settings, link, picture)]
        url = await _serve_page(stack, settings, link, picture) if settings.web.is_enabled else None
        if settings.prometheus.is_enabled:
            from scrim.gateway.prometheus.serving import serve_metrics

            await serve_metrics(stack, settings.prometheus, link)
        running = asyncio.gather(*(keep_running(part) for part in parts), link.run())
        stack.push_async_callback(_cancelled, running)
        on_ready(url)
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")


def _parts(socket_path: Path, settings: "Settings", link: CoreLink, picture: LivePicture) -> Iterator[Part]:
    """Everything that runs beside the page, each imported only when it is wanted.

    Args:
        socket_path: the local socket, for parts with a connection of their own.
        settings: say what is wanted.
        link: to the core, shared.
        picture: what goes out now, shared: for stills.
    """
    del link, picture  # for the parts to come
    images = settings.images
    fetcher = ImageFetcher(AddressRules(images.allow_hosts), allow_http=images.allow_http)
    yield PictureProvider(socket_path, fetcher)
    if settings.rtsp.is_enabled or settings.rtsp.publish_url:
        from scrim.gateway.rtsp.part import RtspPart
        from scrim.gateway.rtsp.plan import plan_of

        yield RtspPart(socket_path, plan_of(settings))


async def _serve_page(
    stack: contextlib.AsyncExitStack, settings: "Settings", link: CoreLink, picture: LivePicture
) -> str:
    host, port = settings.web.host, settings.web.port
    address = check_address("web", host, port)
    server = WebServer(address, link, picture)
    runner = web.AppRunner(server.app, access_log=None, handler_cancellation=True, shutdown_timeout=_STOP_S)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    url = await listen(runner, "web", address, port)
    log.info("page at %s", url)
    return url


async def _cancelled(running: "asyncio.Future[list[None]]") -> None:
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

"""The gateway's composition root: builds the parts, starts them, and stops them in reverse."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrim.gateway.addresses import AddressRules
from scrim.gateway.core_link import CoreLink
from scrim.gateway.endurance import Endurance
from scrim.gateway.figures import GatewayFigures
from scrim.gateway.heartbeat import Heartbeat
from scrim.gateway.images import ImageFetcher
from scrim.gateway.live_picture import LivePicture
from scrim.gateway.models import ModelFetcher, ModelProvider
from scrim.gateway.part import Part, keep_running
from scrim.gateway.pictures import PictureProvider
from scrim.gateway.shelf import Fetcher, Shelf, ShelfFirst
from scrim.gateway.web.server import Around
from scrim.gateway.web.serving import serve_page
from scrim.notify import notifier, watchdog_interval_s
from scrim.places import state_folder
from scrim.rss_guard import GATEWAY, RssGuard, limit_mb

if TYPE_CHECKING:
    from scrim.config import Settings

log = logging.getLogger(__name__)

LIBRARY_FOLDER = "library"
"""In the folder for state: pictures that people uploaded."""


def run(
    socket_path: Path,
    settings: "Settings",
    on_ready: Callable[[str | None], None],
    schema: Mapping[str, Any] | None = None,
) -> bool:
    """Serve until SIGTERM or SIGINT. Does not need the core to be there.

    Args:
        socket_path: the local socket.
        settings: checked; those of the gateway's parts are as the local file has them.
        on_ready: called once when everything answers, with the page's URL, or None without a page.
        schema: of the settings, see :func:`scrim.config.schema.form_schema`; None has it made.

    Returns:
        Whether it is to be started again.

    Raises:
        ConfigError: an address to listen on cannot be had, or a password.
        DeviceError: another program has the port.
    """
    return asyncio.run(_run_until_signal(socket_path, settings, on_ready, schema))


async def _run_until_signal(
    socket_path: Path,
    settings: "Settings",
    on_ready: Callable[[str | None], None],
    schema: Mapping[str, Any] | None,
) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await serve(socket_path, settings, on_ready, stop, schema)


async def serve(
    socket_path: Path,
    settings: "Settings",
    on_ready: Callable[[str | None], None],
    stop: asyncio.Event,
    schema: Mapping[str, Any] | None = None,
    guard: RssGuard | None = None,
) -> bool:
    """As ``run``, until ``stop`` is set; ``guard`` takes the place of the settings' one."""
    async with contextlib.AsyncExitStack() as stack:
        notify = notifier()
        link, picture = CoreLink(socket_path), LivePicture(socket_path)
        stack.push_async_callback(picture.close)
        shelf, images = Shelf(state_folder() / LIBRARY_FOLDER), settings.images
        shelf.sweep()
        fetcher = ImageFetcher(AddressRules(images.allow_hosts), allow_http=images.allow_http)
        figures = GatewayFigures(picture)
        guard = guard or RssGuard(limit_mb(settings.memory.gateway_limit_mb, GATEWAY))
        endurance = Endurance(guard, stop)
        parts: list[Part] = [
            endurance,
            Heartbeat(notify, watchdog_interval_s()),
            *_parts(socket_path, settings, link, picture, shelf, ShelfFirst(shelf, fetcher), figures),
        ]
        url = None
        if settings.web.is_enabled:
            around = Around(link, picture, shelf, fetcher, _form_schema() if schema is None else schema)
            url = await serve_page(stack, settings.web, around)
        if settings.prometheus.is_enabled:
            from scrim.gateway.prometheus.serving import serve_metrics

            await serve_metrics(stack, settings.prometheus, link, figures)
        tasks = [asyncio.create_task(work) for work in (*map(keep_running, parts), link.run())]
        stack.push_async_callback(_ended, tasks)
        on_ready(url)
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")
    return endurance.is_to_restart


def _form_schema() -> Mapping[str, Any]:
    from scrim.config.schema import form_schema

    return form_schema()


def _parts(
    socket_path: Path,
    settings: "Settings",
    link: CoreLink,
    picture: LivePicture,
    shelf: Shelf,
    fetcher: Fetcher,
    figures: GatewayFigures,
) -> Iterator[Part]:
    """Everything that runs beside the page, each imported only when it is wanted.

    Args:
        socket_path: the local socket, for parts with a connection of their own.
        settings: say what is wanted.
        link: to the core, shared.
        picture: what goes out now, shared: for stills.
        shelf: pictures to choose from.
        fetcher: brings images, those of the library too.
        figures: learns which parts count something.
    """
    yield PictureProvider(socket_path, fetcher)
    yield ModelProvider(socket_path, ModelFetcher(AddressRules(settings.images.allow_hosts)))
    if settings.mqtt.is_enabled:
        from scrim.gateway.library import Library
        from scrim.gateway.mqtt.part import MqttPart

        mqtt = MqttPart(settings, link, picture, Library(shelf))
        figures.broker = mqtt.connection
        yield mqtt
    if settings.rtsp.is_enabled or settings.rtsp.publish_url:
        from scrim.gateway.rtsp.part import RtspPart
        from scrim.gateway.rtsp.plan import plan_of

        figures.streamed = rtsp = RtspPart(socket_path, plan_of(settings))
        yield rtsp


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel all, and wait until each has said its last words; one's error is raised when all are done."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome

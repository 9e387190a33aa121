"""Waiting for descriptors, and for what blocks, in the gateway's loop."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from scrim.errors import LocalError


class _Closable(Protocol):
    def close(self) -> None: ...


Link = TypeVar("Link", bound=_Closable)


async def opened(open_link: Callable[[], Link]) -> Link:
    """Connect to the core in a thread, for one that hangs must not stop the rest.

    Leaves nothing open when it is cancelled.

    Args:
        open_link: blocks for some seconds at most.

    Raises:
        LocalError: as ``open_link``.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(open_link))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with contextlib.suppress(LocalError):
            (await opening).close()
        raise


async def readable(*filenos: int) -> None:
    """Wait until one of ``filenos`` is."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    for fileno in filenos:
        loop.add_reader(fileno, wake)
    try:
        await ready
    finally:
        for fileno in filenos:
            with contextlib.suppress(ValueError):
                loop.remove_reader(fileno)

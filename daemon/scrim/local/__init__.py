"""The wall between the two processes: one UNIX socket, and a shared-memory feed of safe frames.

``server``   the core's end: requests, events, subscribers of the feed
``client``   a blocking client, for ``scrim ctl`` and tests
``asynchronous``  the same calls for asyncio, for the gateway
``feed``     who writes the feed and who reads it
``feed_link``  a subscription to it, as descriptors
``ring``     how the feed lies in memory
``ring_layout``  the same for readers without NumPy
``messages`` the lines on the socket
``status``   the shape of the answer to ``status``
``desk``     how the core asks for what it cannot fetch: ``pictures``, ``model_files``
``place``    where the socket lies

>>> from scrim.local import Client
>>> with Client() as scrim:
...     scrim.set({"effect": "blur", "strength": "high"})
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scrim.local.asynchronous import AsyncClient
    from scrim.local.client import Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    """The clients, imported when they are asked for: the core needs neither."""
    if name == "Client":
        from scrim.local.client import Client

        return Client
    if name == "AsyncClient":
        from scrim.local.asynchronous import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

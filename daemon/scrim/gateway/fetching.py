"""Fetching a file from outside, within limits of time, size, number of steps and place."""

import asyncio
import hashlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from scrim import __version__
from scrim.decode import memory_file
from scrim.errors import ImageError
from scrim.gateway.addresses import AddressRules, literal
from scrim.image_url import shown

_CHUNK_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Progress = Callable[[int, int | None], None]
"""Is told how many bytes have come, and of how many, where the server says."""


def _say_nothing(_count: int, _total: int | None) -> None:
    """Nobody wants to know."""


Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host; raises OSError."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may take.

    Attributes:
        connect_s: for the name, and again for the connection with its encryption.
        total_s: for everything.
        most_bytes: of the file, counted while it is read.
        redirects: how often a server may send us on.
    """

    connect_s: float = 5.0
    total_s: float = 10.0
    most_bytes: int = 8 * 1024 * 1024
    redirects: int = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """What is fetched.

    Attributes:
        name: for messages.
        accept: media types that are asked for.
        allowed: what to say of a file that is too large.
    """

    name: str
    accept: str
    allowed: str


@dataclass(slots=True)
class Encoded:
    """A file as it came; close it when it was used.

    Attributes:
        fd: a memfd with its bytes.
        sha256: of the bytes, in hexadecimal digits.
        size_bytes: how many there are.
    """

    fd: int
    sha256: str = ""
    size_bytes: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the memory go. Does nothing the second time."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


async def system_resolve(host: str, port: int) -> list[str]:
    """The addresses that this machine finds for a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class WebFetcher:
    """Fetches ``https:`` URLs, and ``http:`` where that is allowed.

    Args:
        kind: what is fetched.
        rules: which addresses may be reached.
        allow_http: fetch without encryption too.
        resolve: finds a host's addresses; asked once for each host on the way.
        tls: verifies the server; default: as this machine does.
        limits: what a server may take.
    """

    def __init__(
        self,
        kind: Kind,
        rules: AddressRules,
        *,
        allow_http: bool = False,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._kind = kind
        self._headers = {
            "Accept": kind.accept,
            "Accept-Encoding": "identity",
            "User-Agent": f"scrim/{__version__}",
        }
        self._rules = rules
        self._schemes = frozenset({"https", "http"} if allow_http else {"https"})
        self._resolve = resolve
        self._tls = tls
        self._limits = limits if limits is not None else Limits()

    async def fetch_file(self, url: str, progress: Progress = _say_nothing) -> Encoded:
        """The file behind ``url``, as it lies there.

        Args:
            url: where.
            progress: is told of each piece that comes.

        Returns:
            Its bytes; the caller's to close.

        Raises:
            ImageError: it cannot be had; names the URL without its secrets, and the limit or the HTTP status.
        """
        limits = self._limits
        encoded = Encoded(memory_file(f"scrim-{self._kind.name}"))
        try:
            async with asyncio.timeout(limits.total_s):
                await self._follow(_parsed(url), encoded, progress)
        except BaseException as error:
            encoded.close()
            if isinstance(error, ImageError):
                raise ImageError(f"{shown(url)}: {error}") from None
            if isinstance(error, OSError | aiohttp.ClientError | ValueError):
                raise ImageError(f"{shown(url)}: {_why(error, limits)}") from None
            raise
        return encoded

    async def _follow(self, url: URL, encoded: Encoded, progress: Progress) -> None:
        for _ in range(self._limits.redirects + 1):
            if url.scheme not in self._schemes:
                raise ImageError(f"leads to {url.scheme or 'no'}:, which is not fetched; {self._allowed()}")
            next_url = await self._step(url, encoded, progress)
            if next_url is None:
                return
            url = next_url
        raise ImageError(f"is redirected more than {self._limits.redirects} times")

    async def _step(self, url: URL, encoded: Encoded, progress: Progress) -> URL | None:
        """One request; where it leads to, or None when the file is there."""
        connector = aiohttp.TCPConnector(
            resolver=_Checked(await self._addresses(url)),
            use_dns_cache=False,
            force_close=True,
            ssl=self._tls if self._tls is not None else ssl.create_default_context(),
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=self._limits.connect_s, sock_connect=self._limits.connect_s
                ),
            ) as session,
            session.get(url, headers=self._headers, allow_redirects=False) as response,
        ):
            if response.status in _REDIRECTS:
                return _joined(url, response.headers.get("Location", ""))
            await self._read(response, encoded, progress)
            return None

    async def _addresses(self, url: URL) -> list[str]:
        """The host's addresses, all of them checked; nothing else is connected to."""
        host = url.raw_host or ""
        if literal(host) is not None:
            addresses = [host.strip("[]")]
        else:
            addresses = await self._resolved(host, url.port or 0)
        self._rules.check(host, addresses)
        if not addresses:
            raise ImageError(f"{host}: has no address")
        return addresses

    async def _resolved(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await self._resolve(host, port)
        except TimeoutError:
            raise ImageError(f"{host}: is not found within {self._limits.connect_s:g} s") from None

    async def _read(self, response: aiohttp.ClientResponse, encoded: Encoded, progress: Progress) -> None:
        most = self._limits.most_bytes
        if response.status != HTTPStatus.OK:
            raise ImageError(f"the server answered {_status(response.status)}")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ImageError(
                f"is sent compressed, which is not taken; allowed is an {self._kind.name} as it is"
            )
        if (response.content_length or 0) > most:
            raise ImageError(self._too_large())
        digest, count = hashlib.sha256(), 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            count += len(chunk)
            if count > most:
                raise ImageError(self._too_large())
            digest.update(chunk)
            os.write(encoded.fd, chunk)
            progress(count, response.content_length)
        encoded.sha256, encoded.size_bytes = digest.hexdigest(), count

    def _too_large(self) -> str:
        return f"is larger than {self._limits.most_bytes / 2**20:g} MiB; allowed is {self._kind.allowed}"

    def _allowed(self) -> str:
        return "allowed is " + " or ".join(f"{scheme}:" for scheme in sorted(self._schemes))


class _Checked(AbstractResolver):
    """Knows one host's addresses, which were checked; the connection can go nowhere else."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = tuple(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The checked addresses, whatever is asked."""
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to let go."""


def _parsed(url: str) -> URL:
    try:
        parsed = URL(url)
        _ = parsed.raw_host, parsed.port
    except ValueError:
        raise ImageError("is no URL") from None
    return parsed


def _joined(base: URL, location: str) -> URL:
    """Where a redirect leads; never with somebody else's user name."""
    if not location:
        raise ImageError("is redirected to nowhere")
    try:
        return base.join(_parsed(location)).with_fragment(None).with_user(None)
    except ValueError:
        raise ImageError("leads to something that is no https: URL") from None


def _status(code: int) -> str:
    known: Any = {status.value: status.phrase for status in HTTPStatus}
    return f"{code} {known.get(code, '')}".strip()


def _why(error: Exception, limits: Limits) -> str:
    """An error of the network in words."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"cannot be connected to within {limits.connect_s:g} s"
        case TimeoutError():
            return f"did not come within {limits.total_s:g} s"
        case aiohttp.ClientConnectorCertificateError():
            return "the server's certificate is not valid for this host"
        case aiohttp.ClientSSLError():
            return "the server does not speak TLS as it should"
        case ValueError():
            return "is no URL that can be fetched"
        case socket.gaierror():
            return "the host is not known"
        case OSError():
            return f"cannot be connected to: {error.strerror or 'refused'}"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError():
            return "broke off before its end"
    return "the server does not speak HTTP as it should"

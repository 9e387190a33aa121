"""A client that speaks RTSP by hand, for what no well-behaved program does."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit

from .stage import PATIENCE_S


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str


class RawClient:
    """One connection."""

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.url = url
        self.reader = reader
        self.writer = writer
        self.session = ""
        self._numbers = count(1)

    async def ask(self, method: str, url: str = "", **headers: str) -> Answer:
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {next(self._numbers)}"]
        if self.session:
            lines.append(f"Session: {self.session}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        await self.writer.drain()
        return await self.answer()

    async def answer(self) -> Answer:
        """The next answer; interleaved packets before it are thrown away."""
        async with asyncio.timeout(PATIENCE_S):
            while (first := await self.reader.readexactly(1)) == b"$":
                _, length = await self.reader.readexactly(1), await self.reader.readexactly(2)
                await self.reader.readexactly(int.from_bytes(length, "big"))
            head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *fields = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in fields)
        length = int(headers.get("Content-Length", "0"))
        body = (await self.reader.readexactly(length)).decode()
        if "Session" in headers:
            self.session = headers["Session"].split(";")[0]
        return Answer(int(status.split()[1]), headers, body)

    async def packet(self) -> bytes:
        """The next interleaved RTP packet; RTCP is left out."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                head = await self.reader.readexactly(4)
                assert head[:1] == b"$"
                packet = await self.reader.readexactly(int.from_bytes(head[2:], "big"))
                if head[1] == 0:
                    return packet

    async def play(self, transport: str = "RTP/AVP/TCP;unicast;interleaved=0-1", **headers: str) -> Answer:
        """DESCRIBE, SETUP and PLAY."""
        assert (await self.ask("DESCRIBE", **headers)).status == 200
        setup = await self.ask("SETUP", f"{self.url}/stream=0", Transport=transport, **headers)
        assert setup.status == 200, setup
        assert (await self.ask("PLAY", **headers)).status == 200
        return setup


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[RawClient]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**20)
    try:
        yield RawClient(url, reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def digest(challenge: str, method: str, url: str, user: str, password: str) -> str:
    """The Authorization header that answers a challenge (RFC 2069)."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    secret = hashlib.md5(f"{user}:{fields['realm']}:{password}".encode()).hexdigest()
    asked = hashlib.md5(f"{method}:{url}".encode()).hexdigest()
    response = hashlib.md5(f"{secret}:{fields['nonce']}:{asked}".encode()).hexdigest()
    return (
        f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", '
        f'uri="{url}", response="{response}"'
    )

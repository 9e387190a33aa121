"""Fetching images from a server on loopback that does everything a server should not."""

import asyncio
import contextlib
import gzip
import hashlib
import os
import re
import shutil
import ssl
import struct
import subprocess
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.decode import decode
from scrim.errors import ImageError
from scrim.gateway.addresses import Address, AddressRules
from scrim.gateway.images import Encoded, ImageFetcher, Limits
from scrim.gateway.models import ModelFetcher
from scrim.image_header import MAX_IMAGE_BYTES
from scrim.local.model_files import MOST_BYTES as MOST_MODEL_BYTES

OPEN, CLOSED = "127.0.0.2", "127.0.0.1"
"""Both reach the server; the tests' rules take the first for an address on the internet."""

PATIENT = Limits(connect_s=60.0, total_s=60.0, most_bytes=64 * 1024)
"""However busy this machine is."""

QUICK = replace(PATIENT, total_s=1.0)
"""For what never comes."""
PNG = cv2.imencode(".png", np.full((30, 40, 3), (10, 20, 30), np.uint8))[1].tobytes()
LARGE = bytes(range(256)) * (9 * 4096)
GZIP_BOMB = gzip.compress(bytes(50 * 2**20))

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def head(status: str = "200 OK", *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def whole(body: bytes, *lines: str) -> bytes:
    return head("200 OK", f"Content-Length: {len(body)}", *lines) + body


def pixel_bomb(side_px: int) -> bytes:
    """A PNG that is small as a file and very large as a picture, made row by row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + side_px // 8)
    rows = b"".join([packer.compress(row) for _ in range(side_px)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


POURED = {
    "drip": (head("200 OK", "Content-Length: 60000"), b"x", 0.05),
    "drip-head": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05),
    "endless": (head(), bytes(65536), 0.0),
}
"""Begins, then goes on in pieces with a pause after each."""

STATIC = {
    "gzip": whole(GZIP_BOMB, "Content-Encoding: gzip"),
    "truncated": whole(PNG)[:-20],
    "long": head("200 OK", "Content-Length: 99999999999") + PNG,
    "garbage": b"\x16\x03\x01" + bytes(range(255, 0, -1)),
    "page": whole(b"<html>no image</html>", "Content-Type: image/png"),
    "good": whole(PNG),
    "large": whole(LARGE),
}


def leading(name: str, rest: str) -> bytes:
    """Answers that say where to go, or that there is nothing."""
    match name:
        case "loop":
            return head("302 Found", f"Location: /loop/{rest}x")
        case "hop":
            return head("302 Found", f"Location: /hop/{int(rest) - 1}" if int(rest) else "Location: /good")
        case "to":
            return head("307 Temporary Redirect", f"Location: {bytes.fromhex(rest).decode()}")
        case "bomb":
            return whole(pixel_bomb(20_000))
    return head(f"{rest} \x1b[31mEvil", "Content-Length: 0")


class Chaos:
    """Answers each path in its own way.

    Attributes:
        requests: the heads that came.
        port: of the server.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.port = 0
        self.serving: set[asyncio.Task[None]] = set()

    def __getitem__(self, path: str) -> str:
        return f"http://{OPEN}:{self.port}/{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            text = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(text)
            path = text.split()[1].split("?")[0].strip("/")
            answering = asyncio.ensure_future(self._answer(path, writer))
            hung_up = asyncio.ensure_future(reader.read())
            await asyncio.wait({answering, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            for task in (answering, hung_up):
                task.cancel()
            await asyncio.gather(answering, hung_up, return_exceptions=True)
            await writer.drain()
        writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        name, _, rest = path.partition("/")
        if name in POURED:
            first, more, pause_s = POURED[name]
            writer.write(first)
            await self._pour(writer, more, pause_s)
        elif name == "silent":
            await asyncio.Event().wait()
        else:
            writer.write(STATIC[name] if name in STATIC else leading(name, rest))

    async def _pour(self, writer: asyncio.StreamWriter, data: bytes, pause_s: float) -> None:
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(pause_s)


@contextlib.asynccontextmanager
async def chaos(tls: ssl.SSLContext | None = None) -> AsyncIterator[Chaos]:
    server = Chaos()
    listening = await asyncio.start_server(server.serve, "0.0.0.0", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.gather(*server.serving)  # each ends when its client has gone


def is_open(address: Address) -> bool:
    return str(address) == OPEN


def fetcher(limits: Limits = PATIENT, *, allow_http: bool = True, **options: object) -> ImageFetcher:
    rules = AddressRules(is_public=is_open)
    return ImageFetcher(rules, allow_http=allow_http, limits=limits, **options)  # type: ignore[arg-type]


def content(encoded: Encoded) -> bytes:
    with encoded:
        return os.pread(encoded.fd, MAX_IMAGE_BYTES, 0)


def refused(path: str, limits: Limits = PATIENT) -> str:
    """What is said of a path of the server."""

    async def scenario() -> str:
        async with chaos() as server:
            with pytest.raises(ImageError) as caught:
                await fetcher(limits).fetch(server[path])
            return str(caught.value)

    return asyncio.run(scenario())


def test_a_good_image_is_fetched_and_asked_for_plainly():
    async def scenario() -> None:
        async with chaos() as server:
            encoded = await fetcher().fetch(server["good"])
            assert len(encoded.sha256) == 64
            assert content(encoded) == PNG
        (request,) = server.requests
        assert "Accept-Encoding: identity\r\n" in request
        assert "Cookie" not in request

    asyncio.run(scenario())


def test_three_redirects_are_followed_and_no_more():
    async def scenario() -> None:
        async with chaos() as server:
            assert content(await fetcher().fetch(server["hop/2"])) == PNG
            with pytest.raises(ImageError, match="redirected more than 3 times"):
                await fetcher().fetch(server["hop/3"])
            assert len(server.requests) == 4 + 4

    asyncio.run(scenario())


NEVER_COMES = ("drip", "drip-head", "silent")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("drip", "did not come within 1 s"),
        ("drip-head", "did not come within 1 s"),
        ("silent", "did not come within 1 s"),
        ("endless", r"larger than 0\.0625 MiB"),
        ("long", r"larger than 0\.0625 MiB"),
        ("loop", "redirected more than 3 times"),
        ("gzip", "sent compressed"),
        ("truncated", "broke off before its end"),
        ("status/404", r"answered 404 Not Found$"),
        ("status/500", r"answered 500 Internal Server Error$"),
        ("status/204", r"answered 204 No Content$"),
        ("status/206", r"answered 206 Partial Content$"),
        ("status/799", r"answered 799$"),
        ("garbage", "does not speak HTTP"),
    ],
)
def test_a_server_that_misbehaves_is_left(path: str, said: str):
    text = refused(path, QUICK if path in NEVER_COMES else PATIENT)
    assert re.search(said, text), text
    assert f"/{path}: " in text
    assert text.isprintable()


@pytest.mark.parametrize(
    "to",
    [
        *("file:///etc/passwd", "ftp://127.0.0.2/x", "data:image/png;base64,AAAA", "gopher://x/", "//"),
        *("javascript:1", "", "http://[::1", "unix:/run/x", "ws://127.0.0.2/x"),
    ],
)
def test_a_redirect_leads_to_https_or_nowhere(to: str):
    assert "127.0.0.2" in refused(f"to/{to.encode().hex()}")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]"),
        *("[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "192.168.0.1", "10.0.0.1"),
        *("169.254.169.254", "0.0.0.0", "localhost", "224.0.0.1", "100.64.0.1", "0", "127。0。0。1"),
    ],
)
def test_a_redirect_never_leads_inside(host: str):
    async def scenario() -> None:
        async with chaos() as server:
            url = f"http://{host}:{server.port}/good"
            for path in (server[f"to/{url.encode().hex()}"], url):
                with pytest.raises(ImageError):
                    await fetcher().fetch(path)
            assert len(server.requests) == 1

    asyncio.run(scenario())


def test_a_name_that_changes_its_address_is_resolved_once():
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return [OPEN] if len(asked) == 1 else [CLOSED]

    async def scenario() -> None:
        async with chaos() as server:
            url = f"http://rebinding.example:{server.port}"
            assert content(await fetcher(resolve=resolve).fetch(f"{url}/good")) == PNG
            assert asked == ["rebinding.example"]
            with pytest.raises(ImageError, match=r"127\.0\.0\.1, which is not one on the internet"):
                await fetcher(resolve=resolve).fetch(f"{url}/good")
            asked.clear()
            with pytest.raises(ImageError, match="not one on the internet"):
                await fetcher(resolve=resolve).fetch(f"{url}/hop/1")
            assert len(server.requests) == 2

    asyncio.run(scenario())


def test_one_address_inside_among_several_is_enough():
    async def resolve(host: str, port: int) -> list[str]:
        return [OPEN, CLOSED]

    with pytest.raises(ImageError, match="not one on the internet"):
        asyncio.run(fetcher(resolve=resolve).fetch("http://both.example/x"))


def test_a_name_nobody_knows_and_one_nobody_answers_for():
    async def slow(host: str, port: int) -> list[str]:
        await asyncio.sleep(30)
        return []

    async def nothing(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(ImageError, match=r"not found within 0\.5 s"):
        asyncio.run(fetcher(replace(PATIENT, connect_s=0.5), resolve=slow).fetch("http://slow.example/x"))
    with pytest.raises(ImageError, match="has no address"):
        asyncio.run(fetcher(resolve=nothing).fetch("http://none.example/x"))


def test_nobody_listens():
    with pytest.raises(ImageError, match="cannot be connected to"):
        asyncio.run(fetcher().fetch(f"http://{OPEN}:1/x"))


def test_http_is_refused_unless_allowed_also_after_a_redirect():
    with pytest.raises(ImageError, match=r"leads to http:, which is not fetched; allowed is https:"):
        asyncio.run(fetcher(allow_http=False).fetch(f"http://{OPEN}/x"))


def test_errors_keep_what_is_secret():
    async def scenario() -> str:
        async with chaos() as server:
            url = server["status/403"].replace("//", "//ann:pass@") + "?token=abc#frag"
            with pytest.raises(ImageError) as caught:
                await fetcher().fetch(url)
            return str(caught.value)

    text = asyncio.run(scenario())
    assert "403 Forbidden" in text
    assert not any(secret in text for secret in ("ann", "pass", "token", "abc", "frag"))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.2 and its key, in one file; signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, and the test makes its certificate with it")
    path = tmp_path / "server.pem"
    wanted = ["-subj", "/CN=scrim", "-addext", f"subjectAltName=IP:{OPEN}", "-days", "2", "-nodes"]
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-keyout", str(path), "-out", str(tmp_path / "only.pem")]
    subprocess.run([*command, *wanted, *files], check=True, capture_output=True)
    with path.open("a") as file:
        file.write((tmp_path / "only.pem").read_text())
    return path


def test_tls_is_verified(certificate: Path):
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def scenario() -> None:
        async with chaos(server_side) as server:
            url = server["good"].replace("http:", "https:")
            assert content(await fetcher(tls=trusting, allow_http=False).fetch(url)) == PNG
            with pytest.raises(ImageError, match="certificate is not valid"):
                await fetcher(allow_http=False).fetch(url)
            down = server[f"to/{server['good'].encode().hex()}"].replace("http:", "https:")
            with pytest.raises(ImageError, match="leads to http:"):
                await fetcher(tls=trusting, allow_http=False).fetch(down)
            assert len(server.requests) == 2

    asyncio.run(scenario())


def test_a_handshake_that_does_not_come_and_one_that_is_none():
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async def scenario() -> None:
        listening = await asyncio.start_server(silence, "0.0.0.0", 0)
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(ImageError, match=r"connected to within 0\.5 s"):
            await fetcher(replace(PATIENT, connect_s=0.5)).fetch(f"https://{OPEN}:{port}/x")
        listening.close()
        async with chaos() as server:
            with pytest.raises(ImageError):
                await fetcher(QUICK).fetch(server["good"].replace("http:", "https:"))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("drip", "did not come within 1 s"),
        ("silent", "did not come within 1 s"),
        ("endless", r"larger than 0\.0625 MiB; allowed is a TensorFlow Lite model"),
        ("loop", "redirected more than 3 times"),
        ("gzip", "sent compressed"),
        ("truncated", "broke off before its end"),
        ("status/404", r"answered 404 Not Found$"),
        (f"to/{b'http://127.0.0.2/x'.hex()}", "leads to http:, which is not fetched; allowed is https:"),
        (f"to/{b'https://127.0.0.1/x'.hex()}", "which is not one on the internet"),
        (f"to/{b'https://[::1]/x'.hex()}", "which is not one on the internet"),
    ],
)
def test_models_are_fetched_by_the_same_rules(certificate: Path, path: str, said: str):
    async def scenario() -> None:
        async with chaos(server_context(certificate)) as server:
            url = server[path].replace("http:", "https:")
            with pytest.raises(ImageError, match=said):
                await model_fetcher(certificate, QUICK if path in NEVER_COMES else PATIENT).fetch_file(url)

    asyncio.run(scenario())


def test_a_model_may_be_larger_than_an_image_and_says_how_far_it_is(certificate: Path):
    told: list[tuple[int, int | None]] = []

    async def scenario() -> Encoded:
        async with chaos(server_context(certificate)) as server:
            url = server["large"].replace("http:", "https:")
            fetcher = model_fetcher(certificate, Limits(total_s=60, most_bytes=MOST_MODEL_BYTES))
            return await fetcher.fetch_file(url, lambda count, total: told.append((count, total)))

    with asyncio.run(scenario()) as encoded:
        assert encoded.size_bytes == len(LARGE) > MAX_IMAGE_BYTES
        assert encoded.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert told[-1] == (len(LARGE), len(LARGE))
    assert told == sorted(told)


def test_a_model_is_not_fetched_without_encryption_nor_from_a_data_url():
    for url in (f"http://{OPEN}/x", "data:,x", "file:///etc/passwd", "ftp://127.0.0.2/x"):
        with pytest.raises(ImageError, match=r"is not fetched|is no URL"):
            asyncio.run(ModelFetcher(AddressRules(is_public=is_open)).fetch_file(url))


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def model_fetcher(certificate: Path, limits: Limits = PATIENT) -> ModelFetcher:
    trusting = ssl.create_default_context(cafile=str(certificate))
    return ModelFetcher(AddressRules(is_public=is_open), tls=trusting, limits=limits)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("data:image/png;base64,????", "is not base64"),
        ("data:image/png;base64,AAA", "is not base64"),
    ],
)
def test_a_data_url_that_is_none(url: str, said: str):
    with pytest.raises(ImageError, match=said):
        asyncio.run(fetcher().fetch(url))


def test_a_data_url_is_taken_apart():
    import base64
    from urllib.parse import quote

    for url in (
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
        "DATA:;BASE64," + quote(base64.b64encode(PNG).decode()),
        "data:image/png," + quote(PNG),
    ):
        assert content(asyncio.run(fetcher().fetch(url))) == PNG


@pytest.mark.parametrize(("path", "said"), [("bomb", "20000 x 20000"), ("page", "not an image")])
def test_what_comes_is_looked_at_before_it_is_decoded(path: str, said: str):
    async def scenario() -> None:
        async with chaos() as server:
            encoded = await fetcher(Limits()).fetch(server[path])
            with encoded, pytest.raises(ImageError, match=said):
                await asyncio.to_thread(decode, encoded.fd, path)

    asyncio.run(scenario())


def test_nothing_is_left_open_and_memory_does_not_grow():
    paths = ["endless", "gzip", "long", "truncated", "status/404", "garbage", "loop", "good"]

    async def scenario() -> tuple[int, int, int, int]:
        async with chaos() as server:
            await fetch_all(server, paths)
            before = len(list(Path("/proc/self/fd").iterdir())), resident_bytes()
            for _ in range(5):
                await fetch_all(server, paths)
            return *before, len(list(Path("/proc/self/fd").iterdir())), resident_bytes()

    fds, memory, fds_then, memory_then = asyncio.run(scenario())
    assert fds_then <= fds + 2
    assert memory_then - memory < 64 * 2**20
    assert not [thread for thread in threading.enumerate() if thread.name == "picture"]


async def fetch_all(server: Chaos, paths: list[str]) -> None:
    limits = Limits(connect_s=0.5, total_s=2.0, most_bytes=MAX_IMAGE_BYTES)
    for path in paths:
        with contextlib.suppress(ImageError):
            (await fetcher(limits).fetch(server[path])).close()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

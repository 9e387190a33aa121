"""The page from elsewhere: passwords, names, TLS, and what is refused before it begins to listen."""

import asyncio
import base64
import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from scrim.config import Settings
from scrim.errors import ConfigError
from scrim.gateway.web.doorkeeper import MOST, MOST_EACH, Doorkeeper
from scrim.gateway.web.login import TRIES

PASSWORD = "correct horse battery"
POST = {"X-Scrim": "1", "Content-Type": "application/json"}
CLOSED_READS = (
    "/api/status",
    "/api/settings",
    "/api/schema",
    "/api/backgrounds",
    "/backgrounds/x-000000000000.jpg",
    "/preview.mjpg",
    "/snapshot.jpg",
    "/api/nothing",
)
CLOSED_CHANGES = (
    "/api/settings",
    "/api/reset",
    "/api/restart",
    "/api/backgrounds",
    "/api/backgrounds/remove",
)
Scenario = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def settings(password_file: Path) -> Settings:
    """With a password, on loopback."""
    return Settings().patched({"web": {"password_file": str(password_file)}})


def with_web(settings: Settings, **web: Any) -> Settings:
    return settings.patched({"web": web})


def play(gateway: Any, path: Path, settings: Settings, scenario: Scenario) -> None:
    async def go() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        async with gateway(path, settings) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
            async with asyncio.timeout(180):
                await scenario(session, url)

    asyncio.run(go())


def refused(gateway: Any, path: Path, settings: Settings) -> list[str]:
    """The keys of what is wrong with settings; the gateway must not begin to listen."""

    async def nothing(session: aiohttp.ClientSession, url: str) -> None:
        raise AssertionError(f"it listens at {url}")

    with pytest.raises(ConfigError) as caught:
        play(gateway, path, settings, nothing)
    assert all(problem.message and problem.allowed for problem in caught.value.problems)
    assert PASSWORD not in str(caught.value)
    return [problem.key for problem in caught.value.problems]


async def log_in(
    session: aiohttp.ClientSession, url: str, password: str = PASSWORD, **headers: str
) -> aiohttp.ClientResponse:
    async with session.post(
        f"{url}/api/login", json={"password": password}, headers=POST | headers
    ) as answer:
        await answer.read()
        return answer


async def status(session: aiohttp.ClientSession, url: str, **options: Any) -> int:
    async with session.get(url, **options) as answer:
        return answer.status


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


# Without the password


def test_without_the_password_only_the_empty_page_is_there(
    gateway: Any, stand_in_core: Any, settings: Settings
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        for at in ("/", "/app.js", "/style.css", "/icon.svg"):
            assert await status(session, url + at) == 200
        for at in CLOSED_READS:
            async with session.get(url + at) as answer:
                assert answer.status == 401, at
                assert "WWW-Authenticate" not in answer.headers, "a browser would ask, and send it for ever"
                assert answer.headers["X-Frame-Options"] == "DENY"
        for at in CLOSED_CHANGES:
            async with session.post(url + at, json={"effect": "off"}, headers=POST) as answer:
                assert answer.status == 401, at
        assert stand_in_core.patches == []
        assert stand_in_core.feed.subscribers == 0

    play(gateway, stand_in_core.path, settings, scenario)


@pytest.mark.parametrize(
    "cookie", ["", "x", "scrim-session=", "scrim-session=" + "A" * 43, "__Host-scrim-session=abc"]
)
def test_a_token_that_was_made_up_lets_nobody_in(
    gateway: Any, tmp_path: Path, settings: Settings, cookie: str
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        assert await status(session, f"{url}/api/status", headers={"Cookie": cookie}) == 401

    play(gateway, tmp_path / "core.sock", settings, scenario)


# With it


def test_the_password_gives_a_cookie_that_no_script_and_no_other_site_has(
    gateway: Any, stand_in_core: Any, settings: Settings
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        answer = await log_in(session, url)
        assert answer.status == 200
        cookie = answer.cookies["scrim-session"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert cookie["path"] == "/"
        assert cookie["domain"] == ""
        assert not cookie["secure"]
        assert len(cookie.value) >= 43
        core = "gone"
        while core == "gone":
            async with session.get(f"{url}/api/status") as found:
                told = await found.json()
            assert told["gateway"]["asks_for_password"] is True
            core = told["core"]
        async with session.post(f"{url}/api/settings", json={"effect": "blur"}, headers=POST) as changed:
            assert changed.status == 200

    play(gateway, stand_in_core.path, settings, scenario)


def test_a_cookie_from_behind_a_proxy_with_tls_is_for_tls_alone(
    gateway: Any, tmp_path: Path, settings: Settings
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        answer = await log_in(session, url, Origin="https://camera.example.org", Host="camera.example.org")
        assert answer.cookies["__Host-scrim-session"]["secure"]

    play(gateway, tmp_path / "x", with_web(settings, hosts=["camera.example.org"]), scenario)


def test_the_cookie_alone_is_not_enough_for_a_change(
    gateway: Any, stand_in_core: Any, settings: Settings
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await log_in(session, url)
        for headers in (
            {"Content-Type": "application/json"},
            POST | {"Content-Type": "text/plain"},
            POST | {"Sec-Fetch-Site": "cross-site"},
            POST | {"Sec-Fetch-Site": "same-site"},
            POST | {"Origin": "http://evil.example"},
        ):
            async with session.post(f"{url}/api/settings", data=b"{}", headers=headers) as answer:
                assert answer.status in {403, 415}
        assert stand_in_core.patches == []

    play(gateway, stand_in_core.path, settings, scenario)


def test_who_logs_out_is_out_and_sees_no_further_picture(
    gateway: Any, stand_in_core: Any, settings: Settings
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        stand_in_core.play()
        await log_in(session, url)
        token = next(iter(session.cookie_jar)).value
        async with session.get(f"{url}/preview.mjpg") as pictures:
            await pictures.content.readexactly(1000)
            async with session.post(f"{url}/api/logout", json={}, headers=POST) as answer:
                assert answer.status == 200
            await pictures.content.read()  # ends
        assert not list(session.cookie_jar)
        stolen = {"Cookie": f"scrim-session={token}"}
        assert await status(session, f"{url}/api/status", headers=stolen) == 401

    play(gateway, stand_in_core.path, settings, scenario)


def test_a_program_gives_the_password_with_each_request(
    gateway: Any, stand_in_core: Any, settings: Settings
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        stand_in_core.play()
        for user in ("scrim", "", "anybody"):
            assert await status(session, f"{url}/snapshot.jpg", headers=basic(user, PASSWORD)) == 200
        assert not list(session.cookie_jar)
        garbage = ("Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"\xff").decode())
        for header in garbage:
            assert await status(session, f"{url}/api/status", headers={"Authorization": header}) == 401

    play(gateway, stand_in_core.path, settings, scenario)


@pytest.mark.parametrize("way", ["page", "program"])
def test_guessing_is_slow(
    gateway: Any, tmp_path: Path, settings: Settings, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrim.gateway.web.login.TRY_EVERY_S", 600.0)

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async def guess(password: str) -> tuple[int, str]:
            if way == "page":
                answer = await log_in(session, url, password)
            else:
                async with session.get(f"{url}/api/status", headers=basic("scrim", password)) as answer:
                    await answer.read()
            return answer.status, answer.headers.get("Retry-After", "")

        for number in range(TRIES):
            assert await guess(f"guess {number}") == (401, "")
        code, retry = await guess(PASSWORD)
        assert code == 429
        assert 0 < int(retry) <= 600

    play(gateway, tmp_path / "core.sock", settings, scenario)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"password":1}', b'{"password":"a","x":1}', b'{"password":"a","password":"b"}'],
)
def test_a_login_that_is_none_is_refused(
    gateway: Any, tmp_path: Path, settings: Settings, body: bytes
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.post(f"{url}/api/login", data=body, headers=POST) as answer:
            assert answer.status == 400

    play(gateway, tmp_path / "core.sock", settings, scenario)


def test_no_password_is_ever_logged(
    gateway: Any, tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await log_in(session, url)
        await log_in(session, url, "battery staple")
        token = next(iter(session.cookie_jar)).value
        assert token not in caplog.text

    play(gateway, tmp_path / "core.sock", settings, scenario)
    assert "wrong password from 127.0.0.1" in caplog.text
    assert PASSWORD not in caplog.text
    assert "staple" not in caplog.text


def test_on_loopback_without_a_password_nobody_is_asked(gateway: Any, tmp_path: Path) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(f"{url}/api/status") as answer:
            assert (await answer.json())["gateway"]["asks_for_password"] is False
        assert (await log_in(session, url)).status == 200

    play(gateway, tmp_path / "core.sock", Settings(), scenario)


def test_the_password_may_be_systemd_s(
    gateway: Any, tmp_path: Path, password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password_file.rename(tmp_path / "web-password")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        assert await status(session, f"{url}/api/status") == 401
        assert (await log_in(session, url)).status == 200

    play(gateway, tmp_path / "core.sock", Settings(), scenario)


# Names


def own_address() -> str:
    """An address of this machine that others could reach; loopback's second where it has none."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def test_from_elsewhere_the_machine_s_own_names_and_addresses_are_allowed_and_no_other(
    gateway: Any, tmp_path: Path, settings: Settings
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        port = url.rpartition(":")[2]
        near, own = f"http://127.0.0.1:{port}", own_address()
        assert socket.gethostname() in url
        names = ("localhost", "camera.example.org", "CAMERA.example.org:443", socket.gethostname())
        for host in (*names, f"{socket.gethostname().partition('.')[0]}.local"):
            assert await status(session, near, headers={"Host": host}) == 200, host
        assert await status(session, f"http://{own}:{port}") == 200
        for host in ("evil.example", "example.org", "192.0.2.7", "camera.example.org.evil.example", ""):
            for at in ("/", "/api/status", "/preview.mjpg", "/snapshot.jpg"):
                assert await status(session, near + at, headers={"Host": host}) == 403, host

    everywhere = with_web(settings, host="0.0.0.0", hosts=["camera.example.org"])
    play(gateway, tmp_path / "core.sock", everywhere, scenario)


def test_ipv6_is_called_by_its_address_in_brackets(gateway: Any, tmp_path: Path, settings: Settings) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        port = url.rpartition(":")[2]
        assert await status(session, f"http://[::1]:{port}/") == 200
        wrong = {"Host": "[2001:db8::1]"}
        assert await status(session, f"http://[::1]:{port}/", headers=wrong) == 403

    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    play(gateway, tmp_path / "core.sock", with_web(settings, host="::"), scenario)


# What is refused at start


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_password_it_does_not_listen_for_others(gateway: Any, tmp_path: Path, host: str) -> None:
    assert refused(gateway, tmp_path / "x", with_web(Settings(), host=host)) == ["web.host"]


def test_other_names_without_a_password_are_refused(gateway: Any, tmp_path: Path) -> None:
    assert refused(gateway, tmp_path / "x", with_web(Settings(), hosts=["a.example"])) == ["web.hosts"]


def test_a_name_with_a_port_would_never_be_met_and_is_refused(
    gateway: Any, tmp_path: Path, settings: Settings
) -> None:
    with_port = with_web(settings, hosts=["camera.example.org:8080"])
    assert refused(gateway, tmp_path / "x", with_port) == ["web.hosts"]


def test_a_password_that_others_can_read_or_guess_is_refused(
    gateway: Any, tmp_path: Path, settings: Settings, password_file: Path
) -> None:
    everywhere = with_web(settings, host="0.0.0.0")
    for mode in (0o640, 0o604):
        password_file.chmod(mode)
        assert refused(gateway, tmp_path / "x", everywhere) == ["web.password_file"]
    password_file.chmod(0o600)
    for text in ("", "short", "two\nlines\n", "\xe9"):
        password_file.write_bytes(text.encode("latin-1"))
        assert refused(gateway, tmp_path / "x", everywhere) == ["web.password_file"]
    password_file.unlink()
    assert refused(gateway, tmp_path / "x", everywhere) == ["web.password_file"]


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for loopback and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, and the test makes its certificate with it")
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    make(openssl, *paths)
    return paths


def make(openssl: str, cert: Path, key: Path) -> None:
    wanted = ["-subj", "/CN=scrim", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command, *wanted, *files], check=True, capture_output=True)
    key.chmod(0o600)


def test_with_a_certificate_it_speaks_tls(
    gateway: Any, tmp_path: Path, settings: Settings, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=str(cert))

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        assert url.startswith("https://127.0.0.1:")
        async with session.post(
            f"{url}/api/login",
            json={"password": PASSWORD},
            headers=POST | {"Origin": url, "Sec-Fetch-Site": "same-origin"},
            ssl=trusting,
        ) as answer:
            assert answer.status == 200
            assert answer.cookies["__Host-scrim-session"]["secure"]
        plain = POST | {"Origin": url.replace("https", "http")}
        async with session.post(f"{url}/api/logout", json={}, headers=plain, ssl=trusting) as answer:
            assert answer.status == 403
        old = ssl.create_default_context(cafile=str(cert))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await status(session, url, ssl=old) == 200
        with pytest.raises(aiohttp.ClientError):
            await status(session, url.replace("https", "http"))

    play(gateway, tmp_path / "x", with_web(settings, certificate=str(cert), key=str(key)), scenario)


def test_a_renewed_certificate_is_taken_up_without_a_restart(
    gateway: Any,
    tmp_path: Path,
    settings: Settings,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scrim.gateway.web.serving.RELOAD_S", 0.05)
    cert, key = certificate

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async def shown() -> str:
            port = int(url.rpartition(":")[2])
            return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))

        assert (await shown()).strip() == cert.read_text().strip()
        cert.write_text("half a certifi")
        await asyncio.sleep(0.2)
        await shown()
        make(str(shutil.which("openssl")), cert, key)
        while (await shown()).strip() != cert.read_text().strip():
            await asyncio.sleep(0.05)

    play(gateway, tmp_path / "x", with_web(settings, certificate=str(cert), key=str(key)), scenario)


def test_a_certificate_that_cannot_be_used_is_refused(
    gateway: Any, tmp_path: Path, settings: Settings, certificate: tuple[Path, Path]
) -> None:
    cert, key = map(str, certificate)
    for web, keys in (
        ({"certificate": cert}, ["web.key"]),
        ({"key": key}, ["web.certificate"]),
        ({"certificate": key, "key": cert}, ["web.certificate"]),
        ({"certificate": "/nowhere", "key": "/nowhere"}, ["web.certificate", "web.key"]),
    ):
        Path(cert).chmod(0o600)
        assert refused(gateway, tmp_path / "x", with_web(settings, **web)) == keys
    Path(key).chmod(0o604)
    assert refused(gateway, tmp_path / "x", with_web(settings, certificate=cert, key=key)) == ["web.key"]


# Connections


class Silent(asyncio.Protocol):
    """The server behind the door."""


@contextlib.asynccontextmanager
async def behind_a_door(first_byte_s: float) -> AsyncIterator[tuple[Doorkeeper, int]]:
    door = Doorkeeper(Silent, first_byte_s)
    server = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0)
    try:
        yield door, server.sockets[0].getsockname()[1]
    finally:
        server.close()


def test_connections_are_counted_and_those_above_the_bound_are_closed() -> None:
    async def scenario() -> None:
        async with behind_a_door(180) as (door, port), contextlib.AsyncExitStack() as stack:
            for _ in range(MOST):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
            while door.connections.total() < MOST:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            assert door.connections.total() == MOST
        while door.connections:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(scenario(), 180))


def test_one_neighbour_cannot_take_all_of_them() -> None:
    door = Doorkeeper(Silent)
    assert [door.lets_in("192.0.2.1") for _ in range(MOST_EACH + 1)] == [True] * MOST_EACH + [False]
    assert door.lets_in("192.0.2.2")
    door.left("192.0.2.1")
    assert door.lets_in("192.0.2.1")


def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    async def left() -> int:
        async with behind_a_door(0.2) as (door, port):
            talking = await asyncio.open_connection("127.0.0.1", port)
            talking[1].write(b"G")
            silent = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionResetError):
                assert await silent[0].read() == b""
            left = door.connections.total()
            for _, writer in (talking, silent):
                writer.close()
            return left

    async def scenario() -> None:
        while await left() != 1:  # a machine that stopped before the first could talk
            pass

    asyncio.run(asyncio.wait_for(scenario(), 180))
